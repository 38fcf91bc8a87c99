"""The decision of scale: what it sees, what it plans, and the policies that lead from one to the other.

A policy says how many nodes the demand wants. Everything that must hold whatever the policy says (the bound, partial
knowledge, silent nodes) is applied around it, in `decide`, once for all policies.
"""

from collections.abc import Callable, Sequence
from typing import assert_never

from msgspec import Struct

from nommerctl.domain.breaker import BreakerState, Standing, boots, standing
from nommerctl.domain.conditions import NodeCondition, node_condition
from nommerctl.domain.config import Policy, ScaleSettings
from nommerctl.domain.fleet import REFUSED_FOR, Depth, Instance, Launch, Node
from nommerctl.domain.job import ON_DEMAND_WITHIN
from nommerctl.domain.outcome import Held
from nommerctl.domain.overview import Overview
from nommerctl.domain.states import UNFINISHED, JobState
from nommerctl.domain.text import counted
from nommerctl.domain.times import AHEAD, Instant, age, impossible, micros, seconds_between

RESPITE = 30.0
"""Seconds from the mark on a silent node to its end: more than a heartbeat, whatever the clock did before it."""


class FarmView(Struct, frozen=True, kw_only=True):
    """What scale has read: cached jobs by state, the queues' depths, nodes, and the ledger.

    The ledger was read before the nodes: an order under its generation is void if another was settled since. `changes`
    is None where cache and queue of new jobs agree; `may_resync` is whether such a difference is worth a resync, which
    reads the whole store. `on_demand` is how many jobs wait for a node that nobody takes away. `instances` is what the
    fleet shows, those that are gone too, `fleet_lag` how many seconds that may take. `in_doubt` is how many nodes may
    exist besides those in `nodes`, or come yet. `cache_age` is the seconds since the last refresh, None if there never
    was one, negative if the clock went back since; `cache_max_age` is what is allowed.
    """

    jobs: dict[JobState, int]
    new_jobs: Depth
    changes: Depth | None = None
    may_resync: bool = True
    on_demand: int = 0
    nodes: tuple[Node, ...]
    instances: tuple[Instance, ...] = ()
    fleet_lag: float = 0.0
    ledger: Overview
    in_doubt: int = 0
    cache_age: float | None
    cache_max_age: float

    @property
    def unfinished(self) -> int:
        """Unfinished jobs, as the cache knows them."""
        return sum(count for state, count in self.jobs.items() if state in UNFINISHED)

    @property
    def announced(self) -> int:
        """The jobs that there are by the queue: of those that old workers have in hand there is no message any more."""
        return self.new_jobs.total + sum(node.active for node in self.nodes if node.alive and node.is_old)

    @property
    def difference(self) -> int:
        """By how many jobs queue and cache differ: more than 0 if there are more by the queue."""
        return self.announced - self.unfinished

    @property
    def demand(self) -> int:
        """The jobs that cache and queue agree on: where they differ, the smaller number."""
        return min(self.unfinished, self.announced)


class Ending(Struct, frozen=True):
    """A node that is to be marked or ended, and why."""

    node: str
    reason: str


class ScalePlan(Struct, frozen=True, kw_only=True):
    """What one pass of scale is going to do. `again` is an order to be repeated as it was journalled.

    With `on_demand` the nodes to be launched are such that nobody takes away. `breaker` is how that stands, None if it
    was not looked at.
    """

    launch: int = 0
    on_demand: bool = False
    again: Launch | None = None
    mark: tuple[Ending, ...] = ()
    end: tuple[Ending, ...] = ()
    held: tuple[Held, ...] = ()
    reasons: tuple[str, ...] = ()
    resync: bool = False
    breaker: Standing | None = None


def _silence(node: Node, now: Instant) -> str:
    if impossible(node.last_sign, now):
        return f"its last sign is dated {age(seconds_between(now, node.last_sign))} after now"
    quiet = age(seconds_between(node.last_sign, now))
    return f"no heartbeat for {quiet}" if node.beat else f"launched {quiet} ago, never came up"


def _judge_nodes(
    view: FarmView, settings: ScaleSettings, now: Instant
) -> tuple[list[Ending], list[Ending], list[Node]]:
    """Sort out the nodes to end, those to mark, and those that can be counted upon.

    One that is not ours is left alone, and is none of these, unless an old worker on it gives heartbeats.
    """
    end: list[Ending] = []
    mark: list[Ending] = []
    sound: list[Node] = []
    for node in view.nodes:
        condition = node_condition(node, now=now, limits=settings)
        if not node.ours:
            sound += [node] if condition is NodeCondition.RUNNING and node.is_old else []
        elif condition is NodeCondition.DEAD:
            end.append(Ending(node.id, "its process is gone"))
        elif condition is not NodeCondition.SILENT:
            sound.append(node)
        elif node.marked is None:
            mark.append(Ending(node.id, _silence(node, now)))
        elif node.marked + micros(RESPITE) <= now or impossible(node.marked, now):
            end.append(Ending(node.id, _silence(node, now)))
    return end, mark, sound


def overflow(demand: int, slots: int, settings: ScaleSettings) -> tuple[int, str]:
    """Media-nommer's rule: launch when jobs overflow the slots of the nodes that run.

    Return the nodes wanted and the reason. With slots, `overflow_threshold` jobs must be left over before any is
    wanted; with none, one job is enough. Source: the documentation of `spawn_if_needed`; put right: what already runs
    counts towards the cap (in `decide`), and a part of a node's worth of jobs still gets a node.
    """
    over = demand - slots
    if over <= 0:
        return 0, f"{counted(demand, 'job')} in {counted(slots, 'slot')}" if demand else "no jobs"
    if slots and over < settings.overflow_threshold:
        few = f"fewer than overflow_threshold = {settings.overflow_threshold}"
        return 0, f"{counted(demand, 'job')} for {counted(slots, 'slot')}: the {over} left over are {few}"
    return -(
        -over // settings.jobs_per_node
    ), f"{counted(demand, 'job')} for {counted(slots, 'slot')}: {over} left over"


def _policy(policy: Policy) -> Callable[[int, int, ScaleSettings], tuple[int, str]]:
    match policy:
        case Policy.OVERFLOW:
            return overflow
        case _:
            assert_never(policy)


def _partial_knowledge(view: FarmView) -> str | None:
    if view.cache_age is None:
        return "the job cache is empty: run `nommerctl refresh` first"
    if -view.cache_age > AHEAD / 1_000_000:
        ahead = f"the last refresh is dated {age(-view.cache_age)} after now, for the clock went back"
        return f"{ahead}: run `nommerctl refresh` first"
    if view.cache_age > view.cache_max_age:
        return f"the last refresh was {age(view.cache_age)} ago: run `nommerctl refresh` first"
    return None


def _capped(wanted: int, room: int, settings: ScaleSettings) -> tuple[int, tuple[Held, ...]]:
    """Cut what is wanted down to what the limits leave; say what was cut and by which limit."""
    held = []
    launch = wanted
    if launch > max(room, 0):
        over = launch - max(room, 0)
        held.append(Held("max_nodes", f"{over} more would exceed max_nodes = {settings.max_nodes}", over))
        launch -= over
    if launch > settings.max_launch_per_pass:
        over = launch - settings.max_launch_per_pass
        reason = f"{over} more would exceed max_launch_per_pass = {settings.max_launch_per_pass}"
        held.append(Held("max_launch_per_pass", reason, over))
        launch -= over
    return launch, tuple(held)


def _on_demand(view: FarmView, sound: Sequence[Node], settings: ScaleSettings, now: Instant) -> int:
    """How many nodes are to be launched for the jobs that want one that stays; what else is wanted waits for a pass.

    None while there is no capacity of that kind: such a job is anybody's in a while (ON_DEMAND_WITHIN), and counts here
    for no longer. A node that was launched since counts whole, whatever it does: one for each job will have to do.
    """
    refused = view.ledger.refused(now)
    if any(pool.market == "on-demand" and seconds < REFUSED_FOR for pool, seconds in refused.items()):
        return 0
    stay = (node for node in sound if node.on_demand)
    free = sum(
        node.slots if node.launched + micros(ON_DEMAND_WITHIN) > now else node.slots - node.active for node in stay
    )
    return -(-max(min(view.on_demand, view.demand) - free, 0) // settings.jobs_per_node)


def breaker_standing(view: FarmView, settings: ScaleSettings, now: Instant) -> Standing:
    """Return how the breaker stands by what was read."""
    booted = boots(
        view.ledger.launches,
        up=view.ledger.came_up,
        instances=view.instances,
        lag=view.fleet_lag,
        limit=settings.boot_limit,
        now=now,
    )
    return standing(view.ledger.breaker, booted, settings, now)


def _broken(wanted: int, breaker: Standing) -> tuple[int, tuple[Held, ...]]:
    """Cut what the limits leave down to what the breaker lets through; it is said as long as it is not closed."""
    if breaker.state is BreakerState.CLOSED:
        return wanted, ()
    launch = min(wanted, breaker.most or 0)
    return launch, (Held("breaker", breaker.sentence, wanted - launch),)


def decide(view: FarmView, settings: ScaleSettings, now: Instant) -> ScalePlan:
    """Plan one pass: pure, and the same for a dry run.

    The bound (I2): every node that exists and is not proven dead counts, silent ones and those about to be ended too;
    so do those in doubt, and an order whose answer is not known: while there is one, it is repeated and nothing else is
    launched. The breaker holds whatever else is wanted, but for such an order: it has been given.
    """
    blind = _partial_knowledge(view)
    if blind is not None:
        return ScalePlan(held=(Held("cache.max_age", blind),), reasons=(blind,))
    end, mark, sound = _judge_nodes(view, settings, now)
    living = sum(node.alive for node in view.nodes)
    slots = sum(node.slots for node in sound)
    breaker = breaker_standing(view, settings, now)
    resync = view.may_resync and view.changes is not None and view.changes.total == 0
    reasons = [f"{ending.node}: {ending.reason}" for ending in (*end, *mark)]
    unsettled = view.ledger.unsettled
    if unsettled is not None:
        reasons.append(f"the answer to order {unsettled.token} is not known: it is given again, unchanged")
        return ScalePlan(
            again=unsettled,
            end=tuple(end),
            mark=tuple(mark),
            held=_broken(0, breaker)[1],
            reasons=tuple(reasons),
            resync=resync,
            breaker=breaker,
        )
    wanted, why = _policy(settings.policy)(view.demand, slots, settings)
    if living + wanted < settings.min_nodes:
        wanted, why = settings.min_nodes - living, f"{living} nodes are fewer than min_nodes = {settings.min_nodes}"
    on_demand = _on_demand(view, sound, settings, now)
    if on_demand:
        wanted, why = on_demand, f"{counted(view.on_demand, 'job')} interrupted too often for spot: on-demand"
    allowed, held = _capped(wanted, settings.max_nodes - living - view.in_doubt, settings)
    launch, broken = _broken(allowed, breaker)
    return ScalePlan(
        launch=launch,
        on_demand=bool(on_demand),
        end=tuple(end),
        mark=tuple(mark),
        held=(*held, *broken),
        reasons=(why, *reasons),
        resync=resync,
        breaker=breaker,
    )
