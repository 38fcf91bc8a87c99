"""Old programs write without any condition, and others of ours at any time: who wins, and what is said of it.

A write of ours has two steps, the side record and the item; what comes in between is played exactly there.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from msgspec import structs

from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.moves import submitted
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.errors import IllegalMoveError, LeaseLostError, TryAgainError, UsageError
from tests.adapters.aws.simpledb.jobs.deployment import DAY, PUT, Deployment, course
from tests.builders import job_id, make_job
from tests.simpledb.server import Cut
from tests.simpledb_jobs import SETTINGS

TWO_STEPS = pytest.mark.parametrize("write", [1, 2], ids=["between read and write", "between side and item"])


# --- with old programs


@TWO_STEPS
def test_what_an_old_worker_finishes_at_that_moment_is_not_abandoned(
    deployment: Deployment, store: SimpledbJobStore, write: int
) -> None:
    job = deployment.produce(job_state="UPLOADING")
    deployment.before_write(write, deployment.writes(job, "FINISHED"))

    with pytest.raises(IllegalMoveError, match="is FINISHED and shows life: not abandoned"):
        store.transition(job, deployment.abandon())

    assert (deployment.state(job), deployment.job(job).state) == ("FINISHED", JobState.FINISHED)
    (said,) = deployment.said
    assert said == (
        f"job {job} was made FINISHED by an old program while nommerctl made it ABANDONED from UPLOADING: what that"
        " wrote stands"
    )


@TWO_STEPS
def test_a_job_that_an_old_worker_takes_at_that_moment_is_its_own(
    deployment: Deployment, store: SimpledbJobStore, write: int
) -> None:
    job = deployment.submit()
    deployment.before_write(write, deployment.writes(job, "DOWNLOADING"))

    with pytest.raises(IllegalMoveError, match="held by an old worker"):
        store.transition(job, deployment.claim())

    assert (deployment.state(job), deployment.job(job).node) == ("DOWNLOADING", "an old worker")
    assert len(deployment.said) == 1


def test_a_job_that_an_old_worker_takes_from_ours_is_lost_to_ours_and_that_is_said_once(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = deployment.begun()
    deployment.clock.advance(1)
    deployment.write(job, "DOWNLOADING")

    for step in (deployment.advance(), deployment.finish()):
        with pytest.raises(LeaseLostError):
            store.transition(job, step)
    for _ in range(3):
        deployment.refreshed(job)

    assert deployment.state(job) == "DOWNLOADING"
    assert deployment.said == [
        f"job {job} was made DOWNLOADING by an old program, over nommerctl's DOWNLOADING: what that wrote stands"
    ]


def test_a_move_that_is_as_right_over_what_an_old_worker_wrote_is_made_of_that(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = deployment.produce(job_state="DOWNLOADING")
    deployment.before_write(2, lambda: deployment.write(job, "ENCODING", at=deployment.clock() - micros(DAY / 2 + 1)))

    moved = store.transition(job, deployment.abandon())

    assert moved == deployment.job(job)
    assert (moved.state, deployment.state(job)) == (JobState.ABANDONED, "ABANDONED")
    assert moved.details is not None
    assert moved.details.endswith("in ENCODING")
    assert course(moved) == ["DOWNLOADING", "ABANDONED", "ENCODING", "ABANDONED"]


@pytest.mark.parametrize("write", [1, 2])
def test_an_old_worker_that_writes_in_the_very_microsecond_is_told_from_us(
    deployment: Deployment, store: SimpledbJobStore, write: int
) -> None:
    job = deployment.produce(job_state="UPLOADING")
    move = deployment.abandon()
    deployment.before_write(write, lambda: deployment.write(job, "FINISHED", at=deployment.clock()))

    with pytest.raises(IllegalMoveError):
        store.transition(job, move)

    assert deployment.item(job)["last_modified_dtime"] == deployment.old.now()
    assert (deployment.state(job), deployment.job(job).state) == ("FINISHED", JobState.FINISHED)
    assert len(deployment.said) == 1


@pytest.mark.parametrize("renewed", [False, True])
def test_one_that_writes_in_the_microsecond_of_our_claim_but_later_has_the_job(
    deployment: Deployment, store: SimpledbJobStore, *, renewed: bool
) -> None:
    job = deployment.begun()
    if renewed:
        store.transition(job, lambda current: structs.replace(current, told=1))
    deployment.write(job, "FINISHED")

    found = deployment.refreshed(job)

    assert (found.state, course(found)) == (JobState.FINISHED, ["PENDING", "DOWNLOADING", "FINISHED"])
    with pytest.raises(LeaseLostError):
        store.transition(job, deployment.advance())


def test_our_own_changes_of_one_microsecond_are_told_apart(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.begun()
    fences = [deployment.item(job)["last_modified_dtime"]]

    for to in (JobState.ENCODING, JobState.UPLOADING):
        step = deployment.advance(to)
        deployment.clock.advance(-1)
        store.transition(job, step)
        fences.append(deployment.item(job)["last_modified_dtime"])
        assert deployment.job(job).state is to

    assert all(before != after for before, after in pairwise(fences))


# --- with others of ours


def test_of_two_workers_that_claim_a_job_at_once_one_has_it(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.produce()
    theirs, other = deployment.claim("lease-2"), deployment.store()
    deployment.before_write(1, lambda: _made(other, job, theirs))

    with pytest.raises(IllegalMoveError, match="cannot be claimed: it is held by node of lease-2"):
        store.transition(job, deployment.claim("lease-1"))

    found = deployment.job(job)
    assert (found.lease and found.lease.id, found.attempt, course(found)) == ("lease-2", 1, ["PENDING", "DOWNLOADING"])
    assert deployment.said == []


def test_whoever_finds_a_write_of_another_half_done_completes_it_first(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    # given: between our two steps another one, who may take jobs over, comes and claims
    job = deployment.produce()
    first = deployment.claim("lease-1", seconds=0.5)
    other = deployment.store()
    deployment.before_write(2, lambda: _made(other, job, deployment.claim("lease-2")))

    mine = store.transition(job, first)

    found = deployment.job(job)
    assert (mine.attempt, found.attempt) == (1, 2)
    assert (found.lease and found.lease.id, course(found)) == ("lease-2", ["PENDING", "DOWNLOADING", "DOWNLOADING"])
    assert deployment.state(job) == "DOWNLOADING"
    assert deployment.said == []
    with pytest.raises(LeaseLostError):
        store.transition(job, deployment.advance(name="lease-1"))


def test_of_eight_that_claim_eight_jobs_at_once_each_job_goes_to_one(deployment: Deployment) -> None:
    jobs = [deployment.submit(number) for number in range(1, 9)]
    claims = [(name, deployment.claim(name)) for name in (f"lease-{number}" for number in range(8))]

    def all_of_them(claim: tuple[str, Callable[[EncodingJob], EncodingJob]]) -> list[JobId]:
        had = []
        own = deployment.store()
        for job in jobs:
            try:
                own.transition(job, claim[1])
            except IllegalMoveError:
                continue
            had.append(job)
        return had

    with ThreadPoolExecutor(8) as pool:
        had = list(pool.map(all_of_them, claims))

    assert sorted(job for each in had for job in each) == jobs
    for (name, _), theirs in zip(claims, had, strict=True):
        for job in theirs:
            found = deployment.job(job)
            assert (found.lease and found.lease.id, found.attempt) == (name, 1)
    assert deployment.said == []


def test_of_two_that_submit_one_job_at_once_both_get_what_stands(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    mine = submitted(make_job(1, client_id="same"), by="mine")
    theirs = submitted(make_job(1, client_id="same"), by="theirs")
    stood: list[EncodingJob] = []
    deployment.before_write(1, lambda: stood.extend(deployment.store().submit([theirs])))

    assert store.submit([mine]) == stood == [deployment.job(mine.id)]
    assert stood[0].history[0].by == "theirs"


def test_a_job_whose_id_an_old_producer_takes_at_that_moment_is_the_producers(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    item = {"job_state": "PENDING", "source_path": "s3://theirs", "last_modified_dtime": deployment.old.now()}
    deployment.before_write(
        2, lambda: deployment.server.put(SETTINGS.job_domain, job_id(1), {"unique_id": job_id(1), **item})
    )

    (found,) = store.submit([make_job(1)])

    assert (found.source, deployment.item(job_id(1))["source_path"]) == ("s3://theirs", "s3://theirs")


# --- items that vanish


@TWO_STEPS
def test_a_job_that_vanishes_under_a_move_is_no_job_any_more_and_leaves_nothing_behind(
    deployment: Deployment, store: SimpledbJobStore, write: int
) -> None:
    job = deployment.submit()
    deployment.before_write(write, lambda: deployment.server.delete(SETTINGS.job_domain, job))

    with pytest.raises(UsageError, match=f"no job {job} in the store"):
        store.transition(job, deployment.claim())

    assert (deployment.server.items(SETTINGS.job_domain), deployment.side_records) == ({}, {})


def test_one_that_vanishes_among_many_takes_none_along(deployment: Deployment, store: SimpledbJobStore) -> None:
    jobs = [deployment.submit(number) for number in range(1, 4)]
    read = list(store.unfinished())
    deployment.server.delete(SETTINGS.job_domain, jobs[1])

    claim = deployment.claim()
    moved = store.transitions([(job, claim) for job in read])

    assert [job.id for job in moved] == [jobs[0], jobs[2]]


def test_what_is_left_of_a_job_that_somebody_deleted_goes_with_the_next_refresh(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    gone, stays = deployment.submit(1), deployment.submit(2)
    deployment.server.delete(SETTINGS.job_domain, gone)
    deployment.clock.advance(3601)

    assert list(store.finished_untold()) == []
    store.keep_seen(list(store.unfinished()))

    assert list(deployment.side_records) == [stays]


def test_what_is_left_of_a_finished_job_goes_when_another_is_removed(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    # given two jobs that nobody listens to, of which one was removed by somebody who died over it
    for number in (1, 2):
        deployment.submit(number, notify_url=None)
        for step in (deployment.claim(), deployment.advance(), deployment.advance(JobState.UPLOADING)):
            store.transition(job_id(number), step)
        store.transition(job_id(number), deployment.finish())
    deployment.server.delete(SETTINGS.job_domain, job_id(1))

    (old,) = store.finished_before(deployment.clock.advance(3601))
    assert (old.id, store.remove(old)) == (job_id(2), True)

    assert deployment.side_records == {}


def test_what_is_just_being_submitted_is_not_taken_for_what_is_left(deployment: Deployment) -> None:
    other = deployment.store()

    def refresh() -> None:
        assert list(other.finished_untold()) == []
        other.keep_seen([])

    deployment.before_write(2, refresh)
    job = deployment.submit()

    assert job in deployment.side_records
    assert deployment.job(job).history[0].by == "cli"


# --- removal


def finished_job(deployment: Deployment) -> EncodingJob:
    """A job that an old worker finished, as it is read."""
    return deployment.job(deployment.produce(job_state="FINISHED"))


def test_a_job_that_an_old_worker_writes_while_it_is_removed_stays(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = finished_job(deployment)
    deployment.server.meanwhile("DeleteAttributes", deployment.writes(job.id, "UPLOADING"))

    assert not store.remove(job)

    assert deployment.job(job.id).state is JobState.UPLOADING


def test_a_job_that_was_written_since_it_was_read_is_not_removed(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = deployment.job(deployment.submit())
    store.transition(job, deployment.claim())

    assert not store.remove(job)
    assert deployment.job(job.id).state is JobState.DOWNLOADING


@pytest.mark.parametrize("cut", [Cut.AFTER, Cut.BEFORE])
def test_a_removal_without_an_answer_is_one(deployment: Deployment, store: SimpledbJobStore, cut: Cut) -> None:
    job = deployment.job(deployment.begun())
    deployment.server.cut("DeleteAttributes", cut)

    assert store.remove(job)

    assert (deployment.server.items(SETTINGS.job_domain), deployment.side_records) == ({}, {})


def test_of_two_that_remove_a_job_neither_fails(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.job(deployment.begun())
    deployment.server.meanwhile("DeleteAttributes", lambda: _removed(deployment.store(), job))

    assert store.remove(job)
    assert not store.remove(job)


def _removed(store: SimpledbJobStore, job: EncodingJob) -> None:
    assert store.remove(job)


def _made(store: SimpledbJobStore, job: JobId, move: Callable[[EncodingJob], EncodingJob]) -> None:
    store.transition(job, move)


def test_a_move_gives_up_on_a_job_that_others_write_all_the_time(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = deployment.submit()
    other = deployment.store()

    def renewed() -> None:
        deployment.server.meanwhile(PUT, lambda: None)
        other.transition(job, lambda current: structs.replace(current, told=1))
        deployment.server.meanwhile(PUT, renewed)

    deployment.server.meanwhile(PUT, renewed)

    with pytest.raises(TryAgainError, match=f"job {job} is being written by others all the time: try again"):
        store.transition(job, deployment.claim())
