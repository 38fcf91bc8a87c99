"""A farm on AWS with two controllers, each with a state folder of its own, and clocks that differ."""

from collections.abc import Iterator

import pytest
from msgspec import structs

from nommerctl.adapters.aws.clients import ATTEMPTS
from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.job import Lease
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.wiring import process
from tests.aws_farm import AwsFarm
from tests.cli import InProcessCli
from tests.cloud import Cut
from tests.web import Web, reply, serving

pytestmark = pytest.mark.slow

_right_clock = process.clock


@pytest.fixture
def other(aws: AwsFarm) -> InProcessCli:
    """The other controller."""
    return aws.other("other")


@pytest.fixture
def listener() -> Iterator[Web]:
    with serving({"/told": reply(200)}) as web:
        yield web


def test_each_controller_sees_the_jobs_that_were_submitted_at_the_other(aws: AwsFarm, other: InProcessCli) -> None:
    film = aws.put("film.mov", b"film")
    for number, controller in enumerate((aws.here, other)):
        dest = f"s3://{aws.bucket}/{number}.m4a"
        controller.run("submit", film, "--dest", dest, "--preset", "audio-m4a")
    for controller in (aws.here, other):
        controller.run("refresh", "--rebuild")
        assert controller.listed_states() == ["PENDING", "PENDING"]
        assert set(controller.listed()) == aws.queued()


def test_two_controllers_launch_no_more_nodes_than_one_may(aws: AwsFarm, other: InProcessCli) -> None:
    for controller in (aws.here, other):
        controller.settings["SCALE_MAX_NODES"] = "3"
    for controller in (aws.here, other, aws.here):
        for _ in range(2):
            aws.submitted()
        controller.run("refresh", "--rebuild")
        controller.run("scale")
    assert len(aws.instances()) == 3
    held = other.run("scale", "--dry-run").stdout
    assert "held by max_nodes" in held


def test_an_order_that_one_controller_could_not_settle_is_settled_by_the_other(
    aws: AwsFarm, other: InProcessCli
) -> None:
    # given an order that was given, and whose answer its controller could not write down
    aws.submitted()
    aws.here.run("refresh")
    aws.cloud.fail("ec2", "RunInstances", *[Cut.AFTER] * ATTEMPTS)
    aws.here.run("scale", code=69)
    assert len(aws.instances()) == 1
    # when the other one has its turn
    other.run("refresh", "--rebuild")
    said = other.run("scale").stdout
    # then it is the same order
    assert "it is given again, unchanged" in said
    assert len(aws.instances()) == 1
    assert aws.ledger.overview().unsettled is None


def test_a_listener_is_told_of_each_change_once(aws: AwsFarm, other: InProcessCli, listener: Web) -> None:
    # given
    job = aws.stored(notify_url=listener.url("/told"))
    aws.changes.send([job.id])
    # when both controllers refresh, again and again, and the job is cancelled at one of them
    for controller in (aws.here, other, aws.here):
        controller.run("refresh", "--rebuild")
    other.run("cancel", job.id)
    for controller in (other, aws.here, other):
        controller.run("refresh", "--rebuild")
    # then
    states = [b"job_state=PENDING" in asked.body for asked in listener.asked]
    assert states == [True, False]


def test_a_controller_whose_cache_is_cold_launches_nothing_until_it_knows_the_farm(
    aws: AwsFarm, other: InProcessCli
) -> None:
    aws.submitted()
    held = other.run("scale", "--json").json
    assert held["held"][0]["reason"] == "the job cache is empty: run `nommerctl refresh` first"
    assert aws.instances() == set()
    other.run("refresh")
    other.run("scale")
    assert len(aws.instances()) == 1


@pytest.mark.parametrize("minutes", [10, -10])
def test_what_a_node_with_a_wrong_clock_has_in_hand_is_left_to_it(aws: AwsFarm, minutes: int) -> None:
    # given a farm of one node, which is at work and dates all that it writes by its own clock
    aws.here.settings["SCALE_MAX_NODES"] = "1"

    def its_now() -> int:
        return _right_clock() + micros(60.0 * minutes)

    node = aws.launched()
    lease = Lease("lease", node, until=its_now() + micros(90.0), seconds=90.0, since=its_now())
    job = aws.stored(state=JobState.ENCODING, attempt=1, lease=lease, changed=its_now())
    aws.new_jobs.send([job.id])
    aws.new_jobs.receive(1, 90)  # as its worker has
    for _ in range(3):
        # when it gives signs of life, and passes are made by the right clock
        aws.ledger.beat(Heartbeat(node=node, started=its_now(), at=its_now(), slots=1, active=1, jobs=(job.id,)))
        renewed = structs.replace(lease, until=its_now() + micros(90.0))
        aws.store.transition(job.id, lambda current, renewed=renewed: structs.replace(current, lease=renewed))  # type: ignore[misc]
        aws.here.run("run")
        # then it keeps its job and its life, and counts
        assert aws.state(job) == "ENCODING"
        assert aws.instances() == {node}


@pytest.mark.parametrize("minutes", [10, pytest.param(-10, marks=pytest.mark.slow)])
def test_a_controller_whose_clock_is_wrong_costs_no_job_and_no_node(
    aws: AwsFarm, other: InProcessCli, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    # given a job for which the right controller has launched the one node that the farm may have
    for controller in (aws.here, other):
        controller.settings["SCALE_MAX_NODES"] = "1"
    job = aws.submitted()
    aws.here.run("run")
    (node,) = aws.instances()
    for _ in range(2):
        # when the node gives signs of life, and both controllers take turns
        aws.ledger.beat(Heartbeat(node=node, started=_right_clock(), at=_right_clock(), slots=1))
        with monkeypatch.context() as patch:
            patch.setattr(process, "clock", lambda: _right_clock() + micros(60.0 * minutes))
            other.run("run")
        aws.here.run("run")
        # then
        assert aws.state(job) == "PENDING"
        assert aws.instances() == {node}
    assert aws.queued() == {job.id}
