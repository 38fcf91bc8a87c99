"""What the ledger in DynamoDB costs, what it keeps, and how it is read while others write."""

import pytest
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ledger import DynamoLedger
from nommerctl.adapters.aws.ledger_items import beat_item, decision_key, launch_item, launch_key
from nommerctl.adapters.aws.names import ledger_table
from nommerctl.domain.fleet import Spawned
from nommerctl.domain.times import micros
from nommerctl.errors import ConflictError, UnreachableError
from tests.adapters.aws.dynamodb.ledger_writes import BEAT, DECISION, LAUNCH, NEXT, POOL, WRITES, each_write, prepared
from tests.dynamodb import Body, Wire
from tests.fakes.clock import START, FakeClock

pytestmark = pytest.mark.slow

HOUR = 3600
DAY = 24 * HOUR
START_S = START // 1_000_000


def items(clients: Clients, farm: str) -> dict[str, Body]:
    """All that is in the table, by key."""
    found = clients.dynamodb.scan(TableName=ledger_table(farm), ConsistentRead=True)["Items"]
    return {item["key"]["S"]: dict(item) for item in found}


# --- what it costs


@each_write
def test_each_write_is_one_request(ledger: DynamoLedger, wire: Wire, name: str) -> None:
    prepared(ledger, name)
    wire.sent.clear()
    operation, write = WRITES[name]

    write(ledger)

    assert wire.sent == [operation]


def test_all_that_scale_reads_is_one_request(ledger: DynamoLedger, wire: Wire) -> None:
    prepared(ledger, "settle")
    for name in ("beat", "settle", "sign", "decide"):
        WRITES[name][1](ledger)
    wire.sent.clear()

    overview = ledger.overview()

    assert wire.sent == ["Query"]
    assert [order.token for order in overview.launches] == ["t1", "t2"]
    assert set(overview.refused(START)) == {POOL}
    assert set(overview.heartbeats) == {"i-1"}
    assert (overview.decision, overview.controller_seen) == (DECISION, START)


def test_a_ledger_of_more_than_a_page_is_read_whole(ledger: DynamoLedger, wire: Wire) -> None:
    for number in range(6):
        ledger.beat(structs.replace(BEAT, node=f"i-{number}", jobs=tuple("a" * 50 for _ in range(6000))))
    wire.sent.clear()

    assert len(ledger.overview().heartbeats) == 6

    assert wire.sent == ["Query"] * 2


def test_decisions_are_one_request(ledger: DynamoLedger, wire: Wire) -> None:
    for number in range(5):
        ledger.decide(structs.replace(DECISION, at=START + number))
    wire.sent.clear()

    assert [decision.at for decision in ledger.decisions(limit=3)] == [START + 4, START + 3, START + 2]
    assert ledger.decisions(limit=0) == []

    assert wire.sent == ["Query"]


# --- what it keeps, and for how long


def test_what_was_settled_is_kept_without_its_request_and_for_a_day(
    ledger: DynamoLedger, clients: Clients, farm: str, clock: FakeClock
) -> None:
    ledger.journal(LAUNCH)
    assert "expires" not in items(clients, farm)["launch/t1"]

    clock.advance(3 * DAY)
    ledger.settle("t1", Spawned(("i-1",)))

    settled = items(clients, farm)["launch/t1"]
    assert "request" not in settled
    assert LAUNCH.request.replace('"', '\\"') not in settled["order"]["S"]
    assert int(settled["expires"]["N"]) == START_S + 3 * DAY + 25 * HOUR + 1


def test_a_heartbeat_expires_a_day_after_the_last_one(ledger: DynamoLedger, clients: Clients, farm: str) -> None:
    ledger.beat(BEAT)
    ledger.beat(structs.replace(BEAT, at=BEAT.at + micros(HOUR)))
    ledger.mark(BEAT.node, START)

    assert int(items(clients, farm)["node/i-1"]["expires"]["N"]) == BEAT.at // 1_000_000 + 25 * HOUR + 1


def test_a_refusal_is_forgotten_after_an_hour(ledger: DynamoLedger, clock: FakeClock) -> None:
    ledger.journal(LAUNCH)
    ledger.settle("t1", Spawned(refused=(POOL,)))

    clock.advance(HOUR)
    assert [refusal.pool for refusal in ledger.overview().refusals] == [POOL]

    clock.advance(1)
    assert ledger.overview().refusals == ()


def test_a_decision_expires_after_a_week_and_the_last_one_never(
    ledger: DynamoLedger, clients: Clients, farm: str, clock: FakeClock
) -> None:
    ledger.decide(DECISION)

    kept = items(clients, farm)
    assert int(kept[decision_key(START)["key"]["S"]]["expires"]["N"]) == START_S + 7 * DAY + 1
    assert "expires" not in kept["control/decision"]

    clock.advance(7 * DAY + 1)
    assert ledger.decisions(limit=10) == []
    assert ledger.overview().decision == DECISION


def test_the_same_decision_at_the_same_instant_is_one(ledger: DynamoLedger) -> None:
    ledger.decide(DECISION)
    ledger.decide(structs.replace(DECISION, launch=2))
    ledger.decide(DECISION)

    assert [decision.launch for decision in ledger.decisions(limit=10)] == [2, 1]
    assert ledger.overview().decision == structs.replace(DECISION, launch=2)


def test_i2_a_token_is_good_for_one_order(ledger: DynamoLedger) -> None:
    ledger.journal(LAUNCH)
    ledger.settle("t1", Spawned(("i-1",)))

    with pytest.raises(ConflictError, match="order t1 has been settled already"):
        ledger.journal(structs.replace(LAUNCH, generation=1))

    assert ledger.overview().unsettled is None


# --- an overview that others write into


def before_settling(page: Body) -> Body:
    """What a query reads that comes to the control item before an order is settled, and to the order after it."""
    return {
        **page,
        "Items": [
            {**item, "generation": {"N": "0"}, "unsettled": {"S": "t1"}}
            if item["key"]["S"] == "control/generation"
            else item
            for item in page["Items"]
        ],
    }


def test_an_overview_that_is_half_before_and_half_after_a_write_is_read_again(ledger: DynamoLedger, wire: Wire) -> None:
    ledger.journal(LAUNCH)
    ledger.settle("t1", Spawned(("i-1",)))
    wire.sent.clear()
    wire.on("Query", *[wire.changed(before_settling)] * 2)

    overview = ledger.overview()

    assert (overview.generation, overview.unsettled) == (1, None)
    assert wire.sent == ["Query"] * 3


def test_a_ledger_that_stays_at_odds_with_itself_is_an_error(ledger: DynamoLedger, clients: Clients, farm: str) -> None:
    ledger.journal(LAUNCH)
    clients.dynamodb.delete_item(TableName=ledger_table(farm), Key=launch_key("t1"))

    with pytest.raises(UnreachableError) as raised:
        ledger.overview()

    assert str(raised.value) == (
        f"table '{ledger_table(farm)}' is at odds with itself: the order that its item control/generation names as"
        " 'unsettled' and the items of orders that have no 'answer' must be one and the same, or none: restore the"
        " table to an earlier point in time"
    )
    with pytest.raises(UnreachableError, match=r"the item launch/t1 in table .* is damaged \(it is not there\)"):
        ledger.settle("t1", Spawned())


@pytest.mark.parametrize(
    "damage",
    [
        {**beat_item(BEAT), "record": {"S": "{"}},
        {**beat_item(BEAT), "record": {"N": "1"}},
        {**beat_item(BEAT), "marked": {"S": "soon"}},
        {**beat_item(BEAT), "marked": {"N": "-1"}},
        {**beat_item(BEAT), "record": beat_item(structs.replace(BEAT, node="i-2"))["record"]},
        {**launch_item(LAUNCH), "order": {"S": "[]"}},
        {**launch_item(LAUNCH), "order": launch_item(NEXT)["order"]},
        {**launch_item(LAUNCH), "answer": {"S": "{}"}},
        {**launch_key("t1"), "order": launch_item(LAUNCH)["order"]},
        {"kind": {"S": "farm"}, "key": {"S": "control/decision"}, "record": {"S": ""}},
        {"kind": {"S": "farm"}, "key": {"S": "control/controller"}},
        {"kind": {"S": "farm"}, "key": {"S": "control/generation"}, "generation": {"N": "0.5"}},
    ],
)
def test_a_damaged_item_is_named_with_what_to_do(
    ledger: DynamoLedger, clients: Clients, farm: str, damage: Body
) -> None:
    clients.dynamodb.put_item(TableName=ledger_table(farm), Item=damage)
    key = damage["key"]["S"]
    remedy = "" if key == "control/generation" else ", or delete this item from it"

    with pytest.raises(UnreachableError) as raised:
        ledger.overview()

    assert str(raised.value).startswith(f"the item {key} in table '{ledger_table(farm)}' is damaged (")
    assert str(raised.value).endswith(f"): restore the table to an earlier point in time{remedy}")


def test_items_of_a_kind_that_is_not_known_are_left_alone(ledger: DynamoLedger, clients: Clients, farm: str) -> None:
    before = prepared(ledger, "beat")
    clients.dynamodb.put_item(
        TableName=ledger_table(farm), Item={"kind": {"S": "farm"}, "key": {"S": "spend/2026-01"}, "usd": {"N": "1.5"}}
    )

    assert ledger.overview() == before
