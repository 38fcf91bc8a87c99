"""The scale pass: read nodes, ledger and backlog, decide, launch and end.

Media-nommer's `spawn_if_needed`. The decision itself is domain/scaling.py.
"""

from collections.abc import Callable, Sequence

from msgspec import structs

from nommerctl.domain.breaker import CLOSING, OPENING, BreakerState, Standing
from nommerctl.domain.cached import CacheStatus
from nommerctl.domain.config import CacheSettings, ScaleSettings
from nommerctl.domain.fleet import Instance, Launch, Node, in_doubt, joined
from nommerctl.domain.job import ON_DEMAND_WITHIN
from nommerctl.domain.outcome import Change, Decision, Inputs, Notice, Outcome
from nommerctl.domain.overview import Overview
from nommerctl.domain.scaling import FarmView, ScalePlan, decide
from nommerctl.domain.states import UNFINISHED, JobState
from nommerctl.domain.text import counted
from nommerctl.domain.times import Instant, impossible, micros, rfc3339, seconds_between
from nommerctl.passes.means import Effect, FarmReads, FarmWrites, Performer
from nommerctl.ports import Clock

BETWEEN_RESYNCS = 600.0
"""Seconds from one resync to the next that scale asks for, where the last one has not explained the difference."""

SIGNS = 4
"""How many signs of the controller there are in the time after which nodes would miss it."""


def scale(
    reads: FarmReads,
    perform: Performer,
    *,
    settings: ScaleSettings,
    cache_settings: CacheSettings,
    silence: float,
    clock: Clock,
    new_token: Callable[[], str],
    node_settings: str = "",
) -> Outcome:
    """Make one pass; `new_token` names an order, unguessably, should one be given.

    `silence` is after how many seconds without a sign of this pass nodes take the farm for forgotten. `node_settings`
    is what they have to find in the ledger, empty if they do not read it.

    A store, queue or fleet that cannot be read whole raises, and nothing is launched or ended (I7).
    """
    now = clock()
    view = look(reads, cache_settings, now)
    plan = decide(view, settings, now)
    decision = _decision(plan, view, settings, now)
    if _worth_keeping(decision, view):  # before it is carried out: whatever comes of that, this was decided
        perform.quietly(lambda writes: writes.ledger.decide(decision))
    elif _sign_due(view, silence, now):
        perform.quietly(lambda writes: writes.ledger.sign(now))
    if node_settings not in {"", view.ledger.node_settings}:  # before any node is launched that would read others
        perform.quietly(lambda writes: writes.ledger.publish(node_settings))
    _apply(reads, perform, plan, view=view, slots=settings.jobs_per_node, now=now, new_token=new_token)
    outcome = perform.outcome("scale", held=plan.held, plan=decision)
    return structs.replace(outcome, notice=_notice(plan.breaker, settings, now))


def look(reads: FarmReads, cache_settings: CacheSettings, now: Instant) -> FarmView:
    """Read all that a decision needs.

    The queue of changes is asked only where cache and queue of new jobs differ: it may explain why.
    """
    ledger = reads.ledger.overview()  # first: what is settled from here on makes our own order void
    status = reads.cache.status()
    refreshed = status.refreshed
    jobs, new_jobs = reads.cache.count_by_state(), reads.new_jobs.depth()
    instances = reads.fleet.get_instances()
    view = FarmView(
        jobs=jobs,
        new_jobs=new_jobs,
        on_demand=reads.cache.waiting_for_on_demand(now - micros(ON_DEMAND_WITHIN))
        if reads.fleet.offers_on_demand
        else 0,
        nodes=tuple(_nodes(reads, instances, ledger, now)),
        instances=tuple(instances),
        fleet_lag=reads.fleet.lag,
        ledger=ledger,
        in_doubt=in_doubt(ledger.launches, now=now, lag=reads.fleet.lag),
        cache_age=None if refreshed is None else seconds_between(refreshed, now),
        cache_max_age=cache_settings.max_age,
    )
    if not view.difference:
        return view
    may_resync = _may_resync(status, view.difference, reads, now)
    return structs.replace(view, changes=reads.changes.depth(), may_resync=may_resync)


def _may_resync(status: CacheStatus, difference: int, reads: FarmReads, now: Instant) -> bool:
    """Not again and again for what a resync does not explain, as a message that is there twice.

    Nor where the lists of the store are behind: then the queues are services too, whose counts are never quite right.
    But what one resync found short, another one has to confirm.
    """
    news = difference != status.difference or (difference < 0 and status.short == 1)
    if status.resynced is None or (news and not reads.store.lag):
        return True
    return status.resynced + micros(BETWEEN_RESYNCS) <= now or impossible(status.resynced, now)


def nodes(reads: FarmReads, now: Instant) -> list[Node]:
    """Read every node that exists, with what the ledger knows of it."""
    ledger = reads.ledger.overview()
    return _nodes(reads, reads.fleet.get_instances(), ledger, now)


def _nodes(reads: FarmReads, instances: Sequence[Instance], ledger: Overview, now: Instant) -> list[Node]:
    lag, check_ins = reads.fleet.lag, ledger.check_ins
    return joined(instances, ledger.heartbeats, ledger.launches, now=now, lag=lag, check_ins=check_ins)


def _sign_due(view: FarmView, silence: float, now: Instant) -> bool:
    """Whether nodes should hear again that there is a controller: long before they would miss it."""
    seen = view.ledger.controller_seen
    return seen is None or seen + micros(silence / SIGNS) <= now or impossible(seen, now)


def _apply(
    reads: FarmReads,
    perform: Performer,
    plan: ScalePlan,
    *,
    view: FarmView,
    slots: int,
    now: Instant,
    new_token: Callable[[], str],
) -> None:
    for ending in plan.end:
        perform(Change("end", ending.node, ending.reason), _end(ending.node))
    for ending in plan.mark:
        perform(Change("mark", ending.node, ending.reason), _mark(ending.node, now))
    if plan.breaker is not None:
        _switch(perform, plan.breaker)
    if plan.again is not None:
        order = plan.again
        perform(Change("repeat order", order.token, plan.reasons[-1]), lambda writes: repeat(writes, order))
    if plan.launch:
        token = new_token()
        order = Launch(
            token=token,
            generation=view.ledger.generation,
            count=plan.launch,
            slots=slots,
            ordered=now,
            request=reads.fleet.request(
                token=token,
                count=plan.launch,
                slots=slots,
                refused=view.ledger.refused(now),
                on_demand=plan.on_demand,
            ),
            on_demand=plan.on_demand,
        )
        perform(Change("launch", counted(plan.launch, "node"), plan.reasons[0]), lambda writes: launch(writes, order))
    if plan.resync:
        perform.quietly(_noted(resync_wanted=True, difference=view.difference))
    elif not view.difference and reads.cache.status().difference:  # the next one is news, whatever it is
        perform.quietly(_noted(difference=0))


def _noted(**status: int) -> Effect:
    return lambda writes: writes.cache.set_status(lambda before: structs.replace(before, **status))


def _switch(perform: Performer, breaker: Standing) -> None:
    """Write the breaker's row, if it is to be another one."""
    row = breaker.switch
    if row is None:
        return
    change = Change(CLOSING, "for nodes come up", breaker.why)
    if breaker.until is not None:
        change = Change(OPENING, f"until {rfc3339(breaker.until)[:19]}Z", breaker.why)
    perform(change, lambda writes: writes.ledger.switch(row))


def _notice(breaker: Standing | None, settings: ScaleSettings, now: Instant) -> Notice | None:
    """What every command has to say of the breaker; nothing any more when no pass has come for longer than it holds."""
    if breaker is None:
        return None
    if breaker.state is BreakerState.CLOSED:
        return Notice()
    return Notice(breaker.sentence, breaker.until or now + micros(settings.boot_limit))


def launch(writes: FarmWrites, order: Launch) -> None:
    """Journal an order, give it, and note what came of it (I2)."""
    writes.ledger.journal(order)
    give(writes, order)


def repeat(writes: FarmWrites, order: Launch) -> None:
    """Give an order again, unless it has been settled meanwhile: by then it may count for nothing."""
    writes.ledger.repeat(order.token)
    give(writes, order)


def give(writes: FarmWrites, order: Launch) -> None:
    """Give a journalled order and settle it; what was wrong with it comes out."""
    spawned = writes.fleet.spawn_instances(order)
    writes.ledger.settle(order.token, spawned)
    if spawned.fault is not None:
        raise spawned.fault


def _end(node: str) -> Effect:
    def effect(writes: FarmWrites) -> None:
        writes.fleet.end_instances([node])
        writes.ledger.forget(node)

    return effect


def _mark(node: str, now: Instant) -> Effect:
    return lambda writes: writes.ledger.mark(node, now)


def _inputs(view: FarmView, settings: ScaleSettings) -> Inputs:
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
        "ordered": view.in_doubt + (view.ledger.unsettled.count if view.ledger.unsettled else 0),
        "cache_age_s": None if view.cache_age is None else round(view.cache_age, 1),
        "policy": settings.policy.value,
        "max_nodes": settings.max_nodes,
        "min_nodes": settings.min_nodes,
        "jobs_per_node": settings.jobs_per_node,
        "overflow_threshold": settings.overflow_threshold,
        "max_launch_per_pass": settings.max_launch_per_pass,
    }


def _worth_keeping(decision: Decision, view: FarmView) -> bool:
    """Whether it does something, or is held by something else than the last one was: not every quiet minute counts."""
    last = view.ledger.decision
    return bool(decision.launch or decision.end) or decision.held != (last.held if last else ())


def _decision(plan: ScalePlan, view: FarmView, settings: ScaleSettings, now: Instant) -> Decision:
    return Decision(
        at=now,
        launch=plan.again.count if plan.again else plan.launch,
        end=tuple(ending.node for ending in plan.end),
        reasons=(*plan.reasons, *(held.reason for held in plan.held if held.reason not in plan.reasons)),
        inputs=_inputs(view, settings),
        held=tuple(held.by for held in plan.held),
    )
