import json

from msgspec import structs

from nommerctl.domain.breaker import Breaker
from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Depth, Launch
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
from nommerctl.domain.scaling import FarmView
from nommerctl.domain.states import JobState
from nommerctl.domain.status import FarmStatus
from nommerctl.render.status import status_json, status_text, status_tsv
from tests.render.farm import NODES, NOW, ago

LIMITS = ScaleSettings()

STATUS = FarmStatus(
    view=FarmView(
        jobs={JobState.PENDING: 12, JobState.ENCODING: 1, JobState.FINISHED: 3, JobState.ERROR: 0},
        new_jobs=Depth(visible=10, in_flight=1, delayed=1),
        changes=Depth(visible=4),
        nodes=NODES,
        ledger=Overview(
            generation=3,
            launches=(Launch(token="t1", generation=3, count=2, slots=1, ordered=ago(5), request="{}"),),
            decision=Decision(
                at=ago(180),
                launch=2,
                end=("node-dead00",),
                reasons=("12 jobs for 1 slot: 11 left over", "node-dead00: its process is gone"),
                inputs={"demand": 12},
                held=("max_nodes",),
            ),
        ),
        cache_age=40.04,
        cache_max_age=900,
    ),
    dead=2,
    changes=4,
)

OVERDUE = ["prune has not succeeded for 60 min (it should every 5min); it was last started 60 min ago"]

AT_80 = """\
jobs      12 PENDING, 1 ENCODING, 3 FINISHED
nodes     4 nodes: 1 running, 1 not up yet, 1 silent, 1 dead · 3 of 6 slots busy
queue     11 waiting, 1 in work, 2 dead (see 'nommerctl queue dead list'), 4
          changes for refresh to learn
cache     40 s old
decision  launch 2; end node-dead00 (3 min ago), because 12 jobs for 1 slot: 11
          left over; node-dead00: its process is gone; held by max_nodes
overdue   prune has not succeeded for 60 min (it should every 5min); it was last
          started 60 min ago
"""

AT_120 = """\
jobs      12 PENDING, 1 ENCODING, 3 FINISHED
nodes     4 nodes: 1 running, 1 not up yet, 1 silent, 1 dead · 3 of 6 slots busy
queue     11 waiting, 1 in work, 2 dead (see 'nommerctl queue dead list'), 4 changes for refresh to learn
cache     40 s old
decision  launch 2; end node-dead00 (3 min ago), because 12 jobs for 1 slot: 11 left over; node-dead00: its process is
          gone; held by max_nodes
overdue   prune has not succeeded for 60 min (it should every 5min); it was last started 60 min ago
"""

NEVER_USED = """\
jobs      none
nodes     no nodes
queue     0 waiting, 0 in work
cache     cold: run `nommerctl refresh`
decision  none yet
"""

TSV = """\
name\tvalue
jobs.PENDING\t12
jobs.DOWNLOADING\t0
jobs.ENCODING\t1
jobs.UPLOADING\t0
jobs.FINISHED\t3
jobs.ERROR\t0
jobs.ABANDONED\t0
nodes.running\t1
nodes.booting\t1
nodes.silent\t1
nodes.dead\t1
nodes.slots\t6
nodes.active\t3
nodes.ordered\t2
queue.visible\t10
queue.in_flight\t1
queue.delayed\t1
queue.dead\t2
queue.changes\t4
cache.age_s\t40.0
decision.at\t2026-01-01T09:57:00.000000Z
decision.launch\t2
decision.end\tnode-dead00
decision.reasons\t12 jobs for 1 slot: 11 left over
decision.reasons\tnode-dead00: its process is gone
decision.held\tmax_nodes
breaker.state\tclosed
breaker.opened\t
breaker.until\t
breaker.reason\t
overdue\tprune has not succeeded for 60 min (it should every 5min); it was last started 60 min ago
"""


def text(status: FarmStatus, overdue: list[str], *, width: int, color: bool = False) -> str:
    return status_text(status, overdue, now=NOW, limits=LIMITS, width=width, color=color)


def decided(decision: Decision) -> FarmStatus:
    ledger = structs.replace(STATUS.view.ledger, decision=decision)
    return structs.replace(STATUS, view=structs.replace(STATUS.view, ledger=ledger))


def never_used() -> FarmStatus:
    nothing = FarmView(
        jobs=dict.fromkeys(JobState, 0),
        new_jobs=Depth(),
        changes=Depth(),
        nodes=(),
        ledger=Overview(),
        cache_age=None,
        cache_max_age=900,
    )
    return FarmStatus(view=nothing, dead=0, changes=0)


def test_text_at_80_columns() -> None:
    assert text(STATUS, OVERDUE, width=80) == AT_80


def test_text_at_120_columns() -> None:
    assert text(STATUS, OVERDUE, width=120) == AT_120


def test_a_farm_that_was_never_used() -> None:
    assert text(never_used(), [], width=80) == NEVER_USED
    document = json.loads(status_json(never_used(), [], now=NOW, limits=LIMITS))
    assert (document["cache"], document["decision"], document["overdue"]) == ({"age_s": None}, None, [])


def test_a_decision_to_do_nothing_says_what_held_it() -> None:
    held = Decision(at=ago(60), launch=0, end=(), reasons=("3 jobs for 1 slot",), inputs={}, held=("max_nodes",))
    said = text(decided(held), [], width=80)
    assert "decision  nothing (60 s ago), because 3 jobs for 1 slot; held by max_nodes\n" in said


def test_what_is_overdue_stands_out() -> None:
    assert "\x1b[1;31moverdue" in text(STATUS, OVERDUE, width=80, color=True)


def test_tsv_has_a_line_for_each_value() -> None:
    assert status_tsv(STATUS, OVERDUE, now=NOW, limits=LIMITS) == TSV


def test_json() -> None:
    document = json.loads(status_json(STATUS, OVERDUE, now=NOW, limits=LIMITS))
    keys = ["schema", "command", "as_of", "jobs", "nodes", "queue", "cache", "decision", "breaker", "overdue"]
    assert list(document) == keys
    assert (document["schema"], document["command"], document["as_of"]) == (1, "status", "2026-01-01T10:00:00.000000Z")
    assert document["jobs"]["PENDING"] == 12
    assert document["queue"] == {"visible": 10, "in_flight": 1, "delayed": 1, "dead": 2, "changes": 4}
    assert document["decision"]["end"] == ["node-dead00"]
    assert document["overdue"] == OVERDUE


def test_text_from_outside_does_nothing_to_a_terminal() -> None:
    nasty = Decision(at=ago(60), launch=0, end=("\x1b[2J",), reasons=("[red]\u202ex[/red]",), inputs={})
    said = text(decided(nasty), [], width=80)
    assert "end \\x1b[2J (60 s ago), because [red]\\u202ex[/red]" in said


def test_a_breaker_that_is_open_stands_out() -> None:
    ledger = structs.replace(STATUS.view.ledger, breaker=Breaker(number=1, opened=ago(60), reason="3 nodes failed"))
    broken = structs.replace(STATUS, view=structs.replace(STATUS.view, ledger=ledger))
    assert (
        "breaker   the breaker is open until 2026-01-01T10:29:00Z, no node is launched: 3\n"
        "          nodes failed; mend that, then run 'nommerctl resume'\n"
    ) in text(broken, [], width=80)
    assert "\x1b[1;31mbreaker" in text(broken, [], width=80, color=True)
    assert json.loads(status_json(broken, [], now=NOW, limits=LIMITS))["breaker"] == {
        "state": "open",
        "opened": "2026-01-01T09:59:00.000000Z",
        "until": "2026-01-01T10:29:00.000000Z",
        "reason": "3 nodes failed",
    }
