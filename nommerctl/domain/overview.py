"""What the ledger knows of the farm, as one record that is read at once."""

from collections.abc import Mapping

from msgspec import Struct

from nommerctl.domain.fleet import Heartbeat, Launch, NodeId, Pool, Refusal
from nommerctl.domain.outcome import Decision
from nommerctl.domain.times import Instant, impossible, seconds_between


class Overview(Struct, frozen=True, kw_only=True):
    """The ledger at one instant.

    `generation` is how many orders have been settled. `heartbeats` has the last one of every node that is not yet
    forgotten. `launches` are the orders of the last 24 hours, oldest first, and any unsettled one. `refusals` are those
    of pools that an order found without capacity lately. `decision` is the last one that was kept. `controller_seen` is
    when a pass of scale last left its sign, None if none ever did.
    """

    generation: int = 0
    heartbeats: Mapping[NodeId, Heartbeat] = {}
    launches: tuple[Launch, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    decision: Decision | None = None
    controller_seen: Instant | None = None

    @property
    def unsettled(self) -> Launch | None:
        """The order whose answer is not known yet, None if there is none."""
        return next((launch for launch in self.launches if not launch.settled), None)

    def refused(self, now: Instant) -> dict[Pool, float]:
        """How many seconds ago each pool was refused, for orders to go around it."""
        return {
            refusal.pool: seconds_between(refusal.at, now)
            for refusal in self.refusals
            if not impossible(refusal.at, now)
        }
