"""What the ledger knows of the farm, as one record that is read at once."""

from collections.abc import Mapping

from msgspec import Struct

from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import CheckIn, Heartbeat, Launch, NodeId, Pool, Refusal
from nommerctl.domain.outcome import Decision
from nommerctl.domain.times import Instant, impossible, seconds_between


class Overview(Struct, frozen=True, kw_only=True):
    """The ledger at one instant.

    `generation` is how many orders have been settled. `heartbeats` has the last one of every node that is not yet
    forgotten. `launches` are the orders of the last 24 hours, oldest first, and any unsettled one; `check_ins` those of
    the last 25 hours, and so of all nodes of these orders that came up. `refusals` are those of pools that an order
    found without capacity lately. `decision` is the last one that was kept. `controller_seen` is when a pass of scale
    last left its sign, None if none ever did. `node_settings` is what nodes read, empty if it was never published.
    """

    generation: int = 0
    heartbeats: Mapping[NodeId, Heartbeat] = {}
    check_ins: Mapping[NodeId, CheckIn] = {}
    launches: tuple[Launch, ...] = ()
    breaker: Breaker = Breaker()
    refusals: tuple[Refusal, ...] = ()
    decision: Decision | None = None
    controller_seen: Instant | None = None
    node_settings: str = ""

    @property
    def unsettled(self) -> Launch | None:
        """The order whose answer is not known yet, None if there is none."""
        return next((launch for launch in self.launches if not launch.settled), None)

    @property
    def came_up(self) -> frozenset[NodeId]:
        """The nodes that gave a heartbeat, as far as that is known: a row that only marks a node holds none."""
        return frozenset(self.check_ins) | {node for node, row in self.heartbeats.items() if row.at}

    def refused(self, now: Instant) -> dict[Pool, float]:
        """How many seconds ago each pool was refused, for orders to go around it."""
        return {
            refusal.pool: seconds_between(refusal.at, now)
            for refusal in self.refusals
            if not impossible(refusal.at, now)
        }
