import json

from msgspec import structs

from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import CheckIn, Heartbeat
from nommerctl.render.nodes import nodes_json, nodes_table, nodes_tsv
from tests.render.farm import BUSY_NODE, NEW_NODE, NODES, NOW, ago

LIMITS = ScaleSettings()

AT_80 = """\
NODE                 STATE       JOBS  LAST BEAT  LAUNCHED  HOST             PID
────────────────────────────────────────────────────────────────────────────────
node-7f3a01          running      1/2        8 s    50 min  encoder…le.org  4711
i-0a1b2c3d4e5f67890  not up yet   0/2      never      30 s
node-c0ffee          silent       2/2      5 min       2 h  encoder…le.org  4712
                     └ marked 60 s ago: scale ends it if it stays silent
node-dead00          dead         0/2      never      25 h

4 nodes: 1 running, 1 not up yet, 1 silent, 1 dead · 3 of 6 slots busy
"""

AT_120 = """\
NODE                 STATE       JOBS  LAST BEAT  LAUNCHED  HOST                    PID
───────────────────────────────────────────────────────────────────────────────────────
node-7f3a01          running      1/2        8 s    50 min  encoder-1.example.org  4711
i-0a1b2c3d4e5f67890  not up yet   0/2      never      30 s
node-c0ffee          silent       2/2      5 min       2 h  encoder-1.example.org  4712
                     └ marked 60 s ago: scale ends it if it stays silent
node-dead00          dead         0/2      never      25 h

4 nodes: 1 running, 1 not up yet, 1 silent, 1 dead · 3 of 6 slots busy
"""


def test_table_at_80_columns() -> None:
    assert nodes_table(NODES, now=NOW, limits=LIMITS, width=80, color=False) == AT_80


def test_table_at_120_columns() -> None:
    assert nodes_table(NODES, now=NOW, limits=LIMITS, width=120, color=False) == AT_120


def test_a_silent_node_stands_out_in_colour() -> None:
    assert "\x1b[1;31msilent" in nodes_table(NODES, now=NOW, limits=LIMITS, width=80, color=True)


def test_no_nodes_say_so() -> None:
    assert nodes_table([], now=NOW, limits=LIMITS, width=80, color=False) == "no nodes\n"


def test_tsv_has_a_header_and_leaves_empty_what_is_not_known() -> None:
    assert nodes_tsv([BUSY_NODE, NEW_NODE], now=NOW, limits=LIMITS) == (
        "id\tstate\talive\tslots\tactive\tlast_beat\tlaunched\tstarted\tmarked\thost\tpid\t"
        "instance_type\tzone\tmarket\tusd_per_hour\tcost_usd\tboot_s\n"
        "node-7f3a01\trunning\ttrue\t2\t1\t2026-01-01T09:59:52.000000Z\t2026-01-01T09:09:50.000000Z\t"
        "2026-01-01T09:10:00.000000Z\t\tencoder-1.example.org\t4711\t\t\t\t\t\t\n"
        "i-0a1b2c3d4e5f67890\tnot up yet\ttrue\t2\t0\t\t2026-01-01T09:59:30.000000Z\t\t\t\t\t\t\t\t\t\t\n"
    )


def test_json_has_the_jobs_that_a_node_has_in_hand() -> None:
    assert json.loads(nodes_json([BUSY_NODE], now=NOW, limits=LIMITS)) == {
        "schema": 1,
        "command": "nodes",
        "as_of": "2026-01-01T10:00:00.000000Z",
        "nodes": [
            {
                "id": "node-7f3a01",
                "state": "running",
                "alive": True,
                "slots": 2,
                "active": 1,
                "last_beat": "2026-01-01T09:59:52.000000Z",
                "launched": "2026-01-01T09:09:50.000000Z",
                "started": "2026-01-01T09:10:00.000000Z",
                "marked": None,
                "host": "encoder-1.example.org",
                "pid": 4711,
                "instance_type": None,
                "zone": None,
                "market": None,
                "usd_per_hour": None,
                "cost_usd": None,
                "boot_s": None,
                "jobs": ["39e602cbbd4300000000000000000000000000000000000000"],
            }
        ],
    }


EC2_NODE = structs.replace(
    BUSY_NODE,
    id="i-0a1b2c3d4e5f67891",
    beat=Heartbeat(
        node="i-0a1b2c3d4e5f67891",
        started=ago(2970),
        at=ago(8),
        slots=2,
        active=1,
        instance_type="c7i.large",
        market="spot",
        usd_per_hour=0.05,
    ),
    check_in=CheckIn(node="i-0a1b2c3d4e5f67891", launched=ago(3010), at=ago(2967.5)),
)

ON_EC2 = """\
NODE                 STATE    JOBS  LAST BEAT  LAUNCHED  BOOT  TYPE       MARKET     $/H     COST
─────────────────────────────────────────────────────────────────────────────────────────────────
i-0a1b2c3d4e5f67891  running   1/2        8 s    50 min  42 s  c7i.large  spot    0.0500  $0.0418

1 node: 1 running · 1 of 2 slots busy · $0.0500/h, $0.0418 so far
"""


def test_how_long_a_node_took_to_come_up_is_shown_where_there_is_room() -> None:
    assert nodes_table([EC2_NODE], now=NOW, limits=LIMITS, width=100, color=False) == ON_EC2
    assert "BOOT" not in nodes_table([EC2_NODE], now=NOW, limits=LIMITS, width=80, color=False)
    (told,) = json.loads(nodes_json([EC2_NODE], now=NOW, limits=LIMITS))["nodes"]
    assert told["boot_s"] == 42.5
