"""Jobs over whose write somebody died between its two steps, which only their side record shows: in which lists."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.moves import cancelled, retried, submitted
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.errors import TimeLimitError, UnreachableError
from nommerctl.ports import Move
from tests import aws_servers
from tests.adapters.aws.simpledb.jobs.deployment import DAY, Deployment
from tests.builders import job_id, make_job
from tests.simpledb.server import Cut
from tests.simpledb_jobs import FARM, SETTINGS


def lists(deployment: Deployment) -> dict[str, list[JobId]]:
    """The lists of a store as another process has it, those that have a job in them."""
    store, later = deployment.store(), deployment.clock() + micros(9 * DAY)
    found: dict[str, Iterator[EncodingJob]] = {
        "unfinished": store.unfinished(),
        "silent": store.silent(in_work_before=later, pending_before=later),
        "finished since": store.finished_since(0),
        "finished before": store.finished_before(later),
        **{state.value: store.in_state(state) for state in JobState},
    }
    return {name: ids for name, jobs in found.items() if (ids := [job.id for job in jobs])}


def cut_in_half(deployment: Deployment, job: JobId, move: Move) -> None:
    deployment.cut_write(2, Cut.BEFORE)
    with pytest.raises(UnreachableError):
        deployment.store().transition(job, move)
    deployment.server.heal()


def cancel(deployment: Deployment) -> Move:
    return partial(cancelled, now=deployment.clock.advance(1), by="ops")


def retry(deployment: Deployment) -> Move:
    return partial(retried, now=deployment.clock.advance(1), by="ops")


@pytest.fixture
def lost_retry(deployment: Deployment) -> JobId:
    """A job whose retry came as far as its side record."""
    job = deployment.submit(notify_url=None)
    deployment.store().transition(job, cancel(deployment))
    cut_in_half(deployment, job, retry(deployment))
    assert deployment.state(job) == "ABANDONED"
    return job


@pytest.fixture
def lost_finish(deployment: Deployment) -> JobId:
    """A job whose worker came as far as its side record when it had finished it."""
    job, store = deployment.submit(notify_url=None), deployment.store()
    for step in (deployment.claim(), deployment.advance(), deployment.advance(JobState.UPLOADING)):
        store.transition(job, step)
    cut_in_half(deployment, job, deployment.finish())
    assert deployment.state(job) == "UPLOADING"
    return job


def test_a_job_is_in_the_lists_that_its_record_belongs_to_and_in_no_others(
    deployment: Deployment, lost_retry: JobId
) -> None:
    assert lists(deployment) == {"unfinished": [lost_retry], "silent": [lost_retry], "PENDING": [lost_retry]}


def test_a_finished_job_is_too(deployment: Deployment, lost_finish: JobId) -> None:
    assert lists(deployment) == {
        "finished since": [lost_finish],
        "finished before": [lost_finish],
        "FINISHED": [lost_finish],
    }


@pytest.mark.parametrize("by", ["unfinished", "silent", "in state"])
def test_what_a_list_has_found_the_next_refresh_completes(
    deployment: Deployment, store: SimpledbJobStore, lost_retry: JobId, by: str
) -> None:
    later = deployment.clock() + micros(9 * DAY)
    read: dict[str, Callable[[], Iterator[EncodingJob]]] = {
        "unfinished": store.unfinished,
        "silent": lambda: store.silent(in_work_before=later, pending_before=later),
        "in state": lambda: store.in_state(JobState.PENDING),
    }
    assert [job.id for job in read[by]()] == [lost_retry]

    store.keep_seen([])

    assert deployment.state(lost_retry) == "PENDING"


def test_a_retry_of_what_an_old_worker_had_made_an_error_unseen_is_found_as_well(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    # given a change that was kept, and one after it that was not
    job = deployment.submit()
    deployment.writes(job, "ENCODING")()
    deployment.refreshed(job)
    deployment.writes(job, "ERROR")()
    cut_in_half(deployment, job, retry(deployment))

    (found,) = store.unfinished()

    assert (found.id, found.state) == (job, JobState.PENDING)


def test_what_old_workers_finished_unseen_is_kept_by_the_next_resync_and_costs_the_later_ones_nothing(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    for number in range(1, 31):
        job = deployment.submit(number, notify_url=None)
        deployment.writes(job, "FINISHED")()
    store.keep_seen(list(store.unfinished()))
    deployment.server.calls.clear()

    assert list(store.unfinished()) == []

    assert deployment.server.calls == {"Select": 2}
    assert {entry.state.value for job in store.finished_since(0) for entry in job.history} == {"PENDING", "FINISHED"}


# --- limits


@pytest.fixture
def up() -> list[str]:
    """Has something when the time of the pass is up."""
    return []


@pytest.fixture
def impatient(deployment: Deployment, up: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpledbJobStore]:
    """The store of a pass that heeds a time limit, but for where the store says that nothing may come in between."""
    unbroken: list[str] = []

    def keep_on() -> None:
        if up and not unbroken:
            msg = "time is up"
            raise TimeLimitError(msg)

    @contextmanager
    def whole() -> Iterator[None]:
        unbroken.append("a write")
        yield
        unbroken.clear()

    for name, value in (aws_servers.CREDENTIALS | {"AWS_ENDPOINT_URL": deployment.server.url}).items():
        monkeypatch.setenv(name, value)
    clients = Clients(keep_on=keep_on)
    yield SimpledbJobStore(clients, FARM, SETTINGS, deployment.clock, unbroken=whole)
    clients.close()


def test_a_limit_that_comes_between_the_two_steps_of_a_move_is_heeded_after_the_second(
    deployment: Deployment, impatient: SimpledbJobStore, up: list[str]
) -> None:
    job = deployment.submit()
    deployment.before_write(1, lambda: up.append("now"))

    impatient.transition(job, cancel(deployment))

    assert deployment.state(job) == "ABANDONED"
    with pytest.raises(TimeLimitError):
        impatient.transition(job, retry(deployment))
    assert deployment.state(job) == "ABANDONED"


def test_so_is_one_between_the_two_steps_of_a_submit(
    deployment: Deployment, impatient: SimpledbJobStore, up: list[str]
) -> None:
    deployment.before_write(1, lambda: up.append("now"))

    impatient.submit([submitted(make_job(1), by="cli")])

    assert [job.id for job in deployment.store().unfinished()] == [job_id(1)]
