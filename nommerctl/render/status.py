"""How the farm stands: what `status` shows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from nommerctl.domain.breaker import sentence, stands
from nommerctl.domain.conditions import NodeCondition, node_condition
from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.outcome import Decision
from nommerctl.domain.states import JobState
from nommerctl.domain.status import FarmStatus
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant, age, micros, rfc3339, seconds_between
from nommerctl.render.json_text import json_document
from nommerctl.render.nodes import nodes_counted
from nommerctl.render.styled import QUIET, TROUBLE, Line, Span, draw
from nommerctl.render.tsv import Cell, tsv
from nommerctl.render.wrapped import hanging, wrapped

_INDENT = 10
_NARROWEST = 20


def status_text(
    status: FarmStatus, overdue: Sequence[str], *, now: Instant, limits: ScaleSettings, width: int, color: bool
) -> str:
    """Return a line for each thing that a person asks first, the long ones wrapped at `width` cells.

    `overdue` has a sentence for each pass that is.
    """
    view = status.view
    breaker = sentence(view.ledger.breaker, limits, now)
    said = [
        ("jobs", _jobs(view.jobs)),
        ("nodes", nodes_counted(view.nodes, [node_condition(node, now=now, limits=limits) for node in view.nodes])),
        ("queue", _queue(status)),
        ("cache", "cold: run `nommerctl refresh`" if view.cache_age is None else f"{age(view.cache_age)} old"),
        (
            "decision",
            "none yet" if status.view.ledger.decision is None else _decision(status.view.ledger.decision, now),
        ),
        *([("breaker", breaker)] if breaker else []),
        *(("overdue", each) for each in overdue),
    ]
    room = max(width - _INDENT, _NARROWEST)
    lines: list[Line] = []
    for label, text in said:
        head = Span(label.ljust(_INDENT), TROUBLE if label in {"breaker", "overdue"} else QUIET)
        lines += hanging((head,), wrapped(shown(text), room), indent=_INDENT)
    return draw(lines, color=color)


def status_tsv(status: FarmStatus, overdue: Sequence[str], *, now: Instant, limits: ScaleSettings) -> str:
    """Return a line for each value of the document, under its dotted name: `jobs.PENDING`; of lists, one for each."""
    return tsv(("name", "value"), _flat("", _record(status, overdue, now, limits)))


def status_json(status: FarmStatus, overdue: Sequence[str], *, now: Instant, limits: ScaleSettings) -> str:
    """Return the document of `status`; `decision` is null if there is none."""
    return json_document(command="status", as_of=rfc3339(now), **_record(status, overdue, now, limits))


def _record(status: FarmStatus, overdue: Sequence[str], now: Instant, limits: ScaleSettings) -> dict[str, Any]:
    view, decision, breaker = status.view, status.view.ledger.decision, status.view.ledger.breaker
    alive = [node for node in view.nodes if node.alive]
    conditions = Counter(node_condition(node, now=now, limits=limits) for node in view.nodes)
    return {
        "jobs": {state.value: view.jobs.get(state, 0) for state in JobState},
        "nodes": {
            **{condition.name.lower(): conditions[condition] for condition in NodeCondition},
            "slots": sum(node.slots for node in alive),
            "active": sum(node.active for node in alive),
            "ordered": view.ledger.unsettled.count if view.ledger.unsettled else 0,
        },
        "queue": {
            "visible": view.new_jobs.visible,
            "in_flight": view.new_jobs.in_flight,
            "delayed": view.new_jobs.delayed,
            "dead": status.dead,
            "changes": status.changes,
        },
        "cache": {"age_s": None if view.cache_age is None else round(view.cache_age, 1)},
        "decision": None
        if decision is None
        else {
            "at": rfc3339(decision.at),
            "launch": decision.launch,
            "end": list(decision.end),
            "reasons": list(decision.reasons),
            "held": list(decision.held),
        },
        "breaker": {
            "state": stands(breaker, limits, now).value,
            "opened": None if breaker.opened is None else rfc3339(breaker.opened),
            "until": None if breaker.opened is None else rfc3339(breaker.opened + micros(limits.breaker_time)),
            "reason": breaker.reason or None,
        },
        "overdue": list(overdue),
    }


def _flat(name: str, value: Any) -> Iterator[tuple[str, Cell]]:  # noqa: ANN401 - what _record is made of
    match value:
        case dict():
            for key, inner in value.items():
                yield from _flat(f"{name}.{key}" if name else key, inner)
        case list():
            yield from ((name, each) for each in value)
        case _:
            yield name, value


def _jobs(counts: dict[JobState, int]) -> str:
    return ", ".join(f"{counts[state]} {state.value}" for state in JobState if counts.get(state)) or "none"


def _queue(status: FarmStatus) -> str:
    depth = status.view.new_jobs
    parts = [f"{depth.visible + depth.delayed} waiting", f"{depth.in_flight} in work"]
    parts += [f"{status.dead} dead (see 'nommerctl queue dead list')"] if status.dead else []
    parts += [f"{status.changes} changes for refresh to learn"] if status.changes else []
    return ", ".join(parts)


def _decision(decision: Decision, now: Instant) -> str:
    """`launch 2, end n1 (3 min ago), because 5 jobs for 0 slots: 5 left over; held by max_nodes`."""
    done = [f"launch {decision.launch}"] if decision.launch else []
    done += [f"end {', '.join(decision.end)}"] if decision.end else []
    because = f", because {'; '.join(decision.reasons)}" if decision.reasons else ""
    held = f"; held by {', '.join(decision.held)}" if decision.held else ""
    return f"{'; '.join(done) or 'nothing'} ({age(seconds_between(decision.at, now))} ago){because}{held}"
