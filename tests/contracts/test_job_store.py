"""What ports.JobStore promises, asked of every job store."""

import threading

import pytest
from msgspec import structs

from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob, HistoryEntry, Media, Progress
from nommerctl.domain.limits import AttemptLimits
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.errors import IllegalMoveError, LeaseLostError, UsageError
from nommerctl.ports import JobStore
from tests.builders import job_id, make_job, make_lease
from tests.fakes.clock import START

IN_STATES = {number: make_job(number, state=state) for number, state in enumerate(JobState, start=1)}
UNFINISHED_NUMBERS = [1, 2, 3, 4]  # PENDING, DOWNLOADING, ENCODING, UPLOADING
FINISHED_NUMBERS = [5, 6, 7]  # FINISHED, ERROR, ABANDONED


def numbers(jobs: object) -> list[int]:
    """The numbers that jobs were made from, in the order in which they come."""
    assert hasattr(jobs, "__iter__")
    return [int(job.id, 16) for job in jobs]


def untold_job(number: int, state: JobState = JobState.FINISHED) -> EncodingJob:
    """A job whose listener has not been told of its first and only change."""
    entry = HistoryEntry(seq=1, state=state, at=START, by="node-1")
    return make_job(number, state=state, notify_url="https://listener.example/", history=(entry,))


def given_up(job: EncodingJob) -> EncodingJob:
    return moves.untaken(job, seq=job.untold[0].seq, error="answered 410", now=START, gone=True)


def told_everything(job: EncodingJob) -> EncodingJob:
    return moves.told(job, seq=job.history[-1].seq)


def cancel(job: EncodingJob) -> EncodingJob:
    return moves.cancelled(job, now=START + micros(60), by="operator")


# --- submit and get


def test_a_submitted_job_reads_back_whole(job_store: JobStore) -> None:
    job = structs.replace(
        moves.submitted(make_job(1, notify_url="https://listener.example/", client_id="clip-1"), by="submit"),
        details="ünïcode \U0001f3ac",
        lease=make_lease(),
        progress=Progress(fraction=0.25, fps=24.5, speed=1.5, eta_s=90.0),
        media=Media(seconds=12.5, width=1280, height=720),
        command="ffmpeg -i 'a b.mov'",
        log="frame=1\nframe=2",
    )

    (answered,) = job_store.submit([job])

    assert answered == structs.replace(job, version=1)
    assert job_store.get([job.id]) == {job.id: answered}


def test_a_job_from_another_store_does_not_go_back_in_version(job_store: JobStore) -> None:
    (job,) = job_store.submit([make_job(1, version=41)])

    assert job.version == 42
    assert job_store.get([job.id]) == {job.id: job}


def test_submit_answers_in_the_order_it_was_asked(job_store: JobStore) -> None:
    job_store.submit([make_job(2)])

    assert numbers(job_store.submit([make_job(3), make_job(2), make_job(1)])) == [3, 2, 1]


def test_a_repeated_submit_is_the_same_job(job_store: JobStore) -> None:
    job_store.submit([make_job(1, source="file:///first.mov")])
    cancelled = job_store.transition(job_id(1), cancel)

    again = job_store.submit([make_job(1, source="file:///second.mov"), make_job(2)])

    assert again == [cancelled, structs.replace(make_job(2), version=1)]
    assert job_store.get([job_id(1)]) == {job_id(1): cancelled}


def test_a_job_twice_in_one_submit_is_stored_once(job_store: JobStore) -> None:
    first, second = job_store.submit(
        [make_job(1, source="file:///first.mov"), make_job(1, source="file:///second.mov")]
    )

    assert first == second
    assert first.source == "file:///first.mov"


def test_submitting_nothing_stores_nothing(job_store: JobStore) -> None:
    assert job_store.submit([]) == []
    assert list(job_store.unfinished()) == []


def test_get_leaves_out_unknown_ids(job_store: JobStore) -> None:
    job_store.submit([make_job(1)])

    assert list(job_store.get([job_id(1), job_id(2)])) == [job_id(1)]
    assert job_store.get([]) == {}


def test_get_takes_more_ids_than_fit_a_batch(roomy_job_store: JobStore) -> None:
    jobs = [make_job(number) for number in range(1203)]
    roomy_job_store.submit(jobs)

    found = roomy_job_store.get(job.id for job in reversed(jobs))

    assert sorted(numbers(found.values())) == list(range(1203))


# --- find


def test_find_goes_by_the_beginning_of_the_id(job_store: JobStore) -> None:
    ids = ["00" + "a" * 48, "0f" + "0" * 48, "0f" + "f" * 48, "10" + "0" * 48]
    job_store.submit([structs.replace(make_job(1), id=identity) for identity in reversed(ids)])

    assert [job.id for job in job_store.find("0f", limit=10)] == ids[1:3]
    assert [job.id for job in job_store.find("0", limit=10)] == ids[:3]
    assert [job.id for job in job_store.find("0", limit=2)] == ids[:2]
    assert [job.id for job in job_store.find(ids[3], limit=10)] == ids[3:]
    assert [job.id for job in job_store.find("", limit=10)] == ids


@pytest.mark.parametrize("prefix", ["%", "_", "0_", "0%", "F", "0f' OR '1'='1", "g", "ü", "\udcff"])
def test_find_takes_whatever_a_user_types_literally(job_store: JobStore, prefix: str) -> None:
    job_store.submit([structs.replace(make_job(1), id="0f" + "a" * 48)])

    assert job_store.find(prefix, limit=10) == []


# --- the lists


def test_unfinished_yields_the_four_states_oldest_created_first(job_store: JobStore) -> None:
    job_store.submit([structs.replace(job, created=START - number) for number, job in IN_STATES.items()])

    assert numbers(job_store.unfinished()) == UNFINISHED_NUMBERS[::-1]


def test_in_state_yields_one_state_oldest_change_first(job_store: JobStore) -> None:
    job_store.submit(
        [make_job(10, changed=START + 3), make_job(11, changed=START + 1), make_job(12, changed=START + 2)]
    )
    job_store.submit(list(IN_STATES.values())[1:])

    assert numbers(job_store.in_state(JobState.PENDING)) == [11, 12, 10]
    assert numbers(job_store.in_state(JobState.ERROR)) == [6]


def test_silent_yields_the_unfinished_before_their_instants_oldest_change_first(job_store: JobStore) -> None:
    job_store.submit([structs.replace(job, changed=START + 20 - 2 * number) for number, job in IN_STATES.items()])
    job_store.submit([make_job(8, changed=START + 13), make_job(9, state=JobState.ENCODING, changed=START + 19)])

    def silent(*, in_work_before: int, pending_before: int) -> list[int]:
        return numbers(job_store.silent(in_work_before=START + in_work_before, pending_before=START + pending_before))

    assert silent(in_work_before=20, pending_before=20) == [4, 8, 3, 2, 1, 9]
    assert silent(in_work_before=16, pending_before=14) == [4, 8, 3]
    assert silent(in_work_before=17, pending_before=13) == [4, 3, 2]
    assert silent(in_work_before=12, pending_before=20) == [8, 1]


def test_finished_since_includes_its_instant(job_store: JobStore) -> None:
    job_store.submit([structs.replace(job, changed=START + 10 - number) for number, job in IN_STATES.items()])
    job_store.submit([structs.replace(untold_job(8), changed=START + 2)])

    assert numbers(job_store.finished_since(START)) == [8, 7, 6, 5]
    assert numbers(job_store.finished_since(START + 4)) == [6, 5]


def test_finished_before_excludes_its_instant_and_what_is_untold(job_store: JobStore) -> None:
    job_store.submit([structs.replace(job, changed=START + 10 - number) for number, job in IN_STATES.items()])
    job_store.submit([structs.replace(untold_job(8), changed=START + 2)])

    assert numbers(job_store.finished_before(START + 10)) == FINISHED_NUMBERS[::-1]
    assert numbers(job_store.finished_before(START + 4)) == [7]


def test_finished_untold_yields_what_a_listener_waits_for_oldest_change_first(job_store: JobStore) -> None:
    entry = HistoryEntry(seq=1, state=JobState.PENDING, at=START, by="submit")
    job_store.submit(
        [
            structs.replace(untold_job(1), changed=START + 2),
            structs.replace(untold_job(2, JobState.ERROR), changed=START + 1),
            untold_job(3, JobState.PENDING),  # refresh sees to it as long as it is unfinished
            make_job(4, state=JobState.FINISHED, history=(entry,)),  # nobody listens
            told_everything(untold_job(5)),
        ]
    )

    assert numbers(job_store.finished_untold()) == [2, 1]


def test_undelivered_yields_whose_listener_was_given_up_oldest_change_first(job_store: JobStore) -> None:
    jobs = [
        structs.replace(given_up(untold_job(1)), changed=START + 3),
        structs.replace(given_up(untold_job(2, JobState.PENDING)), changed=START + 1),
        structs.replace(given_up(untold_job(3, JobState.ENCODING)), changed=START + 2),
        untold_job(4),
        moves.untaken(untold_job(5), seq=1, error="answered 500", now=START),
    ]

    stored = job_store.submit(jobs)

    assert list(job_store.undelivered()) == [stored[1], stored[2], stored[0]]


def test_a_job_whose_listener_is_given_up_is_done_with_until_it_is_revived(job_store: JobStore) -> None:
    (job,) = job_store.submit([untold_job(1)])
    later = START + micros(3600)

    gone = job_store.transition(job, given_up)

    assert job_store.get([job.id]) == {job.id: gone}
    assert list(job_store.undelivered()) == list(job_store.finished_before(later)) == [gone]
    assert list(job_store.finished_untold()) == []
    assert list(job_store.finished_since(START)) == list(job_store.in_state(JobState.FINISHED)) == [gone]
    assert job_store.find(job.id[:20], limit=3) == job_store.find("", limit=3) == [gone]

    back = job_store.transition(gone, moves.revived)

    assert list(job_store.undelivered()) == list(job_store.finished_before(later)) == []
    assert list(job_store.finished_untold()) == job_store.find("", limit=3) == [back]


def test_a_job_whose_listener_was_given_up_may_change_and_go(job_store: JobStore) -> None:
    (job,) = job_store.submit([untold_job(1, JobState.PENDING)])
    job_store.transition(job, given_up)

    cancelled = job_store.transition(job.id, cancel)

    assert list(job_store.undelivered()) == [cancelled]
    assert job_store.remove(cancelled)
    assert list(job_store.undelivered()) == job_store.find("", limit=3) == []


def test_the_undelivered_are_whole_beyond_a_page_and_found_in_order(roomy_job_store: JobStore) -> None:
    jobs = [untold_job(number) for number in range(1100)]
    roomy_job_store.submit([given_up(job) if int(job.id, 16) % 10 else job for job in jobs])

    assert sorted(numbers(roomy_job_store.undelivered())) == [number for number in range(1100) if number % 10]
    assert numbers(roomy_job_store.find("0", limit=25)) == list(range(25))


def test_a_transition_moves_a_job_from_list_to_list(job_store: JobStore) -> None:
    job_store.submit([moves.submitted(make_job(1, notify_url="https://listener.example/"), by="submit")])

    cancelled = job_store.transition(job_id(1), cancel)

    assert list(job_store.unfinished()) == []
    later = START + micros(3600)
    assert list(job_store.silent(in_work_before=later, pending_before=later)) == []
    assert list(job_store.in_state(JobState.PENDING)) == []
    assert list(job_store.in_state(JobState.ABANDONED)) == [cancelled]
    assert list(job_store.finished_since(START)) == [cancelled]
    assert list(job_store.finished_untold()) == [cancelled]
    assert list(job_store.finished_before(START + micros(3600))) == []

    told = job_store.transition(job_id(1), told_everything)

    assert list(job_store.finished_untold()) == []
    assert list(job_store.finished_before(START + micros(3600))) == [told]


def test_the_lists_are_whole_beyond_a_page(roomy_job_store: JobStore) -> None:
    roomy_job_store.submit([make_job(number, created=START, changed=START) for number in range(1000)])
    roomy_job_store.submit([make_job(number, created=START + 1) for number in range(1000, 1007)])

    for jobs in (list(roomy_job_store.unfinished()), list(roomy_job_store.in_state(JobState.PENDING))):
        assert sorted(numbers(jobs)) == list(range(1007))
        assert [job.created for job in jobs] == [START] * 1000 + [START + 1] * 7


def test_what_a_list_yields_may_be_changed_or_removed_on_the_way(roomy_job_store: JobStore) -> None:
    roomy_job_store.submit([make_job(number, state=JobState.FINISHED) for number in range(1200)])

    removed = [roomy_job_store.remove(job) for job in roomy_job_store.finished_before(START + micros(9999))]

    assert removed == [True] * 1200
    assert list(roomy_job_store.finished_since(0)) == []


# --- transition


def test_a_transition_writes_the_move_and_raises_the_version(job_store: JobStore) -> None:
    job_store.submit([make_job(1)])

    written = job_store.transition(job_id(1), cancel)

    assert (written.state, written.version) == (JobState.ABANDONED, 2)
    assert job_store.get([job_id(1)]) == {job_id(1): written}


def test_a_move_to_the_record_of_another_store_does_not_go_back_in_version(job_store: JobStore) -> None:
    first, second = job_store.submit([make_job(1), make_job(2)])

    written = job_store.transition(first, lambda job: structs.replace(job, told=7, version=41))
    (other,) = job_store.transitions([(second, lambda job: structs.replace(job, told=7, version=41))])

    assert (written.version, other.version) == (42, 42)
    assert job_store.get([first.id, second.id]) == {first.id: written, second.id: other}


def test_a_move_that_changes_nothing_writes_nothing(job_store: JobStore) -> None:
    (job,) = job_store.submit([make_job(1)])

    assert job_store.transition(job_id(1), lambda job: job) == job
    assert job_store.get([job_id(1)])[job_id(1)].version == 1


def test_an_illegal_move_comes_out_and_writes_nothing(job_store: JobStore) -> None:
    job_store.submit([make_job(1)])
    cancelled = job_store.transition(job_id(1), cancel)

    with pytest.raises(IllegalMoveError, match="is ABANDONED"):
        job_store.transition(job_id(1), cancel)

    assert job_store.get([job_id(1)]) == {job_id(1): cancelled}


def test_i3_the_writes_of_a_lost_lease_are_refused(job_store: JobStore) -> None:
    job_store.submit([make_job(1, state=JobState.ENCODING, lease=make_lease("old"))])
    later = START + micros(100)

    def claim(job: EncodingJob) -> EncodingJob:
        successor = make_lease("new", owner="node-2", until=later + micros(90))
        return moves.claimed(job, lease=successor, now=later, limits=AttemptLimits())

    def heartbeat(job: EncodingJob) -> EncodingJob:
        return moves.renewed(job, lease_id="old", until=later + micros(90), progress=None)

    taken = job_store.transition(job_id(1), claim)

    with pytest.raises(LeaseLostError):
        job_store.transition(job_id(1), heartbeat)
    assert job_store.get([job_id(1)]) == {job_id(1): taken}


def test_whatever_a_move_raises_comes_out_unchanged(job_store: JobStore) -> None:
    (job,) = job_store.submit([make_job(1)])
    bug = ZeroDivisionError("a bug in a move")

    def broken(_: EncodingJob) -> EncodingJob:
        raise bug

    with pytest.raises(ZeroDivisionError) as raised:
        job_store.transition(job_id(1), broken)

    assert raised.value is bug
    assert job_store.get([job_id(1)]) == {job_id(1): job}


def test_a_transition_of_an_unknown_job_is_a_usage_error(job_store: JobStore) -> None:
    with pytest.raises(UsageError, match=job_id(1)):
        job_store.transition(job_id(1), cancel)


def test_i3_transitions_at_the_same_time_do_not_overwrite_each_other(job_store: JobStore) -> None:
    job_store.submit([make_job(1)])
    together = threading.Barrier(4)

    def raise_told() -> None:
        together.wait()
        for _ in range(10):
            job_store.transition(job_id(1), lambda job: moves.told(job, seq=job.told + 1))

    threads = [threading.Thread(target=raise_told) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    job = job_store.get([job_id(1)])[job_id(1)]
    assert (job.told, job.version) == (40, 41)


# --- transition of a job that was read before


def test_a_job_may_be_given_as_it_was_read(job_store: JobStore) -> None:
    (job,) = job_store.submit([make_job(1)])

    written = job_store.transition(job, cancel)

    assert (written.state, written.version) == (JobState.ABANDONED, 2)
    assert job_store.get([job.id]) == {job.id: written}


def test_a_move_of_a_job_that_was_written_since_is_made_of_the_job_as_it_stands(job_store: JobStore) -> None:
    (stale,) = job_store.submit([make_job(1)])
    job_store.transition(stale.id, lambda job: moves.told(job, seq=7))

    written = job_store.transition(stale, cancel)

    assert (written.state, written.told, written.version) == (JobState.ABANDONED, 7, 3)
    assert job_store.get([stale.id]) == {stale.id: written}


def test_what_a_job_was_is_no_reason_to_refuse_a_move_or_to_write_nothing(job_store: JobStore) -> None:
    (stale,) = job_store.submit([make_job(1, state=JobState.ENCODING, lease=make_lease("old"))])
    job_store.transition(stale.id, lambda job: structs.replace(job, lease=make_lease("new")))

    def beat(job: EncodingJob) -> EncodingJob:
        return moves.renewed(job, lease_id="new", until=START + micros(200), progress=None)

    def noted(job: EncodingJob) -> EncodingJob:
        return job if job.version == 1 else moves.told(job, seq=7)

    renewed = job_store.transition(stale, beat)
    told = job_store.transition(stale, noted)

    assert renewed.lease == make_lease("new", until=START + micros(200))
    assert (told.told, told.version) == (7, 4)


def test_a_job_that_was_removed_since_it_was_read_cannot_be_moved(job_store: JobStore) -> None:
    (job,) = job_store.submit([make_job(1)])
    job_store.remove(job)

    with pytest.raises(UsageError, match=job.id):
        job_store.transition(job, cancel)

    assert job_store.get([job.id]) == {}


# --- transitions


def test_many_jobs_are_moved_at_once(job_store: JobStore) -> None:
    jobs = job_store.submit([make_job(number) for number in range(60)])

    written = job_store.transitions([(job, cancel) for job in reversed(jobs)])

    assert numbers(written) == list(range(60))[::-1]
    assert {(job.state, job.version) for job in written} == {(JobState.ABANDONED, 2)}
    assert job_store.get(job.id for job in jobs) == {job.id: job for job in written}


def test_moving_nothing_writes_nothing(job_store: JobStore) -> None:
    assert job_store.transitions([]) == []


def test_of_many_jobs_those_that_cannot_be_moved_are_left_out_and_as_they_are(job_store: JobStore) -> None:
    jobs = job_store.submit([make_job(number) for number in range(5)])
    overtaken = job_store.transition(jobs[1].id, lambda job: moves.told(job, seq=7))
    finished = job_store.transition(jobs[2].id, lambda job: moves.cancelled(job, now=START, by="somebody else"))
    job_store.remove(jobs[3])

    written = job_store.transitions([(job, cancel) for job in jobs])

    assert [(job.id, job.told, job.version) for job in written] == [
        (jobs[0].id, 0, 2),
        (overtaken.id, 7, 3),
        (jobs[4].id, 0, 2),
    ]
    now = job_store.get(job.id for job in jobs)
    assert now == {job.id: job for job in (*written, finished)}


def test_moves_of_one_job_are_made_one_after_the_other(job_store: JobStore) -> None:
    first, second = job_store.submit([make_job(1), make_job(2)])

    def tell(job: EncodingJob) -> EncodingJob:
        return moves.told(job, seq=job.told + 1)

    def retry(job: EncodingJob) -> EncodingJob:
        return moves.retried(job, now=START + micros(90), by="operator")

    steps = [(first, cancel), (second, tell), (first, retry), (first, tell), (second, tell), (first, cancel)]
    written = job_store.transitions(steps)

    assert [(job.state, job.told, job.version) for job in written] == [
        (JobState.ABANDONED, 0, 2),
        (JobState.PENDING, 1, 2),
        (JobState.PENDING, 0, 3),
        (JobState.PENDING, 1, 4),
        (JobState.PENDING, 2, 3),
        (JobState.ABANDONED, 1, 5),
    ]
    assert job_store.get([first.id, second.id]) == {first.id: written[5], second.id: written[4]}


def test_of_many_moves_one_that_changes_nothing_writes_nothing(job_store: JobStore) -> None:
    first, second = job_store.submit([make_job(1), make_job(2)])

    written = job_store.transitions([(first, lambda job: job), (second, cancel)])

    assert [job.version for job in written] == [1, 2]
    assert written[0] == first


# --- remove


def test_remove_takes_the_version_that_was_read(job_store: JobStore) -> None:
    (job,) = job_store.submit([make_job(1)])

    assert job_store.remove(job)
    assert job_store.get([job.id]) == {}
    assert not job_store.remove(job)


def test_remove_leaves_a_job_that_was_written_meanwhile(job_store: JobStore) -> None:
    (job,) = job_store.submit([make_job(1)])
    cancelled = job_store.transition(job.id, cancel)

    assert not job_store.remove(job)
    assert job_store.get([job.id]) == {job.id: cancelled}
