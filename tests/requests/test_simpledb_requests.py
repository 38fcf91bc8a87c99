"""What a farm that took over from media-nommer asks of SimpleDB, and of SQS, however many jobs there are."""

import json
from functools import partial
from math import ceil

import pytest

from nommerctl.adapters.aws.names import jobs_table
from nommerctl.adapters.aws.simpledb.side_records import attributes_of
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.limits import AttemptLimits
from nommerctl.domain.moves import claimed, renewed, submitted
from nommerctl.wiring.process import clock
from tests.builders import job_id, make_job, make_lease
from tests.media_nommer import FFMPEG
from tests.simpledb_farm import SimpledbFarm

pytestmark = pytest.mark.slow

MANY = 5000
CHANGED = 1000
MESSAGES = 10
"""Of one request to SQS."""
NAMED = 20
"""Jobs that one Select names."""
KEPT = 25
"""Jobs of which one request keeps what was seen."""
RECEIVERS = 8
"""Each of them may find out for itself that the queue is empty."""


def produce(farm: SimpledbFarm, numbers: range, state: str = "PENDING", **attributes: str) -> list[JobId]:
    """Old producers store jobs."""
    now = farm.local()
    for number in numbers:
        item = {
            "unique_id": job_id(number),
            "source_path": f"s3://films-of-last-summer/in/some/folder/{number}.mov",
            "dest_path": f"s3://films-of-last-summer/out/some/folder/{number}.mp4",
            "nommer": FFMPEG,
            "job_options": json.dumps([{"outfile_options": [["threads", 0], ["vcodec", "libx264"], ["an", None]]}] * 2),
            "job_state": state,
            "creation_dtime": now,
            "last_modified_dtime": now,
        }
        farm.server.put(farm.settings.job_domain, job_id(number), item | attributes)
    return [job_id(number) for number in numbers]


def know(farm: SimpledbFarm, job: EncodingJob) -> None:
    """Let there be a side record that goes with a job's item."""
    fence = farm.local(job.changed)
    farm.server.put(jobs_table(farm.name), job.id, attributes_of(job, fence=fence, before=fence))


def asked(farm: SimpledbFarm, *command: str) -> dict[str, int]:
    """Run a command; return how often it called what."""
    before = farm.server.calls.copy()
    with farm.cloud.counting() as counted:
        farm.here.run(*command)
    of_simpledb = {f"sdb:{operation}": count for operation, count in (farm.server.calls - before).items()}
    return of_simpledb | {f"{call.service}:{call.operation}": count for call, count in counted.items()}


@pytest.fixture
def farm(taken_over: SimpledbFarm) -> SimpledbFarm:
    """A farm that has been refreshed once: its cache is warm and its queues are known."""
    taken_over.here.run("refresh")
    return taken_over


# --- reading all unfinished jobs


@pytest.mark.parametrize(
    "known", [0, pytest.param(7, marks=pytest.mark.slow), pytest.param(MANY, marks=pytest.mark.slow)]
)
def test_5000_unfinished_jobs_load_in_at_most_52_requests(taken_over: SimpledbFarm, known: int) -> None:
    """Of which so many have a side record."""
    produce(taken_over, range(MANY))
    for job in taken_over.store.get(map(job_id, range(known))).values():
        know(taken_over, job)
    taken_over.server.calls.clear()

    found = [job.id for job in taken_over.store.unfinished()]

    assert len(set(found)) == MANY
    assert dict(taken_over.server.calls) == {"Select": taken_over.server.calls["Select"]}
    assert taken_over.server.calls["Select"] <= 52


@pytest.mark.parametrize("finished", [100, pytest.param(MANY, marks=pytest.mark.slow)])
def test_jobs_that_are_finished_cost_the_list_of_the_others_nothing(taken_over: SimpledbFarm, finished: int) -> None:
    produce(taken_over, range(finished), "FINISHED")
    produce(taken_over, range(finished, finished + 100))
    taken_over.server.calls.clear()

    assert len(list(taken_over.store.unfinished())) == 100

    assert taken_over.server.calls["Select"] <= 2 + ceil(100 / NAMED)


@pytest.mark.slow
def test_a_resync_of_5000_jobs_reads_them_once(farm: SimpledbFarm) -> None:
    produce(farm, range(MANY))

    found = asked(farm, "refresh", "--rebuild")

    assert {name for name in found if name.startswith("sdb:")} == {"sdb:Select"}
    assert found["sdb:Select"] <= 52
    assert len(farm.here.listed()) == MANY


# --- refresh


@pytest.mark.parametrize("known", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_refresh_of_2000_changes_of_1000_jobs(farm: SimpledbFarm, *, known: bool) -> None:
    """By old workers, of jobs that old producers stored, or we: then what was seen is kept, with nobody to be told.

    Of those that have a record the item is read once more, to tell what others wrote from what we are just writing.
    """
    # given
    ids = produce(farm, range(CHANGED))
    if known:
        for job in farm.store.get(ids).values():
            know(farm, job)
    farm.here.run("refresh", "--rebuild")
    produce(farm, range(CHANGED), "FINISHED", last_modified_dtime=farm.local(clock() + 1))
    farm.changes.send(ids * 2)
    # when
    found = asked(farm, "refresh")
    # then
    queue, reads, keeps = 2 * 2 * CHANGED / MESSAGES, (3 if known else 2) * CHANGED / NAMED, CHANGED / KEPT
    assert sum(found.values()) <= queue + RECEIVERS + 1 + reads + keeps * known < 600
    assert found["sdb:Select"] == reads
    assert found.get("sdb:BatchPutAttributes", 0) == keeps * known
    assert {job["state"] for job in farm.here.listed().values()} == {"FINISHED"}
    assert farm.changes.depth().total == 0


def test_an_idle_refresh_asks_sqs_alone(farm: SimpledbFarm) -> None:
    assert asked(farm, "refresh") == {"sqs:GetQueueAttributes": 1, "sqs:ReceiveMessage": 1}


@pytest.mark.parametrize("jobs", [1, 20, 60])
def test_jobs_in_work_are_read_by_two_requests_for_twenty_of_them(farm: SimpledbFarm, jobs: int) -> None:
    produce(farm, range(jobs), "ENCODING")
    farm.here.run("refresh", "--rebuild")

    found = asked(farm, "refresh")

    reads = found.get("sdb:GetAttributes", 0) + found.get("sdb:Select", 0)
    assert reads == 2 * ceil(jobs / NAMED)
    assert sum(found.values()) == reads + 2


# --- one job


def test_a_move_of_a_job_is_two_reads_and_two_writes_and_a_heartbeat_one_write_less(taken_over: SimpledbFarm) -> None:
    store = taken_over.store
    (job,) = store.submit([submitted(make_job(1), by="cli")])
    taken_over.server.calls.clear()

    store.transition(job, partial(claimed, lease=make_lease(until=clock() + 1), now=clock(), limits=AttemptLimits()))
    assert dict(taken_over.server.calls) == {"GetAttributes": 2, "PutAttributes": 2}

    renewal = partial(renewed, lease_id="lease-1", until=clock() + 2, progress=None)
    store.transition(job, renewal)
    assert dict(taken_over.server.calls) == {"GetAttributes": 4, "PutAttributes": 3}
