"""A fleet in memory."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from nommerctl.domain.fleet import Instance, Launch, NodeId, Pool, Spawned
from nommerctl.ports import Clock

if TYPE_CHECKING:
    from nommerctl.errors import NommerctlError


class FakeFleet:
    """A ports.Fleet. `room` is how many nodes it can hold; `kill` makes one die where it stands."""

    lag = 0.0
    offers_on_demand = False

    def __init__(self, clock: Clock, *, room: int = 100) -> None:
        self.room = room
        self.instances: dict[NodeId, Instance] = {}
        self.orders: dict[str, list[NodeId]] = {}
        self.requests: list[str] = []
        self.fault: NommerctlError | None = None
        self._clock = clock

    def get_instances(self) -> list[Instance]:
        return list(self.instances.values())

    def request(
        self, *, token: str, count: int, slots: int, refused: Mapping[Pool, float] = {}, on_demand: bool = False
    ) -> str:
        around = "".join(
            f", {pool.market} {pool.instance_type} in {pool.place} refused {seconds:.0f} s ago"
            for pool, seconds in sorted(refused.items())
        )
        return f"{token}: {count} nodes of {slots} slots{around}{', on-demand' if on_demand else ''}"

    def spawn_instances(self, launch: Launch) -> Spawned:
        self.requests.append(launch.request)
        if launch.token not in self.orders:
            count = min(launch.count, self.room - len(self.instances))
            nodes = [f"{launch.token}-{number}" for number in range(count)]
            self.orders[launch.token] = nodes
            self.instances |= {node: Instance(node, alive=True, launched=self._clock()) for node in nodes}
        return Spawned(tuple(self.orders[launch.token]), fault=self.fault)

    def end_instances(self, nodes: Sequence[NodeId]) -> None:
        for node in nodes:
            self.instances.pop(node, None)

    def kill(self, node: NodeId) -> None:
        self.instances[node] = structs.replace(self.instances[node], alive=False)
