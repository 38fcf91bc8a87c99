"""What a farm on EC2 costs, as `nodes`, `list` and `show` tell it; a farm that costs nothing says nothing of it."""

import json

from msgspec import structs

from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Heartbeat, Node
from nommerctl.domain.states import JobState
from nommerctl.render.job_detail import job_detail_json, job_detail_text
from nommerctl.render.jobs import jobs_json, jobs_table
from nommerctl.render.nodes import nodes_json, nodes_table
from tests.builders import make_lease
from tests.render.farm import DONE, ENCODING, NEW_NODE, NOW, WAITING, ago

LIMITS = ScaleSettings()


def ec2_node(name: str, *, launched: float, market: str, price: float) -> Node:
    beat = Heartbeat(
        node=name,
        started=ago(launched - 40),
        at=ago(8),
        slots=1,
        active=1,
        host="ip-10-0-3-17.eu-central-1.compute.internal",
        pid=611,
        usd_per_hour=price,
        instance_type="c7i.large",
        zone="eu-central-1b",
        market=market,
    )
    return Node(id=name, alive=True, launched=ago(launched), slots=1, beat=beat)


SPOT_NODE = ec2_node("i-0f9e8d7c6b5a43210", launched=3000, market="spot", price=0.0461)
ON_DEMAND_NODE = ec2_node("i-00aa11bb22cc33dd4", launched=90_000, market="on-demand", price=0.1083)
EC2_NODES = (SPOT_NODE, ON_DEMAND_NODE, NEW_NODE)

PAID_LEASE = make_lease(owner=SPOT_NODE.id, since=ago(900), until=NOW + 60_000_000, seconds=90.0, usd_per_hour=0.0461)
PAID_JOBS = (
    WAITING,
    structs.replace(ENCODING, lease=PAID_LEASE, cost_usd=0.002),
    structs.replace(DONE, cost_usd=1.2345),
)

NODES_AT_80 = """\
NODE                 STATE       JOBS  LAST BEAT  TYPE          $/H     COST
────────────────────────────────────────────────────────────────────────────
i-0f9e8d7c6b5a43210  running      1/1        8 s  c7i.large  0.0461  $0.0384
i-00aa11bb22cc33dd4  running      1/1        8 s  c7i.large  0.1083    $2.71
i-0a1b2c3d4e5f67890  not up yet   0/2      never

3 nodes: 2 running, 1 not up yet · 2 of 4 slots busy · at least $0.1544/h, $2.75
so far
"""

NODES_AT_100 = """\
NODE                 STATE       JOBS  LAST BEAT  LAUNCHED  TYPE       MARKET        $/H     COST
─────────────────────────────────────────────────────────────────────────────────────────────────
i-0f9e8d7c6b5a43210  running      1/1        8 s    50 min  c7i.large  spot       0.0461  $0.0384
i-00aa11bb22cc33dd4  running      1/1        8 s      25 h  c7i.large  on-demand  0.1083    $2.71
i-0a1b2c3d4e5f67890  not up yet   0/2      never      30 s

3 nodes: 2 running, 1 not up yet · 2 of 4 slots busy · at least $0.1544/h, $2.75 so far
"""

JOBS_AT_80 = """\
ID            STATE     DONE  SOURCE                       TRY     COST  CHANGED
────────────────────────────────────────────────────────────────────────────────
17c4e0a99b21  PENDING         …/lectures/lecture_17.mkv                    7 min
39e602cbbd43  ENCODING   42%  holiday-in-li…n-part-04.mov    2  $0.0135   15 min
6c1935feea76  FINISHED        /srv/in/cat.webm                    $1.23      3 d

3 jobs: 1 PENDING, 1 ENCODING, 1 FINISHED · $0.0461/h in work · cache 40 s old
"""


def test_nodes_at_80_columns() -> None:
    assert nodes_table(EC2_NODES, now=NOW, limits=LIMITS, width=80, color=False) == NODES_AT_80


def test_nodes_at_100_columns() -> None:
    assert nodes_table(EC2_NODES, now=NOW, limits=LIMITS, width=100, color=False) == NODES_AT_100


def test_nodes_whose_prices_are_all_known_come_to_so_much() -> None:
    foot = nodes_table(EC2_NODES[:2], now=NOW, limits=LIMITS, width=80, color=False).splitlines()[-1]

    assert foot == "2 nodes: 2 running · 2 of 2 slots busy · $0.1544/h, $2.75 so far"


def test_a_dead_node_costs_no_more_by_the_hour() -> None:
    dead = structs.replace(SPOT_NODE, alive=False)

    assert nodes_table([dead], now=NOW, limits=LIMITS, width=100, color=False).endswith(
        " · $0.0000/h, $0.0383 so far\n"
    )


def test_nodes_as_json() -> None:
    (node,) = json.loads(nodes_json([SPOT_NODE], now=NOW, limits=LIMITS))["nodes"]

    assert {key: node[key] for key in ("instance_type", "zone", "market", "usd_per_hour", "cost_usd")} == {
        "instance_type": "c7i.large",
        "zone": "eu-central-1b",
        "market": "spot",
        "usd_per_hour": 0.0461,
        "cost_usd": 0.038417,
    }


def test_jobs_at_80_columns() -> None:
    assert jobs_table(PAID_JOBS, now=NOW, width=80, color=False, as_of=ago(40)) == JOBS_AT_80


def test_jobs_as_json() -> None:
    jobs = json.loads(jobs_json(PAID_JOBS, command="list", as_of=NOW, now=NOW))["jobs"]

    assert [(job["usd_per_hour"], job["cost_usd"]) for job in jobs] == [
        (None, None),
        (0.0461, 0.013525),
        (None, 1.2345),
    ]


def test_one_job_in_full() -> None:
    _, encoding, done = PAID_JOBS

    assert "  cost      $0.0135 so far, at $0.0461/h\n" in job_detail_text(encoding, now=NOW, color=False)
    assert "  cost     $1.23\n" in job_detail_text(done, now=NOW, color=False)
    assert "cost" not in job_detail_text(WAITING, now=NOW, color=False)
    assert json.loads(job_detail_json(done, now=NOW))["job"]["cost_usd"] == 1.2345


def test_a_job_whose_worker_is_gone_costs_nothing_more() -> None:
    orphaned = structs.replace(ENCODING, state=JobState.UPLOADING, lease=structs.replace(PAID_LEASE, until=ago(600)))

    text = jobs_table([orphaned], now=NOW, width=80, color=False, as_of=NOW)

    assert "$0.0038" in text, "five minutes of it"
    assert "in work" not in text
