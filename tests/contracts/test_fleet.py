"""What every fleet promises."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from nommerctl.adapters.local.fleet import LocalFleet
from nommerctl.adapters.local.node_home import Birth
from nommerctl.domain.fleet import Launch
from nommerctl.ports import Fleet
from tests.cli import eventually
from tests.fakes.clock import START, FakeClock
from tests.fakes.fleet import FakeFleet

IDLER = (sys.executable, "-S", "-c", "import time; time.sleep(60)")
"""A worker that does nothing, and holds the lock that it was given."""


class Subject(NamedTuple):
    fleet: Fleet
    kill: Callable[[str], None]
    starts: Callable[[], int]


@pytest.fixture(params=["fake", "local"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    clock = FakeClock()
    if request.param == "fake":
        fake = FakeFleet(clock)
        yield Subject(fake, fake.kill, lambda: len(fake.instances))
        return
    workers, logs = tmp_path / "workers", tmp_path / "logs"
    workers.mkdir()
    logs.mkdir()
    local = LocalFleet(workers, logs, worker=IDLER, environment=os.environ, clock=clock)

    def kill(node: str) -> None:
        birth = msgspec.json.decode((workers / node / "lock").read_bytes(), type=Birth)
        os.kill(birth.pid, signal.SIGKILL)
        eventually(lambda: not next(each.alive for each in local.get_instances() if each.id == node), every=0.01)

    yield Subject(local, kill, lambda: len(list(logs.glob("*.log"))))
    local.end_instances([each.id for each in local.get_instances()])


def order(fleet: Fleet, count: int, token: str = "a1") -> Launch:
    request = fleet.request(token=token, count=count, slots=1)
    return Launch(token=token, generation=0, count=count, slots=1, ordered=START, request=request)


def test_an_order_brings_up_live_nodes(subject: Subject) -> None:
    nodes = subject.fleet.spawn_instances(order(subject.fleet, 2)).nodes
    found = {each.id: each for each in subject.fleet.get_instances()}
    assert set(found) == set(nodes)
    assert len(nodes) == 2
    assert all(each.alive and each.launched == START for each in found.values())


def test_the_same_request_is_the_same_text(subject: Subject) -> None:
    assert order(subject.fleet, 2) == order(subject.fleet, 2)


def test_the_same_order_again_starts_nothing_twice(subject: Subject) -> None:
    first = subject.fleet.spawn_instances(order(subject.fleet, 2)).nodes
    assert subject.fleet.spawn_instances(order(subject.fleet, 2)).nodes == first
    assert len(subject.fleet.get_instances()) == 2
    assert subject.starts() == 2


def test_the_same_order_again_starts_nothing_even_when_its_nodes_are_gone(subject: Subject) -> None:
    first = subject.fleet.spawn_instances(order(subject.fleet, 1)).nodes
    subject.fleet.end_instances(first)
    assert subject.fleet.spawn_instances(order(subject.fleet, 1)).nodes == first
    assert subject.fleet.get_instances() == []


def test_another_order_brings_up_other_nodes(subject: Subject) -> None:
    first = subject.fleet.spawn_instances(order(subject.fleet, 1)).nodes
    second = subject.fleet.spawn_instances(order(subject.fleet, 1, token="b2")).nodes
    assert {each.id for each in subject.fleet.get_instances()} == {*first, *second}


def test_a_dead_node_is_shown_until_it_is_ended(subject: Subject) -> None:
    gone, stays = subject.fleet.spawn_instances(order(subject.fleet, 2)).nodes
    subject.kill(gone)
    assert {each.id: each.alive for each in subject.fleet.get_instances()} == {gone: False, stays: True}
    subject.fleet.end_instances([gone])
    assert [each.id for each in subject.fleet.get_instances()] == [stays]


def test_ending_a_node_ends_it_and_only_it(subject: Subject) -> None:
    first, second = subject.fleet.spawn_instances(order(subject.fleet, 2)).nodes
    subject.fleet.end_instances([first])
    assert [each.id for each in subject.fleet.get_instances()] == [second]


def test_ending_a_node_that_is_gone_is_no_error(subject: Subject) -> None:
    subject.fleet.end_instances(["never-was"])
    (node,) = subject.fleet.spawn_instances(order(subject.fleet, 1)).nodes
    subject.fleet.end_instances([node])
    subject.fleet.end_instances([node])
    assert subject.fleet.get_instances() == []


def test_an_empty_fleet_has_no_nodes(subject: Subject) -> None:
    assert subject.fleet.get_instances() == []
