"""What the fleet of one machine promises beyond the contract of every fleet."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nommerctl.adapters.local.fleet import LocalFleet
from nommerctl.adapters.local.node_home import NodeHome
from nommerctl.domain.fleet import Launch, Spawned
from nommerctl.errors import NodeLivesOnError, UnreachableError
from tests.cli import eventually
from tests.fakes.clock import START, FakeClock

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


class Bench:
    """A fleet in a folder; `command` is what its workers run."""

    def __init__(self, folder: Path) -> None:
        self.workers, self.logs = folder / "workers", folder / "logs"
        self.workers.mkdir()
        self.logs.mkdir()
        self.command: tuple[str, ...] = (sys.executable, "-S", "-c", STUBBORN)

    @property
    def fleet(self) -> LocalFleet:
        return LocalFleet(
            self.workers, self.logs, worker=self.command, environment=os.environ, clock=FakeClock(), grace=0.1
        )

    def order(self, token: str = "a1") -> Launch:
        request = self.fleet.request(token=token, count=1, slots=1)
        return Launch(token=token, generation=0, count=1, slots=1, ordered=START, request=request)

    def home(self, node: str) -> NodeHome:
        return NodeHome(self.workers / node)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for instance in made.fleet.get_instances():
        pid = made.home(instance.id).birth().pid
        if instance.alive and pid > 1:
            os.kill(pid, signal.SIGKILL)


def test_a_worker_has_a_session_of_its_own_and_a_log(bench: Bench) -> None:
    (node,) = bench.fleet.spawn_instances(bench.order()).nodes
    pid = bench.home(node).birth().pid
    eventually(lambda: (bench.logs / f"{node}.log").read_text() == "deaf\n", every=0.02)
    assert os.getsid(pid) == pid != os.getsid(0)


def test_a_worker_that_does_not_heed_sigterm_is_killed(bench: Bench) -> None:
    (node,) = bench.fleet.spawn_instances(bench.order()).nodes
    eventually(lambda: (bench.logs / f"{node}.log").read_text() == "deaf\n", every=0.02)
    bench.fleet.end_instances([node])
    assert bench.fleet.get_instances() == []


def test_a_worker_that_cannot_be_ended_is_left_as_it_is_and_goes_on_counting(bench: Bench) -> None:
    # given a lock that is held, by nobody knows whom: 0 would be our own process group
    home = bench.home("n1")
    home.occupy(START)
    with pytest.raises(NodeLivesOnError, match="these workers cannot be ended: n1"):
        bench.fleet.end_instances(["n1"])
    assert [(each.id, each.alive) for each in bench.fleet.get_instances()] == [("n1", True)]
    home.let_go()


def test_a_start_that_fails_is_not_tried_again_by_the_same_order(bench: Bench, tmp_path: Path) -> None:
    # given a worker that cannot be started, so that nobody can say how far it got
    bench.command = (str(tmp_path / "no-such-program"),)
    order = bench.order()
    with pytest.raises(UnreachableError, match="a worker cannot be started"):
        bench.fleet.spawn_instances(order)
    # when the order is given again, with the program there by now
    program = tmp_path / "no-such-program"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    # then its node has been tried and is not started: the next order brings another
    assert bench.fleet.spawn_instances(order) == Spawned(("a1-0",))
    assert not any(each.alive for each in bench.fleet.get_instances())
    bench.fleet.spawn_instances(bench.order("b2"))
    assert [each.id for each in bench.fleet.get_instances() if each.alive] == ["b2-0"]
