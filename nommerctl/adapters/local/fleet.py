"""The fleet of one machine: detached worker processes."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from nommerctl.adapters.local.node_home import UNNAMED, NodeHome
from nommerctl.adapters.local.worker_log import drop_old_logs, last_line, open_log
from nommerctl.adapters.os_errors import translated
from nommerctl.domain.fleet import Instance, Launch, NodeId, Pool, Spawned
from nommerctl.domain.times import micros
from nommerctl.errors import NodeLivesOnError, PermissionDeniedError, UnreachableError
from nommerctl.ports import Clock

GRACE = 5.0
"""Seconds between asking a worker to end and ending it."""

UNNAMED_FOR = 60.0
"""Seconds after which a folder without a node's name was left by somebody who died while making it."""

_ORDER = ".order"

_NODE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]*")
"""A token and a number, or `hand`."""


class LocalFleetReads:
    """The nodes of this machine, looked at.

    `folder` is the state folder's `workers`, `logs` where the nodes' logs are; they need not exist. What a node that
    died said last is taken for its failure.
    """

    lag = 0.0
    offers_on_demand = False

    def __init__(self, folder: Path, logs: Path, *, worker: Sequence[str]) -> None:
        self._folder = folder
        self._logs = logs
        self._worker = tuple(worker)

    def get_instances(self) -> list[Instance]:
        """Return every node that has a folder. What else somebody may have put there is none of ours."""
        try:
            entries = [entry for entry in sorted(self._folder.iterdir()) if entry.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            msg = f"the folder of the workers cannot be read: {error}"
            raise UnreachableError(msg) from error
        homes = [NodeHome(entry) for entry in entries if _NODE_ID.fullmatch(entry.name)]
        return [self._instance(home) for home in homes]

    def _instance(self, home: NodeHome) -> Instance:
        alive = home.alive()
        failure = "" if alive else last_line(self._logs, home.node)
        return Instance(home.node, alive, home.birth().launched, failure=failure)

    def request(
        self,
        *,
        token: str,  # noqa: ARG002 - what other fleets put into it
        count: int,  # noqa: ARG002
        slots: int,
        refused: Mapping[Pool, float] = {},  # noqa: ARG002
        on_demand: bool = False,  # noqa: ARG002
    ) -> str:
        """Return the command line of each worker, as JSON: a worker is told its node and its lock besides."""
        return json.dumps([*self._worker, "--slots", str(slots)])  # which, in ASCII, takes paths that are no UTF-8


class LocalFleet(LocalFleetReads):
    """Starts workers in sessions of their own, so that neither a closed terminal nor cron's end reaches them."""

    def __init__(
        self,
        folder: Path,
        logs: Path,
        *,
        worker: Sequence[str],
        environment: Mapping[str, str],
        clock: Clock,
        grace: float = GRACE,
    ) -> None:
        super().__init__(folder, logs, worker=worker)
        self._environment = environment
        self._clock = clock
        self._grace = grace

    def spawn_instances(self, launch: Launch) -> Spawned:
        """Start the workers of an order that were not started yet.

        What was started stands in a file named after the order, written before each start: so a worker that came,
        worked and left again between two tries is not started twice.
        """
        argv = json.loads(launch.request)
        nodes = [f"{launch.token}-{number}" for number in range(launch.count)]
        try:
            self._clear_up(launch.token)
            with (self._folder / f"{launch.token}{_ORDER}").open("a+", encoding="ascii") as started:
                started.seek(0)
                known = started.read().split()
                for node in nodes:
                    if node not in known:
                        started.write(f"{node}\n")
                        started.flush()
                        self._start(node, argv)
        except OSError as error:
            raise translated(error, "a worker cannot be started") from error
        return Spawned(tuple(nodes))

    def _clear_up(self, token: str) -> None:
        """Remove what nobody needs: settled orders, folders of nodes that never got a name, the oldest logs."""
        for order in self._folder.glob(f"*{_ORDER}"):
            if order.stem != token:
                order.unlink(missing_ok=True)
        for unnamed in self._folder.glob(f"{UNNAMED}*"):
            if (
                self._clock() - unnamed.stat().st_mtime_ns // 1000 > micros(UNNAMED_FOR)
                and not NodeHome(unnamed).alive()
            ):
                NodeHome(unnamed).clear()
        drop_old_logs(self._logs, living={each.id for each in self.get_instances() if each.alive})

    def _start(self, node: NodeId, argv: Sequence[str]) -> None:
        home = NodeHome(self._folder / node)
        try:
            descriptor = home.occupy(self._clock())
            with open_log(self._logs, node) as log:
                worker = subprocess.Popen(
                    [*argv, "--node", node, "--lock", str(descriptor)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=self._environment,
                    pass_fds=(descriptor,),
                    start_new_session=True,
                )
            home.sign(worker.pid)
            worker.returncode = 0  # it outlives us on purpose: nobody waits for it here
        finally:
            home.let_go()

    def end_instances(self, nodes: Sequence[NodeId]) -> None:
        """Ask each worker to end, end it if it does not, and clear away what it left.

        NodeLivesOnError if one does so all the same: it is left as it is, and goes on counting.
        """
        homes = [NodeHome(self._folder / node) for node in nodes]
        living = [home for home in homes if home.alive()]
        for sign, patience in ((signal.SIGTERM, self._grace), (signal.SIGKILL, 1.0)):
            for home in living:
                _signal(home, sign)
            deadline = time.monotonic() + patience
            while living and time.monotonic() < deadline:
                time.sleep(0.05)
                living = [home for home in living if home.alive()]
        for home in homes:
            if home not in living:
                home.clear()
        if living:
            msg = f"these workers cannot be ended: {', '.join(home.node for home in living)}"
            raise NodeLivesOnError(msg)


def _signal(home: NodeHome, sign: signal.Signals) -> None:
    """Signal the process that holds the lock: while it is held, the id in it cannot have passed to another.

    Nobody, if the lock file does not say who that is: 0 and 1 would be our own process group and the system's first.
    """
    pid = home.birth().pid
    if pid <= 1:
        return
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return
    except PermissionError as error:
        msg = f"worker {home.node} belongs to another user and cannot be ended"
        raise PermissionDeniedError(msg) from error
