"""The scale pass: read nodes, ledger and backlog, decide, launch and end.

Media-nommer's `spawn_if_needed`. The decision itself is domain/scaling.py.
"""

from collections.abc import Callable

from msgspec import structs

from nommerctl.domain.config import CacheSettings, ScaleSettings
from nommerctl.domain.fleet import Heartbeat, Instance, Launch, Node
from nommerctl.domain.job import UNFINISHED, JobState
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.scaling import FarmView, ScalePlan, decide
from nommerctl.domain.times import Instant, seconds_between
from nommerctl.ports import Clock, Decision, FarmReads, FarmWrites, Performer


def scale(
    reads: FarmReads,
    perform: Performer,
    *,
    settings: ScaleSettings,
    cache_settings: CacheSettings,
    clock: Clock,
    new_token: Callable[[], str],
) -> Outcome:
    """Make one pass; `new_token` names an order, unguessably, should one be given.

    A store, queue or fleet that cannot be read whole raises, and nothing is launched or ended (I7).
    """
    now = clock()
    view = look(reads, cache_settings, now)
    plan = decide(view, settings, now)
    _apply(reads, perform, plan, slots=settings.jobs_per_node, now=now, new_token=new_token)
    inputs = _inputs(view, settings)
    if plan.launch or plan.again or plan.end:
        perform.quietly(lambda writes: writes.ledger.decide(_decision(plan, inputs, now)))
    return perform.outcome(
        "scale",
        held=plan.held,
        plan={
            "launch": plan.launch,
            "end": [ending.node for ending in plan.end],
            "reasons": list(plan.reasons),
            "inputs": inputs,
        },
    )


def look(reads: FarmReads, cache_settings: CacheSettings, now: Instant) -> FarmView:
    """Read all that a decision needs."""
    unsettled = reads.ledger.unsettled()
    instances = reads.fleet.get_instances()
    refreshed = reads.cache.status().refreshed
    return FarmView(
        jobs=reads.cache.count_by_state(),
        new_jobs=reads.new_jobs.depth(),
        changes=reads.changes.depth(),
        nodes=nodes(instances, reads.ledger.heartbeats(), reads.ledger.launches()),
        unsettled=unsettled,
        cache_age=None if refreshed is None else max(seconds_between(refreshed, now), 0.0),
        cache_max_age=cache_settings.max_age,
    )


def nodes(instances: list[Instance], beats: dict[str, Heartbeat], launches: list[Launch]) -> tuple[Node, ...]:
    """Put the fleet's word and the ledger's together: one Node for each instance, by id.

    The slots of a node that has not given a beat yet are those it was ordered with, 1 if no order names it.
    """
    ordered = {node: launch.slots for launch in launches for node in launch.nodes}
    return tuple(
        Node(
            id=instance.id,
            alive=instance.alive,
            launched=instance.launched,
            slots=beat.slots if (beat := beats.get(instance.id)) and beat.at else ordered.get(instance.id, 1),
            beat=beat,
        )
        for instance in sorted(instances, key=lambda instance: instance.id)
    )


def _apply(
    reads: FarmReads,
    perform: Performer,
    plan: ScalePlan,
    *,
    slots: int,
    now: Instant,
    new_token: Callable[[], str],
) -> None:
    for ending in plan.end:
        perform(Change("end", ending.node, ending.reason), _end(ending.node))
    for ending in plan.mark:
        perform(Change("mark", ending.node, ending.reason), _mark(ending.node, now))
    if plan.again is not None:
        order = plan.again
        perform(Change("repeat order", order.token, plan.reasons[-1]), lambda writes: give(writes, order))
    if plan.launch:
        token = new_token()
        order = Launch(
            token=token,
            generation=reads.ledger.generation(),
            count=plan.launch,
            slots=slots,
            ordered=now,
            request=reads.fleet.request(token=token, count=plan.launch, slots=slots),
        )
        noun = "node" if plan.launch == 1 else "nodes"
        perform(Change("launch", f"{plan.launch} {noun}", plan.reasons[0]), lambda writes: launch(writes, order))
    if plan.resync:
        perform.quietly(
            lambda writes: writes.cache.set_status(lambda status: structs.replace(status, resync_wanted=True))
        )


def launch(writes: FarmWrites, order: Launch) -> None:
    """Journal an order, give it, and note what came of it (I2)."""
    writes.ledger.journal(order)
    give(writes, order)


def give(writes: FarmWrites, order: Launch) -> None:
    """Give a journalled order, for the first time or again, and settle it."""
    writes.ledger.settle(order.token, writes.fleet.spawn_instances(order))


def _end(node: str) -> Callable[[FarmWrites], None]:
    def effect(writes: FarmWrites) -> None:
        writes.fleet.end_instances([node])
        writes.ledger.forget(node)

    return effect


def _mark(node: str, now: Instant) -> Callable[[FarmWrites], None]:
    return lambda writes: writes.ledger.mark(node, now)


def _inputs(view: FarmView, settings: ScaleSettings) -> dict[str, int | float | str | bool | None]:
    """What the decision was made from, flat, in the order in which a person reads it."""
    alive = [node for node in view.nodes if node.alive]
    waiting = {state.value: view.jobs.get(state, 0) for state in JobState if state in UNFINISHED}
    return {
        **waiting,
        "demand": view.demand,
        "queued": view.new_jobs.visible + view.new_jobs.delayed,
        "in_flight": view.new_jobs.in_flight,
        "nodes": len(alive),
        "slots": sum(node.slots for node in alive),
        "active": sum(node.active for node in alive),
        "ordered": view.unsettled.count if view.unsettled else 0,
        "cache_age_s": None if view.cache_age is None else round(view.cache_age, 1),
        "policy": settings.policy.value,
        "max_nodes": settings.max_nodes,
        "min_nodes": settings.min_nodes,
        "jobs_per_node": settings.jobs_per_node,
        "overflow_threshold": settings.overflow_threshold,
        "max_launch_per_pass": settings.max_launch_per_pass,
    }


def _decision(plan: ScalePlan, inputs: dict[str, int | float | str | bool | None], now: Instant) -> Decision:
    return Decision(
        at=now,
        launch=plan.launch or (plan.again.count if plan.again else 0),
        end=tuple(ending.node for ending in plan.end),
        reasons=plan.reasons,
        inputs=inputs,
    )
