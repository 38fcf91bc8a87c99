"""What media-nommer's own producers and workers do to jobs, as nommerctl reads and keeps it."""

import pytest
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob, Lease, held_without_lease
from nommerctl.domain.limits import AttemptLimits
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import IllegalMoveError, LeaseLostError
from tests.builders import job_id, make_job, make_lease
from tests.fakes.clock import START, FakeClock
from tests.simpledb.server import SimpleDB
from tests.simpledb_jobs import OURS, SETTINGS, OldPrograms

JOB = job_id(1)


def hour(hours: float) -> Instant:
    """An instant of that day."""
    return START + micros((hours - 9) * 3600)


def claim(job: EncodingJob) -> EncodingJob:
    return moves.claimed(job, lease=make_lease(), now=START, limits=AttemptLimits())


def told(job: EncodingJob) -> EncodingJob:
    return moves.told(job, seq=job.history[-1].seq)


def story(job: EncodingJob) -> list[tuple[int, str, Instant, str]]:
    return [(entry.seq, entry.state.value, entry.at, entry.by) for entry in job.history]


def learn(store: SimpledbJobStore) -> EncodingJob:
    """Read the job as refresh does when a message says that it has changed."""
    (job,) = store.keep_seen([*store.get([JOB]).values()])
    return job


def test_a_job_of_an_old_producer_is_one_like_any_other(store: SimpledbJobStore, old: OldPrograms) -> None:
    old.submit(JOB)

    (job,) = store.unfinished()

    assert (job.source, job.dest, job.nommer) == ("s3://films/in.mov", "s3://films/out.mp4", "ffmpeg")
    assert job.options[0].outfile_options == (("threads", 0), ("vcodec", "libx264"), ("an", None))
    assert (job.created, job.changed, job.version) == (hour(8), hour(8), hour(8))
    assert story(job) == [(1, "PENDING", hour(8), "media-nommer")]
    assert [entry.seq for entry in job.untold] == [1]
    assert store.transition(job, claim).state is JobState.DOWNLOADING


def test_times_without_microseconds_are_read(store: SimpledbJobStore, old: OldPrograms) -> None:
    old.submit(JOB, "2026-01-01 08:00:00")

    assert store.get([JOB])[JOB].changed == hour(8)


def test_a_job_that_an_old_worker_has_in_hand_is_nobody_elses(store: SimpledbJobStore, old: OldPrograms) -> None:
    old.submit(JOB)
    old.change(JOB, "ENCODING", "2026-01-01 08:30:00.000001")

    job = store.get([JOB])[JOB]

    assert held_without_lease(job)
    assert job.lease == Lease(id="", owner="an old worker", until=hour(8.5) + 1)
    with pytest.raises(IllegalMoveError, match="held by an old worker"):
        store.transition(job, claim)


def test_each_state_of_an_old_worker_that_was_seen_is_kept_and_told(
    store: SimpledbJobStore, other: SimpledbJobStore, old: OldPrograms
) -> None:
    old.submit(JOB)
    versions = [learn(store).version]
    for number, state in enumerate(["DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"], start=1):
        old.change(JOB, state, f"2026-01-01 08:00:0{number}.000000", f"details {number}")
        versions.append(learn(store).version)

    job = other.get([JOB])[JOB]

    assert [state for _, state, _, _ in story(job)] == ["PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"]
    assert [entry.details for entry in job.untold] == [None, "details 1", "details 2", "details 3", "details 4"]
    assert versions == sorted(set(versions))
    assert list(other.finished_untold()) == [job]

    done = other.transition(job, told)

    assert done.version == job.version + 1
    assert store.get([JOB]) == {JOB: done}
    assert list(store.finished_untold()) == []


def test_to_keep_again_what_was_kept_changes_nothing(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB, old: OldPrograms
) -> None:
    old.submit(JOB)
    first, second = [*store.unfinished()], [*other.unfinished()]
    store.keep_seen(first)
    before = server.items(OURS)

    other.keep_seen(second)
    store.keep_seen(first)

    assert server.items(OURS) == before
    assert len(store.get([JOB])[JOB].history) == 1


def test_the_history_goes_on_where_ours_ended(store: SimpledbJobStore, server: SimpleDB, old: OldPrograms) -> None:
    ours = moves.submitted(make_job(1, client_id="clip-1", notify_url="http://listener.example/"), by="submit")
    store.submit([ours])
    store.transition(JOB, told)
    old.change(JOB, "DOWNLOADING", "2026-01-01 09:00:05.000000")
    learn(store)
    old.change(JOB, "ERROR", "2026-01-01 09:00:06.000000", "no such file")

    job = learn(store)

    assert [state for _, state, _, _ in story(job)] == ["PENDING", "DOWNLOADING", "ERROR"]
    assert [entry.seq for entry in job.untold] == [2, 3]
    assert (job.client_id, job.created, job.version) == ("clip-1", ours.created, 4)
    again = store.transition(job, lambda job: moves.retried(job, now=hour(10), by="operator"))
    assert [state for _, state, _, _ in story(again)] == ["PENDING", "DOWNLOADING", "ERROR", "PENDING"]
    assert "seen" not in server.items(OURS)[JOB]
    assert store.get([JOB]) == {JOB: again}


def test_a_finished_job_that_was_never_heard_of_was_told_by_media_nommer(
    store: SimpledbJobStore, old: OldPrograms
) -> None:
    old.submit(JOB)
    old.change(JOB, "FINISHED", "2026-01-01 08:30:00.000000")

    (job,) = store.finished_since(0)

    assert not job.open
    assert list(store.finished_untold()) == []
    assert list(store.finished_before(hour(9))) == [job]


def test_a_finished_job_of_which_a_message_says_that_it_changed_is_told(
    store: SimpledbJobStore, other: SimpledbJobStore, old: OldPrograms
) -> None:
    old.submit(JOB)
    old.change(JOB, "FINISHED", "2026-01-01 08:30:00.000000")

    job = learn(store)

    assert [entry.state for entry in job.untold] == [JobState.FINISHED]
    assert list(other.finished_untold()) == [job]


def test_nothing_is_kept_of_new_jobs_to_which_nobody_listens(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms
) -> None:
    old.submit(JOB, overrides={"notify_url": None})

    learn(store)

    assert OURS not in server.domains


def test_many_changes_by_others_do_not_fill_the_side_record(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms
) -> None:
    old.submit(JOB)
    versions = [learn(store).version]
    for number in range(60):
        state = ("ERROR", "PENDING")[number % 2]
        old.change(JOB, state, f"2026-01-01 08:00:00.{number + 1:06}", "ü\n" * 300)
        versions.append(learn(store).version)

    job = store.get([JOB])[JOB]

    assert len(job.history) == 61
    assert versions == sorted(set(versions))
    assert len(server.items(OURS)[JOB].get("seen", set())) < 25


def test_an_old_worker_that_writes_over_a_lease_is_reported_and_its_holder_stops(
    store: SimpledbJobStore, old: OldPrograms, reports: list[str]
) -> None:
    store.submit([make_job(1)])
    store.transition(JOB, claim)
    old.change(JOB, "ENCODING", "2026-01-01 09:00:05.000000")

    learn(store)

    assert reports == [
        f"job {JOB} was made ENCODING by an old program, over nommerctl's DOWNLOADING: what that wrote stands"
    ]
    with pytest.raises(LeaseLostError):
        store.transition(JOB, lambda job: moves.renewed(job, lease_id="lease-1", until=hour(10), progress=None))


@pytest.mark.parametrize("written", ["state", "nothing"])
def test_a_state_that_is_written_without_a_time_is_noticed(
    store: SimpledbJobStore, server: SimpleDB, written: str
) -> None:
    store.submit([make_job(1)])
    if written == "state":
        store.transition(JOB, claim)
    store.transition(JOB, told_once)

    server.put(SETTINGS.job_domain, JOB, {"job_state": "FINISHED"})

    job = store.get([JOB])[JOB]
    assert (job.state, job.history[-1].by) == (JobState.FINISHED, "media-nommer")


def test_abandon_writes_over_a_silent_old_worker(store: SimpledbJobStore, server: SimpleDB, old: OldPrograms) -> None:
    old.submit(JOB)
    old.change(JOB, "ENCODING", "2026-01-01 08:30:00.000001")

    gone = store.transition(JOB, lambda job: moves.cancelled(job, now=hour(10), by="operator"))

    assert (gone.state, gone.lease) == (JobState.ABANDONED, None)
    assert server.items(SETTINGS.job_domain)[JOB]["job_state"] == {"ABANDONED"}
    assert store.get([JOB]) == {JOB: gone}


def test_a_side_record_whose_item_somebody_removed_is_removed_too(
    store: SimpledbJobStore, server: SimpleDB, clock: FakeClock
) -> None:
    store.submit([make_job(number, notify_url="https://listener.example/") for number in (1, 2)])
    store.transition(JOB, told_once)
    server.delete(SETTINGS.job_domain, JOB)
    clock.advance(2 * 3600)

    assert list(store.finished_untold()) == []
    store.keep_seen([])

    assert server.items(OURS).keys() == {job_id(2)}
    assert [job.id for job in store.unfinished()] == [job_id(2)]


def told_once(job: EncodingJob) -> EncodingJob:
    return moves.told(job, seq=job.told + 1)


def test_a_job_in_the_lists_of_one_day_or_the_next(store: SimpledbJobStore, old: OldPrograms, clock: FakeClock) -> None:
    clock.advance(4 * 24 * 3600)
    for number in range(4):
        old.submit(job_id(number), f"2026-01-0{number + 1} 08:00:00")
        old.change(job_id(number), "FINISHED", f"2026-01-0{number + 1} 08:00:00")
    third = START + micros(2 * 24 * 3600 - 3600)

    assert [job.id for job in store.finished_since(third)] == [job_id(2), job_id(3)]
    assert [job.id for job in store.finished_before(third)] == [job_id(0), job_id(1)]


def test_the_hour_that_comes_twice_is_the_later_one_that_has_come(server: SimpleDB, clients: Clients) -> None:
    clock = FakeClock(1_793_511_000_000_000)  # 2026-11-01T05:30:00Z: 01:30 in New York, for the first time
    settings = structs.replace(SETTINGS, old_zone="America/New_York")
    store = SimpledbJobStore(clients, "test", settings, clock)
    OldPrograms(server).submit(JOB, "2026-11-01 01:20:00.000000")

    first = store.get([JOB])[JOB].changed
    store.keep_seen([*store.get([JOB]).values()])
    clock.advance(3600)

    assert first == clock() - micros(70 * 60)
    kept = store.get([JOB])[JOB]
    assert (kept.changed, len(kept.history)) == (first, 1)
    OldPrograms(server).submit(job_id(2), "2026-11-01 01:20:00.000000")
    assert store.get([job_id(2)])[job_id(2)].changed == clock() - micros(10 * 60)


def test_a_time_of_the_hour_that_comes_twice_is_in_the_lists_that_it_belongs_in(
    server: SimpleDB, clients: Clients
) -> None:
    clock = FakeClock(1_793_513_400_000_000)  # 2026-11-01T06:10:00Z: 01:10 in New York, for the second time
    settings = structs.replace(SETTINGS, old_zone="America/New_York")
    store = SimpledbJobStore(clients, "test", settings, clock)
    OldPrograms(server).submit(JOB, "2026-11-01 01:40:00.000000")  # for the first time, half an hour ago
    soon = clock() - micros(5 * 60)

    assert [job.id for job in store.silent(in_work_before=soon, pending_before=soon)] == [JOB]


def test_our_own_times_are_right_in_any_zone_and_hour(server: SimpleDB, clients: Clients) -> None:
    settings = structs.replace(SETTINGS, old_zone="Asia/Kolkata")
    store = SimpledbJobStore(clients, "test", settings, FakeClock())

    (job,) = store.submit([make_job(1, created=START, changed=START)])

    assert server.items(SETTINGS.job_domain)[JOB]["creation_dtime"] == {"2026-01-01 14:30:00.000000"}
    assert store.get([JOB]) == {JOB: job}
