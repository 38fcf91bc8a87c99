"""Items that somebody wrote badly: shown with what is wrong, in every list they belong to, and they stop nobody."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct

from nommerctl.adapters.aws.simpledb.job_reads import SimpledbJobReads
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.adapters.local.files import FileStorage
from nommerctl.domain.config import WorkerSettings
from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.moves import cancelled
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import IllegalMoveError
from nommerctl.worker.ports import WorkerPorts
from nommerctl.worker.presence import Identity
from nommerctl.worker.worker import Worker
from tests.adapters.aws.simpledb.jobs.deployment import DAY, Deployment
from tests.fakes.clock import START, FakeClock
from tests.fakes.ledger import FakeLedger
from tests.fakes.queue import FakeQueue
from tests.simpledb_jobs import FARM, OURS, SETTINGS
from tests.worker.bench import CopyNommer


class Bad(Struct, frozen=True):
    """What is wrong with an item: attributes that it has instead (None: it lacks them), and what is said of it."""

    written: dict[str, str | list[str] | None]
    fault: str


NO_PASSES = "its job_options cannot be used: options must be a list of one pass, or of 2 for a two-pass encode"

BAD = {
    "control characters": Bad({"job_options": "\x1b[2J"}, "its job_options are no JSON"),
    "options no JSON": Bad({"job_options": "[{'not': 'json'}]"}, "its job_options are no JSON"),
    "options too deep": Bad({"job_options": "[" * 1024}, "its job_options are no JSON"),
    "options no list": Bad({"job_options": '{"preset": 1}'}, NO_PASSES),
    "options no passes": Bad({"job_options": "[]"}, NO_PASSES),
    "options three passes": Bad({"job_options": "[{}, {}, {}]"}, NO_PASSES),
    "text None": Bad({"source_path": "None"}, "its item has no source_path"),
    "options None": Bad({"job_options": "None"}, "its item has no job_options"),
    "missing source": Bad({"source_path": None}, "its item has no source_path"),
    "missing destination": Bad({"dest_path": None}, "its item has no dest_path"),
    "missing nommer": Bad({"nommer": None}, "its item has no nommer"),
    "missing options": Bad({"job_options": None}, "its item has no job_options"),
    "missing id": Bad({"unique_id": None}, "its item has no unique_id"),
    "missing creation": Bad({"creation_dtime": None}, "its item has no creation_dtime"),
    "missing change": Bad({"last_modified_dtime": None}, "its item has no last_modified_dtime"),
    "no time of a change": Bad({"last_modified_dtime": "soon"}, "its last_modified_dtime 'soon' is no time"),
    "no such day": Bad(
        {"last_modified_dtime": "2025-13-01 00:00:00.000000"},
        "its last_modified_dtime '2025-13-01 00:00:00.000000' is no time",
    ),
    "far in the future": Bad(
        {"last_modified_dtime": "9999-12-31 00:00:00.000000"}, "its last_modified_dtime is in the future"
    ),
    "created in the future": Bad({"creation_dtime": "2099-01-03 09:00:00"}, "its creation_dtime is in the future"),
    "no time of creation": Bad({"creation_dtime": "yesterday"}, "its creation_dtime 'yesterday' is no time"),
    "two sources": Bad({"source_path": ["s3://a/1", "s3://a/2"]}, "its item has 2 values of source_path"),
    "two times": Bad(
        {"last_modified_dtime": ["2026-01-01 09:00:00.000000", "2026-01-01 09:00:01.000000"]},
        "its item has 2 values of last_modified_dtime",
    ),
}
"""Of jobs that a worker may take."""

UNKNOWN = {
    "unknown state": Bad({"job_state": "RESTING"}, "its state 'RESTING' is unknown"),
    "text None for a state": Bad({"job_state": "None"}, "its item has no job_state"),
    "two states": Bad({"job_state": ["ENCODING", "FINISHED"]}, "its item has 2 values of job_state"),
    "missing state": Bad({"job_state": None}, "its item has no job_state"),
}
"""Of jobs of which nobody knows who has them in hand."""


FOREIGN = {
    "unknown nommer": Bad({"nommer": "films.nommers.Special"}, "its nommer 'films.nommers.Special' is unknown"),
    "control characters": Bad({"nommer": "\x1b[2J"}, "its nommer '\\x1b[2J' is unknown"),
    "options of its own": Bad(
        {"nommer": "films.nommers.Special", "job_options": '{"preset": 1}'},
        "its nommer 'films.nommers.Special' is unknown",
    ),
}
"""Of jobs for workers with a nommer that ours do not have."""

ALL = BAD | UNKNOWN | {f"foreign: {name}": bad for name, bad in FOREIGN.items()}

LISTS = ("unfinished", "in state", "silent", "found")


def produce(deployment: Deployment, bad: Bad, **attributes: str) -> JobId:
    """An old producer stores a job, and somebody spoils it."""
    job = deployment.produce(**attributes)
    for name, value in bad.written.items():
        if value is None:
            deployment.server.delete(SETTINGS.job_domain, job, name)
        else:
            deployment.server.put(SETTINGS.job_domain, job, {name: value})
    return job


def listed(store: SimpledbJobReads, now: Instant) -> dict[str, set[JobId]]:
    """The ids in each list of unfinished jobs."""
    later = now + micros(DAY)
    return {
        "unfinished": {job.id for job in store.unfinished()},
        "in state": {job.id for job in store.in_state(JobState.PENDING)},
        "silent": {job.id for job in store.silent(in_work_before=later, pending_before=later)},
        "found": {job.id for job in store.find("", 10)},
    }


def work(
    deployment: Deployment, store: SimpledbJobStore, folder: Path, job: JobId, *, old_worker: bool = False
) -> EncodingJob:
    """Let a worker of ours take the messages of a job; it has no way to fetch or encode anything."""
    new_jobs, changes = FakeQueue(deployment.clock), FakeQueue(deployment.clock)
    new_jobs.send([job])
    ledger = FakeLedger(deployment.clock)
    if old_worker:
        now = deployment.clock()
        ledger.beat(Heartbeat(node="i-old", started=now, at=now, slots=2, takes_leases=False))
    ports = WorkerPorts(
        store=store,
        ledger=ledger,
        together=nullcontext,
        new_jobs=new_jobs,
        changes=changes,
        storage=FileStorage(),
        nommers={"ffmpeg": CopyNommer()},
        clock=deployment.clock,
        new_lease_id=lambda: "lease-1",
        log=deployment.said.append,
    )
    (folder / "node").mkdir()
    identity = Identity(node="node-1", folder=folder / "node", host="here", pid=7, started=deployment.clock())
    settings = WorkerSettings(lease=90, heartbeat=0.05, idle_exit=0.1)
    Worker(identity, ports=ports, settings=settings, slots=1, once=True).run()
    return store.get([job])[job]


# --- shown


@pytest.mark.parametrize("name", ALL)
def test_it_is_in_every_list_that_it_belongs_to_with_what_is_wrong(
    deployment: Deployment, store: SimpledbJobStore, name: str
) -> None:
    bad = ALL[name]
    good, job = deployment.produce(), produce(deployment, bad)

    assert listed(store, deployment.clock()) == {name: {good, job} for name in LISTS}

    found = store.get([good, job])
    assert (found[job].state, found[job].fault) == (JobState.PENDING, bad.fault)
    assert found[good].fault is None
    assert {each.id: each.fault for each in store.unfinished()} == {good: None, job: bad.fault}
    assert deployment.said == []


@pytest.mark.parametrize("name", BAD)
def test_a_finished_one_is_listed_and_removed_when_its_time_has_come(
    deployment: Deployment, store: SimpledbJobStore, name: str
) -> None:
    job = produce(deployment, BAD[name], job_state="FINISHED")
    now = deployment.clock()

    assert [each.id for each in store.in_state(JobState.FINISHED)] == [job]
    assert [each.id for each in store.finished_since(now - micros(DAY))] == [job]
    assert list(store.finished_untold()) == list(store.unfinished()) == []

    (found,) = store.finished_before(deployment.clock.advance(DAY) + 1)
    assert (found.id, found.fault) == (job, BAD[name].fault)
    assert store.remove(found)
    assert store.get([job]) == {}


def test_an_item_that_says_nothing_at_all_is_a_job_that_is_in_nobodys_hands_we_know_of(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    deployment.server.put(SETTINGS.job_domain, "e" * 50, {"colour": "red"})

    (found,) = store.unfinished()

    assert (found.id, found.state, found.fault) == ("e" * 50, JobState.PENDING, "its item has no unique_id")


def test_an_attribute_that_nobody_knows_is_left_alone(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.produce(colour="red")
    assert deployment.job(job).fault is None

    store.transition(job, deployment.claim())

    assert deployment.item(job)["colour"] == "red"


def test_items_that_are_no_jobs_are_left_out_and_said_once_to_who_only_looks(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    looking = SimpledbJobReads(deployment.clients, FARM, SETTINGS, deployment.clock, deployment.said.append)
    good = deployment.produce()
    for name in ("a note", "\x1b[2J", "A" * 50):
        deployment.server.put(SETTINGS.job_domain, name, {"job_state": "PENDING"})

    for reads in (store, looking, looking):
        assert listed(reads, deployment.clock()) == {name: {good} for name in LISTS}
    assert store.get(["a note"]) == {}

    assert deployment.said == [
        "domain 'media_nommer' has 3 items whose name is no id of a job, as '\\x1b[2J': left alone"
    ]


# --- what becomes of it


@pytest.mark.parametrize("name", BAD)
def test_a_worker_makes_it_an_error_at_once(
    deployment: Deployment, store: SimpledbJobStore, tmp_path: Path, name: str
) -> None:
    job = produce(deployment, BAD[name])

    done = work(deployment, store, tmp_path, job)

    said = f"{BAD[name].fault}: submit the job anew"
    assert (done.state, done.details, done.attempt) == (JobState.ERROR, said, 1)
    item = deployment.server.items(SETTINGS.job_domain)[job]
    assert (item["job_state"], item["job_state_details"]) == ({"ERROR"}, {said})
    assert list(store.unfinished()) == []


@pytest.mark.parametrize("name", FOREIGN)
def test_one_for_another_nommer_is_left_to_a_worker_that_has_it(
    deployment: Deployment, store: SimpledbJobStore, tmp_path: Path, name: str
) -> None:
    job = produce(deployment, FOREIGN[name])
    before = deployment.server.items(SETTINGS.job_domain)

    left = work(deployment, store, tmp_path, job, old_worker=True)

    assert (left.state, left.attempt, left.fault) == (JobState.PENDING, 0, FOREIGN[name].fault)
    assert deployment.server.items(SETTINGS.job_domain) == before
    assert sum("this one has no nommer called" in line for line in deployment.said) == 1
    assert "\x1b" not in "".join(deployment.said)


@pytest.mark.parametrize("name", UNKNOWN)
def test_one_in_an_unknown_state_is_left_to_whoever_has_it_and_given_up_in_the_end(
    deployment: Deployment, store: SimpledbJobStore, tmp_path: Path, name: str
) -> None:
    # given: an old program of another version may be at it
    job = produce(deployment, UNKNOWN[name])
    before = deployment.server.items(SETTINGS.job_domain)

    left = work(deployment, store, tmp_path, job)

    assert (left.state, left.attempt, left.node) == (JobState.PENDING, 0, "unknown")
    assert deployment.server.items(SETTINGS.job_domain) == before

    with pytest.raises(IllegalMoveError):
        store.transition(job, deployment.claim())
    given_up = store.transition(job, deployment.abandon())

    assert (given_up.state, deployment.state(job)) == (JobState.ABANDONED, "ABANDONED")
    assert deployment.job(job).fault is None


@pytest.mark.parametrize("name", ALL)
def test_it_can_be_cancelled(deployment: Deployment, store: SimpledbJobStore, name: str) -> None:
    job = produce(deployment, ALL[name])

    store.transition(job, partial(cancelled, now=deployment.clock.advance(1), by="ops"))

    assert deployment.state(job) == "ABANDONED"
    assert deployment.job(job).state is JobState.ABANDONED
    assert list(store.unfinished()) == []


@pytest.mark.parametrize("name", ALL)
def test_it_is_kept_like_any_other(deployment: Deployment, name: str) -> None:
    bad = ALL[name]
    job = produce(deployment, bad, notify_url="https://films.example/told")

    versions = [deployment.refreshed(job).version for _ in range(3)]

    assert len(set(versions[1:])) == 1
    assert deployment.job(job).fault == bad.fault


def test_what_is_put_right_in_the_item_is_no_fault_any_more(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = produce(deployment, BAD["options no JSON"])
    store.transition(job, deployment.claim())
    assert deployment.job(job).fault == "its job_options are no JSON"

    deployment.server.put(SETTINGS.job_domain, job, {"job_options": '[{"outfile_options": [["an", null]]}]'})

    found = deployment.job(job)
    assert (found.fault, found.options[0].outfile_options) == (None, (("an", None),))
    assert found.lease is not None


def test_a_second_value_is_a_fault_for_as_long_as_it_stands(deployment: Deployment, store: SimpledbJobStore) -> None:
    job = deployment.begun()
    before = deployment.job(job)

    deployment.server.put(SETTINGS.job_domain, job, {"dest_path": ["/srv/1.mp4", "/srv/2.mp4"]})
    assert [each.fault for each in store.unfinished()] == ["its item has 2 values of dest_path"]
    store.transition(job, deployment.advance())
    assert deployment.job(job).fault == "its item has 2 values of dest_path"

    deployment.server.put(SETTINGS.job_domain, job, {"dest_path": before.dest})
    assert (deployment.job(job).fault, deployment.job(job).dest) == (None, before.dest)


def test_two_states_over_a_record_of_ours_are_unknown_however_often_it_is_read(deployment: Deployment) -> None:
    job = deployment.begun()

    deployment.server.put(SETTINGS.job_domain, job, {"job_state": ["DOWNLOADING", "FINISHED"]})

    for _ in range(3):
        found = deployment.refreshed(job)
        assert (found.state, found.node, found.fault) == (
            JobState.PENDING,
            "unknown",
            "its item has 2 values of job_state",
        )
    assert len(found.history) == 2


def test_an_item_without_anything_to_know_it_by_is_not_written(deployment: Deployment, store: SimpledbJobStore) -> None:
    deployment.server.put(SETTINGS.job_domain, "e" * 50, {"colour": "red"})

    with pytest.raises(IllegalMoveError, match="has nothing to know it by: put it right"):
        store.transition("e" * 50, partial(cancelled, now=START, by="ops"))

    assert deployment.server.items(SETTINGS.job_domain)["e" * 50] == {"colour": {"red"}}


# --- side records


@pytest.mark.parametrize(
    "damage",
    [
        {"r00": "{"},
        {"r00": "[" * 1000},
        {"parts": "9"},
        {"parts": "many"},
        {"version": "first"},
        {"r00": '{"id": 7}'},
        {"seen": "{"},
    ],
)
def test_a_side_record_that_somebody_damaged_costs_what_it_said_and_stops_nobody(
    deployment: Deployment, store: SimpledbJobStore, damage: dict[str, str | list[str]]
) -> None:
    job = deployment.begun()
    deployment.server.put(OURS, job, damage)

    assert [each.state for each in store.unfinished()] == [JobState.DOWNLOADING]
    given_up = store.transition(job, deployment.abandon())

    assert given_up.state is JobState.ABANDONED
    assert deployment.job(job) == given_up
    assert deployment.state(job) == "ABANDONED"


def test_now_is_no_reason_to_fail_where_an_item_has_no_times(clock: FakeClock, deployment: Deployment) -> None:
    job = produce(deployment, Bad({"creation_dtime": None, "last_modified_dtime": None}, ""))

    assert (deployment.job(job).created, deployment.job(job).changed) == (clock(), clock())
