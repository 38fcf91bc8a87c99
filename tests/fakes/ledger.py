"""A ledger in memory."""

import threading
from collections.abc import Sequence

from msgspec import structs

from nommerctl.domain.fleet import Heartbeat, Launch, NodeId
from nommerctl.domain.outcome import Decision
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import ConflictError
from nommerctl.ports import Clock

_DAY = micros(24 * 3600)


class FakeLedger:
    """A ports.Ledger that keeps its promises among threads; time is that of `clock`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[NodeId, Heartbeat] = {}
        self._launches: dict[str, Launch] = {}
        self._decisions: list[Decision] = []
        self._generation = 0
        self._lock = threading.Lock()

    def heartbeats(self) -> dict[NodeId, Heartbeat]:
        with self._lock:
            return dict(self._beats)

    def generation(self) -> int:
        return self._generation

    def unsettled(self) -> Launch | None:
        with self._lock:
            return next((launch for launch in self._launches.values() if not launch.settled), None)

    def launches(self) -> list[Launch]:
        since = self._clock() - _DAY
        with self._lock:
            shown = [launch for launch in self._launches.values() if not launch.settled or launch.ordered >= since]
        return sorted(shown, key=lambda launch: launch.ordered)

    def decisions(self, limit: int) -> list[Decision]:
        with self._lock:
            newest_first = sorted(self._decisions, key=lambda decision: decision.at)[::-1]
        return newest_first[:limit]

    def beat(self, heartbeat: Heartbeat) -> None:
        with self._lock:
            self._beats[heartbeat.node] = heartbeat

    def mark(self, node: NodeId, at: Instant) -> None:
        with self._lock:
            beat = self._beats.get(node, Heartbeat(node=node, started=0, at=0, slots=0))
            self._beats[node] = beat if beat.marked is not None else structs.replace(beat, marked=at)

    def forget(self, node: NodeId) -> None:
        with self._lock:
            self._beats.pop(node, None)

    def journal(self, launch: Launch) -> None:
        with self._lock:
            if launch.generation != self._generation:
                msg = f"order {launch.token} is for generation {launch.generation}, not {self._generation}"
                raise ConflictError(msg)
            unsettled = [token for token, other in self._launches.items() if not other.settled]
            if any(token != launch.token for token in unsettled):
                msg = f"order {launch.token} must wait for order {unsettled[0]}"
                raise ConflictError(msg)
            self._launches.setdefault(launch.token, launch)

    def settle(self, token: str, nodes: Sequence[NodeId]) -> None:
        with self._lock:
            launch = self._launches.get(token)
            if launch is not None and not launch.settled:
                self._launches[token] = structs.replace(launch, settled=True, nodes=tuple(nodes))
                self._generation += 1

    def decide(self, decision: Decision) -> None:
        with self._lock:
            kept = [other for other in self._decisions if other.at >= decision.at - 7 * _DAY]
            self._decisions = [*kept, decision]
