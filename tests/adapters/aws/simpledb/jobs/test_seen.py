"""What others did to jobs, kept before it is told: an item shows its last change alone."""

import random
from functools import partial
from itertools import pairwise

import pytest
from msgspec import structs

from nommerctl.adapters.aws.simpledb.job_store import KEPT_APART, SimpledbJobStore
from nommerctl.domain.batches import batches
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.moves import told
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.errors import LeaseLostError
from tests.adapters.aws.simpledb.jobs.deployment import DAY, URL, Deployment, course
from tests.simpledb_jobs import SETTINGS

LIFE = ("DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED")
WRITES = {"PutAttributes", "BatchPutAttributes", "DeleteAttributes"}


def writes(deployment: Deployment) -> int:
    """How many requests have written something."""
    return sum(count for operation, count in deployment.server.calls.items() if operation in WRITES)


def old_life(deployment: Deployment, job: JobId) -> list[EncodingJob]:
    """What refreshes by processes of their own see of a job that an old worker takes to its end."""
    seen = [deployment.refreshed(job)]
    for state in LIFE:
        deployment.clock.advance(60)
        deployment.write(job, state)
        seen += [deployment.refreshed(job), deployment.refreshed(job)]
    return seen


@pytest.mark.parametrize("ours", [False, True])
def test_each_state_that_was_seen_is_told_in_order_though_nobody_listened_meanwhile(
    deployment: Deployment, *, ours: bool
) -> None:
    job = deployment.submit() if ours else deployment.produce(notify_url=URL)

    found = old_life(deployment, job)[-1]

    assert (course(found), found.told) == (["PENDING", *LIFE], 0)
    assert [entry.state.value for entry in found.untold] == ["PENDING", *LIFE]
    assert {entry.by for entry in found.history[1:]} == {"media-nommer"}
    assert [entry.at for entry in found.history] == sorted(entry.at for entry in found.history)
    assert [each.id for each in deployment.store().finished_untold()] == [job]


@pytest.mark.parametrize("ours", [False, True])
def test_a_version_only_rises_and_by_changes_alone(deployment: Deployment, *, ours: bool) -> None:
    job = deployment.submit() if ours else deployment.produce(notify_url=URL)

    versions = [each.version for each in old_life(deployment, job)]

    assert [first == again for first, again in batches(versions[1:], 2)] == [True] * 4
    assert all(before < after for before, after in pairwise(versions[::2]))


def test_to_keep_a_change_again_changes_nothing(deployment: Deployment) -> None:
    job = deployment.produce(notify_url=URL)
    stores = [deployment.store() for _ in range(3)]
    deployment.write(job, "ENCODING", "at it")
    read = [list(store.get([job]).values()) for store in stores]

    kept = [store.keep_seen(jobs) for store, jobs in zip(stores, read, strict=True)]
    before = deployment.side_records
    again = deployment.refreshed(job)

    assert deployment.side_records == before
    assert [*kept, [again]] == [read[0]] * 4
    assert course(again) == ["ENCODING"]


def test_what_is_kept_already_costs_no_write(deployment: Deployment) -> None:
    job = deployment.produce(notify_url=URL)
    deployment.refreshed(job)
    before = writes(deployment)

    deployment.refreshed(job)

    assert writes(deployment) == before


def test_jobs_seen_for_the_first_time_that_nobody_listens_to_cost_nothing(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    jobs = [deployment.produce() for _ in range(30)]
    before = writes(deployment)

    assert {job.id for job in store.keep_seen(list(store.unfinished()))} == set(jobs)

    assert (writes(deployment), deployment.side_records) == (before, {})


def test_changes_of_twenty_five_jobs_are_kept_by_one_request(deployment: Deployment, store: SimpledbJobStore) -> None:
    for _ in range(50):
        deployment.produce(notify_url=URL)
    before = writes(deployment)

    store.keep_seen(list(store.unfinished()))

    assert writes(deployment) == before + 2
    assert len(deployment.side_records) == 50


def test_many_changes_are_written_into_the_record(deployment: Deployment) -> None:
    job = deployment.produce(notify_url=URL)
    random.seed(1)
    states, versions, apart = [], [], []
    for _ in range(3 * KEPT_APART):
        states.append(random.choice(LIFE[:3]))  # noqa: S311 - it keeps no secret
        deployment.clock.advance(1)
        deployment.write(job, states[-1], f"step {len(states)}")
        versions.append(deployment.refreshed(job).version)
        apart.append(len(deployment.side_records[job].get("seen", ())))

    found = deployment.job(job)
    assert course(found) == states
    assert [entry.details for entry in found.history] == [f"step {number}" for number in range(1, len(states) + 1)]
    assert max(apart) <= KEPT_APART + 1
    assert len(deployment.side_records[job]["seen"]) < KEPT_APART
    assert all(before < after for before, after in pairwise(versions))


def test_what_was_told_of_it_is_written_with_what_was_seen(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.produce(notify_url=URL)
    found = old_life(deployment, job)[-1]

    for entry in found.untold:
        store.transition(job, partial(told, seq=entry.seq))

    assert (course(deployment.job(job)), deployment.job(job).untold) == (["PENDING", *LIFE], ())
    assert "seen" not in deployment.side_records[job]
    assert list(store.finished_untold()) == []
    assert deployment.state(job) == "FINISHED"


def test_what_cannot_be_taken_away_is_passed_over(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.produce(notify_url=URL)
    old_life(deployment, job)
    deployment.server.fail("DeleteAttributes", times=4)

    moved = store.transition(job, lambda each: told(each, seq=5))

    assert len(deployment.side_records[job]["seen"]) == 5
    assert deployment.job(job) == moved


# --- details


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f3ac", '"', "\x1b", "\\"])
def test_long_details_of_an_old_worker_are_kept_by_their_end(deployment: Deployment, letter: str) -> None:
    job = deployment.produce(notify_url=URL)
    details = (letter * 1023).encode()[-1000:].decode(errors="ignore") + "at the end"
    deployment.write(job, "ERROR", details)
    deployment.refreshed(job)
    deployment.clock.advance(1)
    deployment.write(job, "PENDING")

    found = deployment.refreshed(job)

    kept = found.history[0].details
    assert kept is not None
    assert (details.endswith(kept), kept[-10:]) == (True, "at the end")


# --- what was finished before we came


def test_what_was_finished_before_we_came_is_not_told_again(deployment: Deployment, store: SimpledbJobStore) -> None:
    deployment.produce(job_state="FINISHED", notify_url=URL)

    (found,) = store.finished_since(0)

    assert (found.untold, course(found)) == ((), ["FINISHED"])
    assert (list(store.finished_untold()), deployment.side_records) == ([], {})


def test_what_is_said_to_have_finished_just_now_is_told(deployment: Deployment) -> None:
    job = deployment.produce(job_state="FINISHED", notify_url=URL)

    assert [entry.state for entry in deployment.refreshed(job).untold] == [JobState.FINISHED]

    assert [entry.state for entry in deployment.job(job).untold] == [JobState.FINISHED]
    assert [each.id for each in deployment.store().finished_untold()] == [job]


def test_old_workers_that_finish_jobs_that_nobody_listens_to_do_not_make_every_later_resync_dearer(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    for number in range(1, 31):
        job = deployment.submit(number, notify_url=None)
        deployment.clock.advance(1)
        deployment.write(job, "FINISHED")
        deployment.refreshed(job)
    deployment.server.calls.clear()

    assert list(store.finished_untold()) == list(store.unfinished()) == []

    assert deployment.server.calls == {"Select": 4}


# --- over what we had finished


def test_a_job_of_ours_that_an_old_worker_writes_over_after_its_end_is_shown_told_and_said(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    # given: ours took the job over from an old worker that was given up too early, and finished it
    job = deployment.begun()
    for step in (deployment.advance(), deployment.advance(JobState.UPLOADING), deployment.finish()):
        store.transition(job, step)
    store.transition(job, lambda each: told(each, seq=5))
    assert deployment.job(job).state is JobState.FINISHED

    # when that one goes on
    deployment.clock.advance(60)
    deployment.write(job, "UPLOADING")
    found = [deployment.refreshed(job) for _ in range(3)][-1]

    # then
    assert (found.state, found.node) == (JobState.UPLOADING, "an old worker")
    assert course(found) == ["PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED", "UPLOADING"]
    assert [entry.state for entry in found.untold] == [JobState.UPLOADING]
    assert [each.id for each in store.unfinished()] == [job]
    assert deployment.said == [
        f"job {job} was made UPLOADING by an old program, over nommerctl's FINISHED: what that wrote stands"
    ]
    # and whichever way it ends
    deployment.clock.advance(60)
    deployment.write(job, "FINISHED")
    assert course(deployment.refreshed(job))[-2:] == ["UPLOADING", "FINISHED"]
    assert len(deployment.said) == 1


def test_a_job_that_an_old_program_finished_itself_is_not_said_to_be_written_over(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    # given: its end was told by us, which is in our record
    job = deployment.produce(notify_url=URL)
    found = old_life(deployment, job)[-1]
    store.transition(job, lambda each: told(each, seq=len(found.history)))

    deployment.clock.advance(60)
    deployment.write(job, "PENDING")

    assert deployment.refreshed(job).state is JobState.PENDING
    assert deployment.said == []


def test_if_that_one_is_never_heard_of_again_the_job_is_given_up_in_the_end(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = deployment.begun()
    for step in (deployment.advance(), deployment.advance(JobState.UPLOADING), deployment.finish()):
        store.transition(job, step)
    deployment.write(job, "UPLOADING", at=deployment.clock.advance(60))
    later = deployment.clock.now + micros(DAY)

    assert [each.id for each in store.silent(in_work_before=later, pending_before=later)] == [job]
    with pytest.raises(LeaseLostError):
        store.transition(job, deployment.finish())
    store.transition(job, deployment.abandon())

    assert deployment.state(job) == "ABANDONED"


def test_an_old_worker_that_only_repeats_the_end_of_a_job_changes_its_time_alone(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = deployment.produce(job_state="FINISHED", notify_url=URL)
    deployment.refreshed(job)
    store.transition(job, lambda each: structs.replace(each, told=1))
    item = deployment.item(job)

    deployment.server.put(SETTINGS.job_domain, job, item)

    assert deployment.job(job).untold == ()
