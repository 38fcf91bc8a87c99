"""What every fleet promises."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import NamedTuple

import msgspec
import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ec2 import EC2InstanceManager
from nommerctl.adapters.local.fleet import LocalFleet
from nommerctl.adapters.local.node_home import Birth
from nommerctl.domain.config_aws import AwsSettings, Market
from nommerctl.domain.fleet import Instance, Launch, NodeId
from nommerctl.ports import Fleet
from tests.aws_farm import AMI
from tests.aws_servers import CREDENTIALS
from tests.cli import eventually
from tests.cloud import cloud
from tests.fakes.clock import START, FakeClock
from tests.fakes.ec2 import FakeEc2, ec2_client
from tests.fakes.fleet import FakeFleet

IDLER = (sys.executable, "-S", "-c", "import time; time.sleep(60)")
"""A worker that does nothing, and holds the lock that it was given."""


class Subject(NamedTuple):
    """A fleet; `kill` lets a node die, which ends it altogether where `dead_stay` is not so; `starts` counts them.

    `our_clock` is whether its nodes are dated by the clock of the test.
    """

    fleet: Fleet
    kill: Callable[[str], None]
    starts: Callable[[], int]
    dead_stay: bool = True
    our_clock: bool = True


@pytest.fixture(params=["fake", "local", "ec2", pytest.param("ec2-moto", marks=pytest.mark.slow)])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    clock = FakeClock()
    if request.param == "fake":
        fake = FakeFleet(clock)
        yield Subject(fake, fake.kill, lambda: len(fake.instances))
    elif request.param == "local":
        yield from local(tmp_path, clock)
    elif request.param == "ec2-moto":
        yield from moto(request.getfixturevalue("moto_url"), clock)
    else:
        ec2 = FakeEc2(clock)
        with ec2.behind(ec2_client()) as client:
            settings = AwsSettings(launch_template="nodes", subnets=("subnet-1", "subnet-2"))
            fleet = EC2InstanceManager(lambda: client, "farm", settings, clock)
            yield Subject(fleet, ec2.end, lambda: len(ec2.instances), dead_stay=False)


def moto(url: str, clock: FakeClock) -> Iterator[Subject]:
    """Moto, and before it what makes one order of those with one token, as EC2 does."""
    farm = f"fleet-{token_hex(4)}"
    settings = AwsSettings(launch_template=farm, market=Market.ON_DEMAND)
    with cloud(url, url) as sky, pytest.MonkeyPatch.context() as patch:
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": sky.url}).items():
            patch.setenv(name, value)
        ec2 = Clients().ec2
        ec2.create_launch_template(LaunchTemplateName=farm, LaunchTemplateData={"ImageId": AMI})
        fleet = EC2InstanceManager(lambda: ec2, farm, settings, clock)

        def kill(node: str) -> None:
            ec2.terminate_instances(InstanceIds=[node])

        yield Subject(fleet, kill, lambda: len(fleet.get_instances()), dead_stay=False, our_clock=False)
        fleet.end_instances([each.id for each in fleet.get_instances() if not each.gone])


def local(folder: Path, clock: FakeClock) -> Iterator[Subject]:
    workers, logs = folder / "workers", folder / "logs"
    workers.mkdir()
    logs.mkdir()
    fleet = LocalFleet(workers, logs, worker=IDLER, environment=os.environ, clock=clock)

    def kill(node: str) -> None:
        birth = msgspec.json.decode((workers / node / "lock").read_bytes(), type=Birth)
        os.kill(birth.pid, signal.SIGKILL)
        eventually(lambda: not next(each.alive for each in fleet.get_instances() if each.id == node), every=0.01)

    yield Subject(fleet, kill, lambda: len(list(logs.glob("*.log"))))
    fleet.end_instances([each.id for each in fleet.get_instances()])


def order(fleet: Fleet, count: int, token: str = "a1") -> Launch:
    request = fleet.request(token=token, count=count, slots=1)
    return Launch(token=token, generation=0, count=count, slots=1, ordered=START, request=request)


def spawned(fleet: Fleet, count: int, token: str = "a1") -> tuple[NodeId, ...]:
    return fleet.spawn_instances(order(fleet, count, token)).nodes


def existing(fleet: Fleet) -> list[Instance]:
    return [each for each in fleet.get_instances() if not each.gone]


def test_an_order_brings_up_live_nodes(subject: Subject) -> None:
    nodes = spawned(subject.fleet, 2)
    found = {each.id: each for each in subject.fleet.get_instances()}
    assert set(found) == set(nodes)
    assert len(nodes) == 2
    assert all(each.alive and not each.gone for each in found.values())
    assert all(each.launched == START for each in found.values()) or not subject.our_clock


def test_an_order_that_is_filled_has_nothing_to_complain_of(subject: Subject) -> None:
    came = subject.fleet.spawn_instances(order(subject.fleet, 1))
    assert came.refused == ()
    assert came.fault is None


def test_the_same_request_is_the_same_text(subject: Subject) -> None:
    assert order(subject.fleet, 2) == order(subject.fleet, 2)


def test_the_same_order_again_starts_nothing_twice(subject: Subject) -> None:
    first = spawned(subject.fleet, 2)
    assert spawned(subject.fleet, 2) == first
    assert len(subject.fleet.get_instances()) == 2
    assert subject.starts() == 2


def test_the_same_order_again_starts_nothing_even_when_its_nodes_are_gone(subject: Subject) -> None:
    first = spawned(subject.fleet, 1)
    subject.fleet.end_instances(first)
    assert spawned(subject.fleet, 1) == first
    assert existing(subject.fleet) == []


def test_another_order_brings_up_other_nodes(subject: Subject) -> None:
    first = spawned(subject.fleet, 1)
    second = spawned(subject.fleet, 1, token="b2")
    assert {each.id for each in subject.fleet.get_instances()} == {*first, *second}


def test_a_dead_node_is_not_alive_until_it_is_ended(subject: Subject) -> None:
    dead, stays = spawned(subject.fleet, 2)
    subject.kill(dead)
    shown = {each.id: each.alive for each in existing(subject.fleet)}
    assert shown == ({dead: False, stays: True} if subject.dead_stay else {stays: True})
    subject.fleet.end_instances([dead])
    assert [each.id for each in existing(subject.fleet)] == [stays]


def test_what_is_gone_is_not_alive(subject: Subject) -> None:
    ended, killed = spawned(subject.fleet, 2)
    subject.kill(killed)
    subject.fleet.end_instances([ended])
    assert not any(each.alive for each in subject.fleet.get_instances())


def test_ending_a_node_ends_it_and_only_it(subject: Subject) -> None:
    first, second = spawned(subject.fleet, 2)
    subject.fleet.end_instances([first])
    assert [each.id for each in existing(subject.fleet)] == [second]


def test_ending_a_node_that_is_gone_is_no_error(subject: Subject) -> None:
    subject.fleet.end_instances(["never-was"])
    (node,) = spawned(subject.fleet, 1)
    subject.fleet.end_instances([node])
    subject.fleet.end_instances([node])
    assert existing(subject.fleet) == []


def test_an_empty_fleet_has_no_nodes(subject: Subject) -> None:
    assert subject.fleet.get_instances() == []
