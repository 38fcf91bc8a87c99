"""A ledger in memory."""

import threading

from msgspec import structs

from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import CheckIn, Heartbeat, Launch, NodeId, Pool, Refusal, Spawned
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
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
        self._refused: dict[Pool, Instant] = {}
        self._seen: Instant | None = None
        self._check_ins: dict[NodeId, CheckIn] = {}
        self._breaker = Breaker()
        self._node_settings = ""
        self._lock = threading.Lock()

    def overview(self) -> Overview:
        now = self._clock()
        with self._lock:
            shown = [each for each in self._launches.values() if not each.settled or each.ordered >= now - _DAY]
            return Overview(
                generation=self._generation,
                heartbeats=dict(self._beats),
                launches=tuple(sorted(shown, key=lambda launch: launch.ordered)),
                refusals=tuple(Refusal(pool, at) for pool, at in sorted(self._refused.items())),
                decision=next(iter(self._newest_first()), None),
                controller_seen=self._seen,
                check_ins={
                    node: each for node, each in self._check_ins.items() if each.at >= now - _DAY - micros(3600)
                },
                breaker=self._breaker,
                node_settings=self._node_settings,
            )

    def decisions(self, limit: int) -> list[Decision]:
        with self._lock:
            return self._newest_first()[:limit]

    def _newest_first(self) -> list[Decision]:
        return sorted(self._decisions, key=lambda decision: decision.at)[::-1]

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

    def check_in(self, check_in: CheckIn) -> None:
        with self._lock:
            self._check_ins[check_in.node] = check_in

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

    def repeat(self, token: str) -> None:
        with self._lock:
            launch = self._launches.get(token)
            if launch is None or launch.settled:
                msg = f"order {token} has been settled already"
                raise ConflictError(msg)
            self._launches[token] = structs.replace(launch, repeated=True)

    def settle(self, token: str, spawned: Spawned) -> None:
        with self._lock:
            launch = self._launches.get(token)
            if launch is not None and not launch.settled:
                self._launches[token] = structs.replace(
                    launch,
                    settled=True,
                    repeated=launch.repeated and not spawned.certain,
                    answered=self._clock(),
                    nodes=spawned.nodes,
                )
                self._generation += 1
                self._refused |= dict.fromkeys(spawned.refused, self._clock())

    def switch(self, breaker: Breaker) -> None:
        with self._lock:
            if breaker == self._breaker:
                return
            if breaker.number != self._breaker.number + 1:
                msg = "the breaker has been switched meanwhile"
                raise ConflictError(msg)
            self._breaker = breaker

    def publish(self, text: str) -> None:
        self._node_settings = text

    def sign(self, at: Instant) -> None:
        self._seen = at

    def decide(self, decision: Decision) -> None:
        with self._lock:
            kept = [other for other in self._decisions if other.at >= decision.at - 7 * _DAY]
            self._decisions = [*kept, decision]
            self._seen = decision.at
