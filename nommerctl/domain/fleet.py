"""Nodes (what runs workers), what the ledger knows of them, and the orders that brought them up."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from nommerctl.domain.job import Price
from nommerctl.domain.times import AHEAD, Instant, micros, seconds_between
from nommerctl.errors import NommerctlError

NodeId: TypeAlias = str


class Instance(Struct, frozen=True):
    """What the fleet itself shows: a node exists, and whether it still runs. `launched` is when it was started.

    One that is `gone` has ended and is only shown for a while still: it counts no more. Neither does one that is
    `stopped`, which is gone as well; but it is there, and its disk costs until somebody ends it. One that is not `ours`
    counts towards the bound, and is left alone. `failure` is what one that did not come up said of that, if anything;
    one that was `taken_back`, as spot instances are, need not have come up, and nothing was wrong with it.
    """

    id: NodeId
    alive: bool
    launched: Instant
    gone: bool = False
    ours: bool = True
    failure: str = ""
    stopped: bool = False
    taken_back: bool = False


class Pool(Struct, frozen=True, order=True):
    """Where nodes come from: an instance type in a place (a zone, or a subnet), bought as `spot` or `on-demand`."""

    instance_type: str
    place: str
    market: str


class Refusal(Struct, frozen=True):
    """A pool gave nothing at an instant, whatever the reason: orders go around it for REFUSED_FOR seconds at least."""

    pool: Pool
    at: Instant


REFUSED_FOR = 180.0
"""Seconds. Capacity comes and goes within minutes, and an order that is refused costs a pass."""


class Spawned(Struct, frozen=True):
    """What came of an order for good: its nodes, and the pools that had no room for (all of) it, or failed otherwise.

    `fault` is what has to be mended before any order like it can be filled; to be raised once the order is settled.
    `certain` says that the fleet answers so whoever gives the order again; else more may come of it if somebody does.
    """

    nodes: tuple[NodeId, ...] = ()
    refused: tuple[Pool, ...] = ()
    fault: NommerctlError | None = None
    certain: bool = True


class Heartbeat(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node's row in the ledger, written by its worker in every beat and, as `marked`, by scale.

    `slots` is how many jobs it takes at once, `active` how many it has in hand. `marked` is when a pass first found it
    silent; a later beat of the worker clears it. `usd_per_hour` is what the whole node costs, None if that is not
    known. A node that is an EC2 instance says its `instance_type`, `zone` and `market` ("spot" or "on-demand") besides.
    One that `takes_leases` holds its jobs by these; media-nommer's own workers do not, and name no jobs.
    """

    node: NodeId
    started: Instant
    at: Instant
    slots: int
    active: int = 0
    jobs: tuple[str, ...] = ()
    host: str = ""
    pid: int = 0
    marked: Instant | None = None
    usd_per_hour: Price | None = None
    instance_type: str = ""
    zone: str = ""
    market: str = ""
    takes_leases: bool = True


class CheckIn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node leaves in the ledger with its first heartbeat, and what outlives it: `at` that instant it was up.

    `launched` is when it was launched, by the fleet's word. The rest is as in its heartbeats.
    """

    node: NodeId
    launched: Instant
    at: Instant
    instance_type: str = ""
    zone: str = ""
    market: str = ""

    @property
    def lag(self) -> float:
        """Its boot lag: seconds from its launch to its first heartbeat."""
        return seconds_between(self.launched, self.at)


class Launch(Struct, frozen=True, kw_only=True):
    """An order for nodes, journalled before it is given and repeated byte for byte until it is settled.

    `generation` is the farm's when it was decided; at most one order is unsettled at a time. `request` is the exact
    text that the fleet was, or will be, asked with; `on_demand` says that it asks for nodes that nobody takes away.
    `nodes` are the ids that came of it, noted when it was `answered`. It is `repeated` if it was given again and what
    came of it is not known, or not certain.
    """

    token: str
    generation: int
    count: int
    slots: int
    ordered: Instant
    request: str
    on_demand: bool = False
    settled: bool = False
    repeated: bool = False
    answered: Instant = 0
    nodes: tuple[NodeId, ...] = ()


class Depth(Struct, frozen=True):
    """How many messages a queue holds: to be received, received but not deleted, and not yet to be received."""

    visible: int = 0
    in_flight: int = 0
    delayed: int = 0

    @property
    def total(self) -> int:
        """All messages that the queue still answers for."""
        return self.visible + self.in_flight + self.delayed


class Node(Struct, frozen=True, kw_only=True):
    """A node as scale and `nodes` see it: the fleet's word and the ledger's, side by side.

    `beat` is its last heartbeat, None if it never gave one, and `check_in` what it left with the first, None if it is
    not known any more. `marked` is when a pass first found it silent. `ordered` is the order that it came of, None if
    none is known. One that is not `ours` counts, and scale leaves it alone.
    """

    id: NodeId
    alive: bool
    launched: Instant
    slots: int
    beat: Heartbeat | None = None
    check_in: CheckIn | None = None
    marked: Instant | None = None
    ordered: Launch | None = None
    ours: bool = True

    @property
    def on_demand(self) -> bool:
        """Whether it was bought so that nobody takes it away, by its own word, or by that of its order."""
        if self.beat is not None and self.beat.market:
            return self.beat.market == "on-demand"
        return self.ordered is not None and self.ordered.on_demand

    @property
    def active(self) -> int:
        """How many jobs it had in hand at its last beat."""
        return self.beat.active if self.beat else 0

    @property
    def is_old(self) -> bool:
        """Whether a worker of media-nommer's runs on it."""
        return self.beat is not None and not self.beat.takes_leases

    @property
    def last_sign(self) -> Instant:
        """Its last beat, or its launch if it never gave one."""
        return self.beat.at if self.beat else self.launched


def joined(
    instances: Iterable[Instance],
    rows: Mapping[NodeId, Heartbeat],
    launches: Sequence[Launch],
    *,
    now: Instant,
    lag: float = 0.0,
    check_ins: Mapping[NodeId, CheckIn] = {},
) -> list[Node]:
    """Put the fleet's word and the ledger's together: one Node for each that exists, by id.

    A fleet may take `lag` seconds until it shows a node: until then one that it does not know counts from the answer
    to the order that brought it up, and for AHEAD longer: the clock that dated the answer may have been slow. The slots
    of a node that has not given a beat yet are those it was ordered with, 1 if no order names it, and none if it is not
    ours. A row that only marks a node (`at` 0) holds no beat.
    """
    ordered = {node: launch for launch in launches for node in launch.nodes}
    shown = {instance.id: instance for instance in instances}
    unseen = [
        Instance(node, alive=True, launched=max(launch.ordered, launch.answered))
        for launch in launches
        for node in launch.nodes
        if node not in shown and lag and max(launch.ordered, launch.answered) + micros(lag) + AHEAD > now
    ]
    existing = [*(instance for instance in shown.values() if not instance.gone), *unseen]
    nodes = []
    for instance in sorted(existing, key=lambda instance: instance.id):
        row = rows.get(instance.id)
        beat = row if row and row.at else None
        order = ordered.get(instance.id)
        nodes.append(
            Node(
                id=instance.id,
                alive=instance.alive,
                launched=instance.launched,
                slots=beat.slots if beat else order.slots if order else int(instance.ours),
                beat=beat,
                check_in=check_ins.get(instance.id),
                marked=row.marked if row else None,
                ordered=order,
                ours=instance.ours,
            )
        )
    return nodes


def in_doubt(launches: Iterable[Launch], *, now: Instant, lag: float) -> int:
    """How many nodes may exist, or come yet, of orders that are settled.

    Of an order that several passes gave, what is missing is in doubt where the answer is not certain: it was refused,
    and who was about to give it just then may find it possible; or it was looked up, and not all of it was shown yet.
    That ends when whoever was about to give it has done so, in `lag` seconds, and all of it is shown, in as many; and
    AHEAD later, for the clock that dated the answer may have been slow.
    """
    return sum(
        launch.count - len(launch.nodes)
        for launch in launches
        if lag and launch.repeated and launch.settled and launch.answered + micros(2 * lag) + AHEAD > now
    )
