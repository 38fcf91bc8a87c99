"""What each command asks of AWS: how many requests, whatever it has to do. Objects of S3 are not counted."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import pytest
from msgspec import structs

from nommerctl.adapters.aws.names import changes_queue, new_jobs_queue
from nommerctl.adapters.disk_cache import open_cache
from nommerctl.domain.job import EncodingJob, HistoryEntry
from nommerctl.domain.moves import submitted
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.process import clock
from tests.aws_farm import AwsFarm
from tests.builders import make_job
from tests.cloud import Call
from tests.web import Exchange, serving

pytestmark = pytest.mark.slow

DAY = 24 * 3600

RECEIVERS = 8

MANY = 1000


def asked(farm: AwsFarm, *command: str | Path) -> dict[str, int]:
    """Run a command; return how often it called what, without S3."""
    with farm.cloud.counting() as counted:
        farm.here.run(*command)
    return {f"{call.service}:{call.operation}": count for call, count in counted.items() if call.service != "s3"}


def send(farm: AwsFarm, inside: Farm, queue: str, bodies: Sequence[str]) -> None:
    {new_jobs_queue(farm.name): inside.backend.new_jobs, changes_queue(farm.name): inside.backend.changes}[queue].send(
        bodies
    )


def cached(inside: Farm, jobs: Sequence[EncodingJob]) -> None:
    cache = open_cache(inside.cache_folder)
    cache.update_jobs(jobs)
    cache.close()


def told_nothing(number: int, url: str) -> EncodingJob:
    """A job that is finished, and of whose beginning and end nobody was told."""
    history = tuple(
        HistoryEntry(seq=seq, state=state, at=clock(), by="node")
        for seq, state in enumerate((JobState.PENDING, JobState.FINISHED), start=1)
    )
    return make_job(number, state=JobState.FINISHED, changed=clock(), history=history, notify_url=url)


@pytest.mark.parametrize("listened_to", [pytest.param(0, marks=pytest.mark.slow), 60])
def test_refresh_of_2000_changes_of_1000_jobs(farm: AwsFarm, inside: Farm, listened_to: int) -> None:
    with serving({"/told": listen}) as web:
        # given
        jobs = [told_nothing(number, web.url("/told")) for number in range(listened_to)]
        jobs += [make_job(number, state=JobState.FINISHED, changed=clock()) for number in range(listened_to, MANY)]
        inside.backend.store.submit(jobs)
        inside.backend.changes.send([job.id for job in jobs] * 2)
        # when
        found = asked(farm, "refresh")
    # then
    receives, deletes, reads = found["sqs:ReceiveMessage"], found["sqs:DeleteMessageBatch"], MANY / 100
    limit = 1.1 * (2 * MANY / 10 * 2 + reads) + RECEIVERS + ceil(listened_to / 25)
    assert sum(found.values()) <= limit, found
    assert (receives, deletes) >= (200, 200)
    assert len(web.asked) == 2 * listened_to
    assert len(farm.here.listed()) == MANY
    assert inside.backend.changes.depth().total == 0


def listen(exchange: Exchange) -> None:
    exchange.begin(204, content_length=0)


def test_an_idle_refresh_asks_sqs_alone(farm: AwsFarm) -> None:
    assert asked(farm, "refresh") == {"sqs:GetQueueAttributes": 1, "sqs:ReceiveMessage": 1}


def test_a_refresh_that_tells_asks_once_who_is_gone(farm: AwsFarm, inside: Farm) -> None:
    with serving({"/told": listen}) as web:
        # given
        (job,) = inside.backend.store.submit([told_nothing(1, web.url("/told"))])
        inside.backend.changes.send([job.id])
        # when
        found = asked(farm, "refresh")
    # then
    assert found["dynamodb:Query"] == 1
    assert len(web.asked) == 2


@pytest.mark.parametrize("open_jobs", [100, pytest.param(100_000, marks=pytest.mark.slow)])
def test_scale_at_any_number_of_open_jobs(farm: AwsFarm, inside: Farm, open_jobs: int) -> None:
    # given: messages for a hundred of them, so that cache and queue differ: then the other queue is asked as well
    cached(inside, [make_job(number, created=clock()) for number in range(open_jobs)])
    inside.backend.new_jobs.send([make_job(number).id for number in range(99)])
    # when nodes are launched
    launching = asked(farm, "scale")
    # then
    assert launching["ec2:CreateFleet"] == 1
    assert sum(launching.values()) <= 8, launching
    # when there is no more room for any: that is a decision, which is kept once
    asked(farm, "scale")
    quiet = asked(farm, "scale")
    # then
    assert sum(quiet.values()) <= 4, quiet
    assert set(quiet) == {"dynamodb:Query", "sqs:GetQueueAttributes", "ec2:DescribeInstances"}


def test_scale_of_a_farm_without_work(farm: AwsFarm) -> None:
    assert asked(farm, "scale") == {"dynamodb:Query": 1, "sqs:GetQueueAttributes": 1, "ec2:DescribeInstances": 1}


@pytest.mark.parametrize("count", [0, pytest.param(1, marks=pytest.mark.slow), 25])
def test_abandon_of_stale_jobs(farm: AwsFarm, inside: Farm, count: int) -> None:
    # given
    long_ago = clock() - micros(15 * DAY)
    jobs = [submitted(make_job(number, created=long_ago, changed=long_ago), by="cli") for number in range(count)]
    fresh = [submitted(make_job(1000 + number, created=clock(), changed=clock()), by="cli") for number in range(30)]
    inside.backend.store.submit([*jobs, *fresh])
    cached(inside, [structs.replace(job, version=1) for job in (*jobs, *fresh)])
    # when
    found = asked(farm, "abandon")
    # then
    assert sum(found.values()) <= count + 2 * ceil(count / 10) + 4, found
    assert farm.here.listed_states().count("ABANDONED") == count


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.slow), 25])
def test_submit(farm: AwsFarm, count: int) -> None:
    # given
    sources = [farm.put(f"in/{number}.mov", b"film") for number in range(count)]
    # when
    found = asked(farm, "submit", *sources, "--dest", f"s3://{farm.bucket}/out/", "--preset", "web-480p")
    # then
    assert sum(found.values()) <= ceil(count / 100) + 2 * ceil(count / 10) + 3, found
    assert farm.here.listed_states() == ["PENDING"] * count


def test_what_inspects_a_farm_asks_for_little(farm: AwsFarm) -> None:
    assert asked(farm, "list") == {}
    assert asked(farm, "nodes") == {"dynamodb:Query": 1, "ec2:DescribeInstances": 1}
    assert asked(farm, "why") == {"dynamodb:Query": 1}
    assert asked(farm, "prune") == {"dynamodb:Query": 1}


def test_the_first_command_of_a_machine_asks_once_where_its_queues_are(farm: AwsFarm) -> None:
    (farm.here.state_dir / "aws" / "queues.json").unlink()
    assert asked(farm, "refresh")["sqs:GetQueueUrl"] == 1
    assert Call("sqs", "GetQueueUrl") in farm.cloud.calls
    assert "sqs:GetQueueUrl" not in asked(farm, "refresh")
