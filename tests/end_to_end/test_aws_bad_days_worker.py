"""A worker on days when AWS fails it: it goes on, or goes, and no job is lost or done twice at once."""

import signal
from collections.abc import Iterator

import pytest

from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.wiring import process
from nommerctl.worker import placing
from tests.aws_farm import AwsFarm
from tests.cli import Result, eventually
from tests.clips import Clips
from tests.cloud import Cut, Reach
from tests.end_to_end.aws_troubles import KINDS, Kind

pytestmark = pytest.mark.slow

MOST_CALLS = 50
"""A worker makes no more for one job that is done at once."""

_right_clock = process.clock


@pytest.fixture
def farm(aws: AwsFarm, clips: Clips, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsFarm]:
    """A farm whose leases are short, and a film on it; worker and passes run in this process."""
    before = {sign: signal.getsignal(sign) for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    aws.here.settings |= {"WORKER_LEASE": "1s", "WORKER_HEARTBEAT": "0.2s", "FFMPEG_THREADS": "1"}
    monkeypatch.setattr(placing, "PAUSES", (0.1, 0.1))  # minutes, else
    aws.put("film.mov", clips["plain.mp4"].read_bytes())
    yield aws
    for sign, handler in before.items():
        signal.signal(sign, handler)


def work(farm: AwsFarm) -> Result:
    """Let a worker work until the queue is empty."""
    result = farm.here.run("worker", "--once")
    assert "bug" not in result.stderr
    return result


def attempts_until_finished(farm: AwsFarm, job: EncodingJob) -> int:
    """Let workers work until the job is finished; return the attempts that it took.

    A transfer that S3 does not take for the moment is tried again, and at last handed back.
    """

    def finished() -> bool:
        found = farm.store.get([job.id])[job.id]
        assert found.state is not JobState.ERROR, found.details
        if found.state is not JobState.FINISHED:
            work(farm)
        return found.state is JobState.FINISHED

    eventually(finished, every=0.3)
    head = farm.clients.s3().head_object(Bucket=farm.bucket, Key=f"{job.id}.mp4")
    assert head["ContentLength"] > 1000
    return farm.store.get([job.id])[job.id].attempt


@pytest.mark.parametrize("cut", [Cut.BEFORE, pytest.param(Cut.AFTER, marks=pytest.mark.slow)])
def test_a_job_is_done_over_a_connection_that_breaks_again_and_again(farm: AwsFarm, cut: Cut) -> None:
    job = farm.submitted()
    with farm.cloud.trouble(cut, Reach.EVERY_OTHER, served=4) as trouble:  # so that the message is not lost from sight
        work(farm)
    assert len(trouble.met) > 8
    assert attempts_until_finished(farm, job) == 1


def test_a_worker_whose_credentials_expire_under_way_leaves_its_job_to_another(farm: AwsFarm) -> None:
    # given
    job = farm.submitted()
    # when they are good for as long as it takes to claim the job
    with farm.cloud.trouble(KINDS["expired"].fault, Reach.ALL, served=6):
        log = work(farm).stderr
    # then it says so, and somebody else does the job
    assert "the credentials have expired" in log
    assert farm.state(job) != "FINISHED"
    assert attempts_until_finished(farm, job) == 2


def test_a_worker_that_may_not_receive_says_so_and_leaves_the_queue_alone(farm: AwsFarm) -> None:
    job = farm.submitted()
    farm.cloud.fail("sqs", "ReceiveMessage", *[KINDS["denied"].fault] * 3)
    log = work(farm).stderr
    assert "no messages received: AWS refuses sqs:ReceiveMessage on queue " in log
    assert attempts_until_finished(farm, job) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", [KINDS["throttled"], KINDS["expired"], KINDS["unreachable"]])
def test_whichever_call_fails_from_then_on_the_job_is_done_in_the_end(farm: AwsFarm, kind: Kind) -> None:
    for served in range(MOST_CALLS):
        job = farm.submitted()
        with farm.cloud.trouble(kind.fault, kind.reach, served=served) as trouble:
            work(farm)
        assert attempts_until_finished(farm, job) <= 3
        if not trouble.met:
            break
    assert 10 < served < MOST_CALLS - 1


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_job_is_done_by_a_worker_whose_clock_is_wrong(
    farm: AwsFarm, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    # given a job that was submitted by the right clock
    job = farm.submitted()
    farm.here.run("run")
    nodes = farm.instances()
    # when a worker does it whose clock is wrong
    with monkeypatch.context() as patch:
        patch.setattr(process, "clock", lambda: _right_clock() + micros(60.0 * minutes))
        work(farm)
    # then it is done once, and nobody holds anything against it
    farm.here.run("run")
    assert (farm.state(job), farm.store.get([job.id])[job.id].attempt) == ("FINISHED", 1)
    assert farm.here.listed()[job.id]["state"] == "FINISHED"
    assert farm.instances() == nodes
    assert "0 to launch, 0 to end" in farm.here.run("scale", "--dry-run").stdout
