"""When a worker that has nothing to do may go."""

import time
from collections.abc import Callable

from nommerctl.domain.config import WorkerSettings
from nommerctl.domain.times import Instant, seconds_between
from nommerctl.worker.ports import OUT_OF_REACH, WorkerPorts

REASONABLE_BEATS = 3
"""A node whose last beat is older than so many heartbeats does not count as company."""


class Idleness:
    """Decides it. Ledger and queue are asked once in a heartbeat at most, since services count what they are asked.

    With `once` it goes at once; else after worker.idle_exit, unless the farm would have fewer than `keep_nodes` nodes.
    Whatever these say, it goes when its controller has forgotten it: when what `controller_seen` returns, the instant
    of the last pass, has not changed for worker.controller_silence, and no work is left. That is reckoned by how long
    this worker has watched, so that no clock that is wrong can end it. A ledger that does not answer is no sign of
    life. Without `controller_seen` there is nobody to be forgotten by, as for a worker that a person started.
    """

    def __init__(
        self,
        node: str,
        *,
        ports: WorkerPorts,
        settings: WorkerSettings,
        once: bool,
        keep_nodes: int,
        controller_seen: Callable[[], Instant | None] | None,
    ) -> None:
        self._node = node
        self._ports = ports
        self._settings = settings
        self._once = once
        self._keep_nodes = keep_nodes
        self._controller_seen = controller_seen
        self._seen: Instant | None = None
        self._seen_to_change = self._next_look = time.monotonic()

    def may_go(self, idle: float) -> bool:
        """Whether it may, after so many seconds without work."""
        rested = 0 < self._settings.idle_exit <= idle
        if self._once or (rested and not self._keep_nodes):
            return True
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + self._settings.heartbeat
        return (rested and self._company() >= self._keep_nodes) or self._forgotten()

    def _company(self) -> int:
        """How many other nodes are at work, by their heartbeats."""
        now = self._ports.clock()
        reasonable = REASONABLE_BEATS * self._settings.heartbeat
        try:
            beats = self._ports.ledger.overview().heartbeats
        except OUT_OF_REACH as error:
            self._ports.log(f"the other nodes are not known: {error}")
            return 0
        return sum(seconds_between(beat.at, now) <= reasonable for node, beat in beats.items() if node != self._node)

    def _forgotten(self) -> bool:
        if self._controller_seen is None:
            return False
        try:
            seen = self._controller_seen()
        except OUT_OF_REACH as error:
            self._ports.log(f"when the controller was last seen is not known: {error}")
            seen = self._seen
        if seen != self._seen:
            self._seen, self._seen_to_change = seen, time.monotonic()
        if time.monotonic() - self._seen_to_change < self._settings.controller_silence or self._work_is_left():
            return False
        self._ports.log("the controller has made no pass for too long, and no work is left")
        return True

    def _work_is_left(self) -> bool:
        """Whether there are messages, also in other hands; of a queue that does not answer none can be got."""
        try:
            return self._ports.new_jobs.depth().total > 0
        except OUT_OF_REACH as error:
            self._ports.log(f"the queue is not known: {error}")
            return False
