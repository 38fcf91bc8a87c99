"""The nodes of the farm: what `nodes` shows."""

from collections import Counter
from collections.abc import Iterable, Sequence

from nommerctl.domain.conditions import NodeCondition, node_condition
from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.costs import node_cost, node_price
from nommerctl.domain.fleet import Node
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, age, rfc3339, seconds_between
from nommerctl.render.dollars import amount, dollars
from nommerctl.render.json_text import json_document
from nommerctl.render.shorten import shorten_middle
from nommerctl.render.styled import QUIET, TROUBLE, Span
from nommerctl.render.tables import Column, Row, table
from nommerctl.render.tsv import Cell, tsv

COLUMNS = (
    Column("NODE", floor=19, shorten=shorten_middle),
    Column("STATE"),
    Column("JOBS", right=True),
    Column("LAST BEAT", right=True),
    Column("LAUNCHED", expendable=5, right=True),
    Column("BOOT", expendable=6, right=True),
    Column("TYPE", expendable=3),
    Column("MARKET", expendable=4),
    Column("$/H", expendable=1, right=True),
    Column("COST", expendable=2, right=True),
    Column("HOST", expendable=7, floor=12, shorten=shorten_middle),
    Column("PID", expendable=8, right=True),
)

KEYS = (
    *("id", "state", "alive", "slots", "active", "last_beat", "launched", "started", "marked", "host", "pid"),
    *("instance_type", "zone", "market", "usd_per_hour", "cost_usd", "boot_s"),
)
"""What is said of a node, in this order, in JSON and in TSV."""

CONDITION_STYLES = {
    NodeCondition.RUNNING: "green",
    NodeCondition.BOOTING: "yellow",
    NodeCondition.SILENT: TROUBLE,
    NodeCondition.DEAD: "magenta",
}


def nodes_table(nodes: Sequence[Node], *, now: Instant, limits: ScaleSettings, width: int, color: bool) -> str:
    """Return a table for a terminal that is `width` cells wide, and below it what the nodes come to, and cost."""
    conditions = [node_condition(node, now=now, limits=limits) for node in nodes]
    rows = [_row(node, condition, now) for node, condition in zip(nodes, conditions, strict=True)]
    foot = nodes_counted(nodes, conditions) + _costs(nodes, now)
    return table(COLUMNS, rows, foot, width=width, color=color)


def nodes_tsv(nodes: Iterable[Node], *, now: Instant, limits: ScaleSettings) -> str:
    """Return a header of KEYS and a line for each node."""
    records = (_record(node, now, limits) for node in nodes)
    return tsv(KEYS, ([record[key] for key in KEYS] for record in records))


def nodes_json(nodes: Iterable[Node], *, now: Instant, limits: ScaleSettings) -> str:
    """Return the document of `nodes`; each node has KEYS and `jobs`, the ids that it has in hand."""
    records = [{**_record(node, now, limits), "jobs": _jobs(node)} for node in nodes]
    return json_document(command="nodes", as_of=rfc3339(now), nodes=records)


def _jobs(node: Node) -> list[str]:
    return list(node.beat.jobs) if node.beat else []


def _record(node: Node, now: Instant, limits: ScaleSettings) -> dict[str, Cell]:
    beat = node.beat
    return {
        "id": node.id,
        "state": node_condition(node, now=now, limits=limits).value,
        "alive": node.alive,
        "slots": node.slots,
        "active": node.active,
        "last_beat": rfc3339(beat.at) if beat else None,
        "launched": rfc3339(node.launched),
        "started": rfc3339(beat.started) if beat else None,
        "marked": None if node.marked is None else rfc3339(node.marked),
        "host": (beat.host or None) if beat else None,
        "pid": (beat.pid or None) if beat else None,
        "instance_type": (beat.instance_type or None) if beat else None,
        "zone": (beat.zone or None) if beat else None,
        "market": (beat.market or None) if beat else None,
        "usd_per_hour": node_price(node),
        "cost_usd": node_cost(node, now),
        "boot_s": round(node.check_in.lag, 1) if node.check_in else None,
    }


def _row(node: Node, condition: NodeCondition, now: Instant) -> Row:
    beat = node.beat
    price, cost = node_price(node), node_cost(node, now)
    note = None
    if node.marked is not None:
        note = Span(f"marked {age(seconds_between(node.marked, now))} ago: scale ends it if it stays silent", QUIET)
    return Row(
        cells=(
            Span(shown(node.id)),
            Span(condition.value, CONDITION_STYLES[condition]),
            Span(f"{node.active}/{node.slots}"),
            Span(age(seconds_between(beat.at, now)) if beat else "never"),
            Span(age(seconds_between(node.launched, now)), QUIET),
            Span(age(node.check_in.lag) if node.check_in else "", QUIET),
            Span(shown(beat.instance_type) if beat else ""),
            Span(shown(beat.market) if beat else ""),
            Span("" if price is None else amount(price)),
            Span("" if cost is None else dollars(cost)),
            Span(shown(beat.host) if beat else "", QUIET),
            Span(str(beat.pid) if beat and beat.pid else "", QUIET),
        ),
        note=note,
    )


def nodes_counted(nodes: Sequence[Node], conditions: Sequence[NodeCondition]) -> str:
    """Return `3 nodes: 2 running, 1 silent · 2 of 3 slots busy`; the slots are those of nodes that exist."""
    if not nodes:
        return "no nodes"
    counts = Counter(conditions)
    parts = ", ".join(f"{counts[condition]} {condition.value}" for condition in NodeCondition if counts[condition])
    alive = [node for node in nodes if node.alive]
    busy, slots = sum(node.active for node in alive), sum(node.slots for node in alive)
    return f"{counted(len(nodes), 'node')}: {parts} · {busy} of {slots} slots busy"


def _costs(nodes: Sequence[Node], now: Instant) -> str:
    """` · $0.07/h, $1.42 so far`, and that it is more if a price is not known; nothing if none is."""
    costs = [node_cost(node, now) for node in nodes]
    known = [each for each in costs if each is not None]
    if not known:
        return ""
    an_hour = sum(node_price(node) or 0.0 for node in nodes if node.alive)
    at_least = "" if len(known) == len(costs) else "at least "
    return f" · {at_least}{dollars(an_hour)}/h, {dollars(sum(known))} so far"
