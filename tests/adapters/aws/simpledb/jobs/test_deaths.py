"""Writes whose answer is lost, and writers that die between the two steps of a write: what the next one finds."""

from collections.abc import Callable

import pytest

from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.domain.job import JobId
from nommerctl.domain.moves import retried, submitted
from nommerctl.domain.states import JobState
from nommerctl.errors import IllegalMoveError, UnreachableError
from tests.adapters.aws.simpledb.jobs.deployment import DAY, URL, Deployment, course
from tests.builders import job_id, make_job
from tests.simpledb.server import Cut
from tests.simpledb_jobs import SETTINGS

STEPS = pytest.mark.parametrize("step", [1, 2], ids=["side record", "item"])


def dies_at_the_item(deployment: Deployment, act: Callable[[], object]) -> None:
    """Let a process die between the two steps of a write: nothing comes through from there on."""
    deployment.cut_write(2, Cut.BEFORE)
    with pytest.raises(UnreachableError):
        act()
    deployment.server.heal()


def dead_worker(deployment: Deployment) -> JobId:
    """A job whose worker died when it had told its record, and not yet the item, that it has it in hand."""
    job, store, claim = deployment.submit(), deployment.store(), deployment.claim()
    dies_at_the_item(deployment, lambda: store.transition(job, claim))
    return job


# --- lost answers


@STEPS
@pytest.mark.parametrize("times", [1, 2])
def test_a_move_whose_answer_is_lost_is_made_once(
    deployment: Deployment, store: SimpledbJobStore, step: int, times: int
) -> None:
    job = deployment.submit()
    deployment.cut_write(step, Cut.AFTER, times)

    moved = store.transition(job, deployment.claim())

    assert (moved.version, course(moved)) == (2, ["PENDING", "DOWNLOADING"])
    assert deployment.job(job) == moved
    assert deployment.state(job) == "DOWNLOADING"
    assert deployment.said == []


@STEPS
@pytest.mark.parametrize("cut", [Cut.AFTER, Cut.BEFORE], ids=["answer lost", "broken off"])
def test_a_submit_that_gets_no_answer_at_first_stores_the_job_once(
    deployment: Deployment, store: SimpledbJobStore, step: int, cut: Cut
) -> None:
    deployment.cut_write(step, cut, 1)

    (stored,) = store.submit([submitted(make_job(1), by="cli")])

    assert (stored.version, course(stored)) == (1, ["PENDING"])
    assert deployment.job(stored.id) == stored


@STEPS
@pytest.mark.parametrize("code", ["ServiceUnavailable", "InternalError"])
def test_a_move_that_is_refused_for_now_is_made_once(
    deployment: Deployment, store: SimpledbJobStore, step: int, code: str
) -> None:
    job = deployment.submit()
    for _ in range(step - 1):
        deployment.server.meanwhile("PutAttributes", lambda: None)
    deployment.server.fail("PutAttributes", code)

    moved = store.transition(job, deployment.claim())

    assert (deployment.job(job), moved.version) == (moved, 2)


# --- deaths


def test_what_a_worker_died_over_is_as_its_record_says(deployment: Deployment) -> None:
    job = dead_worker(deployment)

    found = deployment.job(job)

    assert (found.state, course(found)) == (JobState.DOWNLOADING, ["PENDING", "DOWNLOADING"])
    assert found.lease is not None
    assert deployment.state(job) == "PENDING", "and the item not yet"


def test_the_next_refresh_completes_it(deployment: Deployment) -> None:
    job = dead_worker(deployment)
    before = deployment.job(job)

    assert deployment.refreshed(job) == before

    assert deployment.state(job) == "DOWNLOADING"
    assert deployment.job(job) == before
    assert deployment.said == []


def test_whoever_moves_it_next_completes_it(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = dead_worker(deployment)

    store.transition(job, deployment.advance())

    assert deployment.state(job) == "ENCODING"
    assert course(deployment.job(job)) == ["PENDING", "DOWNLOADING", "ENCODING"]


def test_another_worker_does_not_get_it_for_the_item_still_says_pending(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = dead_worker(deployment)

    with pytest.raises(IllegalMoveError, match="held by node of lease-1"):
        store.transition(job, deployment.claim("lease-2"))

    assert deployment.state(job) == "DOWNLOADING"


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_finished_job_whose_worker_died_is_not_forgotten(
    deployment: Deployment, store: SimpledbJobStore, *, by_hand: bool
) -> None:
    # given a job that nobody listens to, so that nothing but its record says that it is finished
    job = deployment.submit(notify_url=None)
    for step in (deployment.claim(), deployment.advance(), deployment.advance(JobState.UPLOADING)):
        store.transition(job, step)
    finish = deployment.finish()
    dies_at_the_item(deployment, lambda: store.transition(job, finish))
    assert deployment.state(job) == "UPLOADING"

    # when a resync reads the unfinished jobs, or the message of the job comes to another worker
    if by_hand:
        with pytest.raises(IllegalMoveError, match="it is FINISHED"):
            store.transition(job, deployment.claim("lease-2"))
    else:
        other = deployment.store()
        assert other.keep_seen(list(other.unfinished())) == []

    assert deployment.state(job) == "FINISHED"
    assert [each.id for each in store.finished_since(0)] == [job]


def test_a_retry_that_died_is_found_by_the_next_one(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.produce(job_state="ERROR")
    now = deployment.clock.advance(1)
    dies_at_the_item(deployment, lambda: store.transition(job, lambda each: retried(each, now=now, by="cli")))

    with pytest.raises(IllegalMoveError, match="is PENDING"):
        store.transition(job, lambda each: retried(each, now=now, by="cli"))

    assert deployment.state(job) == "PENDING"
    assert [each.id for each in store.unfinished()] == [job]


def test_a_submit_that_died_has_stored_nothing_and_the_same_once_more_stores_it(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = submitted(make_job(1, notify_url=URL), by="cli")
    dies_at_the_item(deployment, lambda: store.submit([job]))
    assert (store.get([job.id]), list(store.unfinished())) == ({}, [])

    (stored,) = store.submit([job])

    assert deployment.job(job.id) == stored
    assert deployment.state(job.id) == "PENDING"


def test_what_is_left_of_a_submit_that_died_goes_an_hour_later(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = submitted(make_job(1, notify_url=URL), by="cli")
    dies_at_the_item(deployment, lambda: store.submit([job]))

    def refresh() -> None:
        assert list(store.finished_untold()) == []
        store.keep_seen([])

    refresh()
    assert job.id in deployment.side_records
    deployment.clock.advance(3610)
    refresh()
    assert deployment.side_records == {}


def test_of_several_jobs_that_are_submitted_those_before_a_death_are_stored(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    deployment.server.meanwhile("PutAttributes", lambda: None)
    deployment.server.cut("PutAttributes", Cut.BEFORE, 100)

    with pytest.raises(UnreachableError):
        store.submit([make_job(1), make_job(2)])
    deployment.server.heal()
    store.submit([make_job(1), make_job(2)])

    assert [job.id for job in store.unfinished()] == [job_id(1), job_id(2)]


def test_what_an_old_worker_makes_of_a_job_over_which_ours_died_stands(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = dead_worker(deployment)
    deployment.clock.advance(1)
    deployment.write(job, "DOWNLOADING")

    found = deployment.refreshed(job)

    assert (found.node, course(found)) == ("an old worker", ["PENDING", "DOWNLOADING", "DOWNLOADING"])
    with pytest.raises(IllegalMoveError):
        store.transition(job, deployment.claim("lease-2"))
    store.transition(job, deployment.abandon())
    assert deployment.state(job) == "ABANDONED"


def test_a_removal_that_died_is_done_by_the_next_one(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.job(deployment.begun())
    deployment.server.meanwhile("DeleteAttributes", lambda: None)
    deployment.server.cut("DeleteAttributes", Cut.BEFORE, 4)

    with pytest.raises(UnreachableError):
        store.remove(job)
    deployment.server.heal()

    assert store.get([job.id]) == {}
    assert (deployment.server.items(SETTINGS.job_domain), list(deployment.side_records)) == ({}, [job.id])
    assert list(store.finished_untold()) == []
    deployment.clock.advance(DAY)
    store.keep_seen([])
    assert deployment.side_records == {}
