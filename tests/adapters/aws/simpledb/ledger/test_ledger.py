"""What the ledger in SimpleDB costs, what it keeps, and what becomes of it when a write is cut off or overtaken."""

from collections.abc import Callable

import pytest
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.ledger import SimpledbLedger
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.domain.fleet import CheckIn, Heartbeat, Launch, Pool, Spawned
from nommerctl.domain.outcome import Decision
from nommerctl.domain.times import micros
from nommerctl.errors import ConflictError, TryAgainError, UnreachableError
from tests.adapters.aws.simpledb.ledger.conftest import ledger_of
from tests.fakes.clock import START, FakeClock
from tests.simpledb.server import Cut, SimpleDB

HOUR = 3600
DAY = 24 * HOUR

DOMAIN = "nommerctl-films-ledger"
CONTROL = "farm/control"

BEAT = Heartbeat(node="i-1", started=START, at=START, slots=2, active=1, jobs=("a" * 50,))
LAUNCH = Launch(token="t1", generation=0, count=2, slots=1, ordered=START, request="x" * 5000)
NEXT = structs.replace(LAUNCH, token="t2", generation=1, request="short")
DECISION = Decision(at=START, launch=1, end=(), reasons=("3 jobs for 0 slots: 3 left over",), inputs={"demand": 3})
POOL = Pool("c7i.large", "eu-central-1a", "spot")

WRITES: dict[str, Callable[[SimpledbLedger], object]] = {
    "beat": lambda ledger: ledger.beat(BEAT),
    "mark": lambda ledger: ledger.mark("i-1", START),
    "mark a node that never came up": lambda ledger: ledger.mark("i-9", START),
    "forget": lambda ledger: ledger.forget("i-1"),
    "check in": lambda ledger: ledger.check_in(CheckIn(node="i-1", launched=START, at=START)),
    "journal": lambda ledger: ledger.journal(NEXT),
    "repeat": lambda ledger: ledger.repeat("t2"),
    "settle": lambda ledger: ledger.settle("t2", Spawned(("i-2", "i-3"), refused=(POOL,))),
    "switch": lambda ledger: ledger.switch(Breaker(number=1, opened=START, reason="3 in a row")),
    "publish": lambda ledger: ledger.publish('{"worker": {"lease": 90.0}}' * 100),
    "sign": lambda ledger: ledger.sign(START),
    "decide": lambda ledger: ledger.decide(DECISION),
}

NEEDS_AN_ORDER = {"settle", "repeat"}


def prepared(ledger: SimpledbLedger, name: str) -> None:
    """Let there be what a write needs: an order that was settled, a node, and for some an order that is not."""
    ledger.journal(LAUNCH)
    ledger.settle("t1", Spawned(("i-1",)))
    ledger.beat(BEAT)
    if name in NEEDS_AN_ORDER:
        ledger.journal(NEXT)


# --- what it costs


def test_all_that_scale_reads_is_three_requests(ledger: SimpledbLedger, server: SimpleDB) -> None:
    prepared(ledger, "settle")
    server.calls.clear()

    assert [launch.token for launch in ledger.overview().launches] == ["t1", "t2"]

    assert dict(server.calls) == {"GetAttributes": 1, "Select": 2}


def test_reads_are_consistent_however_far_others_are_behind(ledger: SimpledbLedger, server: SimpleDB) -> None:
    server.lag = 100
    for name, write in WRITES.items():
        if name == "journal":
            prepared(ledger, name)
        write(ledger)
        assert ledger.overview() is not None

    overview = ledger.overview()

    assert (overview.generation, set(overview.came_up)) == (2, {"i-1"})
    assert ledger.decisions(limit=10) == [DECISION]


def test_a_ledger_of_more_than_a_page_is_read_whole(ledger: SimpledbLedger, server: SimpleDB) -> None:
    for number in range(6):
        ledger.beat(structs.replace(BEAT, node=f"i-{number}", jobs=tuple("a" * 50 for _ in range(4000))))
    server.calls.clear()

    assert len([beat for beat in ledger.overview().heartbeats.values() if len(beat.jobs) == 4000]) == 6

    assert server.calls["Select"] > 2


def test_text_of_any_length_and_kind_reads_back_whole(ledger: SimpledbLedger) -> None:
    text = "ß\ufffe\uffff\U0001f3ac\n\r\x00 " * 700

    ledger.publish(text)
    assert ledger.overview().node_settings == text

    ledger.publish("shorter")
    assert ledger.overview().node_settings == "shorter"


# --- what it keeps, and for how long


def test_what_has_expired_is_removed_when_decisions_are_kept(
    ledger: SimpledbLedger, server: SimpleDB, clock: FakeClock
) -> None:
    prepared(ledger, "decide")
    ledger.journal(NEXT)
    WRITES["check in"](ledger)
    ledger.mark("i-9", START)
    ledger.decide(DECISION)
    before = set(server.items(DOMAIN))
    assert {"farm/launch/t1", "farm/node/i-1", "farm/node/i-9", "farm/boot/i-1"} < before

    later = structs.replace(DECISION, at=clock.advance(8 * DAY))
    ledger.decide(later)

    left = set(server.items(DOMAIN))
    assert left - before == {f"decision/{later.at:020d}-0000"}
    assert left & before == {CONTROL, "farm/controller", "farm/decision"}
    assert ledger.overview().unsettled == NEXT


def test_a_decision_pays_for_a_few_removals_at_most(ledger: SimpledbLedger, server: SimpleDB, clock: FakeClock) -> None:
    for number in range(60):
        ledger.decide(structs.replace(DECISION, at=START + number))
    clock.advance(8 * DAY)
    server.calls.clear()

    ledger.decide(structs.replace(DECISION, at=clock()))

    assert dict(server.calls) == {"PutAttributes": 1, "BatchPutAttributes": 1, "Select": 1, "BatchDeleteAttributes": 1}
    assert len([name for name in server.items(DOMAIN) if name.startswith("decision/")]) == 60 + 1 - 25


def test_the_very_same_decision_at_one_instant_is_one(ledger: SimpledbLedger) -> None:
    ledger.decide(DECISION)
    ledger.decide(DECISION)

    assert ledger.decisions(limit=10) == [DECISION]


# --- what is cut off, and what comes in between


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("cut", [Cut.AFTER, Cut.BEFORE], ids=["answer lost", "broken off"])
def test_a_write_that_gets_no_answer_is_made_once(
    *, ledger: SimpledbLedger, server: SimpleDB, clients: Clients, clock: FakeClock, name: str, cut: Cut
) -> None:
    # given what the ledger says after an undisturbed write
    undisturbed = ledger_of("elsewhere", clients, clock, [])
    prepared(undisturbed, name)
    WRITES[name](undisturbed)
    expected = undisturbed.overview(), undisturbed.decisions(limit=10)
    prepared(ledger, name)

    # when each kind of write is disturbed twice
    for operation in ("PutAttributes", "DeleteAttributes", "BatchPutAttributes"):
        server.cut(operation, cut, times=2)
    WRITES[name](ledger)

    # then it says the same
    server.heal()
    assert (ledger.overview(), ledger.decisions(limit=10)) == expected


def test_i2_an_order_whose_journal_got_no_answer_keeps_others_from_being_given(
    ledger: SimpledbLedger, server: SimpleDB
) -> None:
    ledger.sign(START)  # so there is a domain
    server.cut("PutAttributes", Cut.AFTER, times=4)
    with pytest.raises(UnreachableError):
        ledger.journal(LAUNCH)

    with pytest.raises(ConflictError, match="order t9 must wait: the answer to order t1 is not known yet"):
        ledger.journal(structs.replace(LAUNCH, token="t9"))

    ledger.journal(LAUNCH)
    assert ledger.overview().unsettled == LAUNCH


def test_i2_an_order_that_is_settled_while_the_next_is_journalled_is_in_no_overview_missing(
    ledger: SimpledbLedger, server: SimpleDB, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an order that was settled, and stands where the next one will; what is read side by side comes in order
    monkeypatch.setattr("nommerctl.adapters.aws.side_by_side.PARALLEL", 1)
    ledger.journal(LAUNCH)
    ledger.settle("t1", Spawned(("i-1", "i-2")))

    # when another pass copies it aside and journals the next, between two requests of an overview
    server.meanwhile("Select", lambda: ledger.journal(NEXT))
    overview = ledger.overview()

    # then it was looked at again, and both are there
    assert [(launch.token, launch.nodes) for launch in overview.launches] == [("t1", ("i-1", "i-2")), ("t2", ())]
    assert pauses == [0.0, 0.1]


def test_a_ledger_that_never_stands_still_is_for_the_next_run(ledger: SimpledbLedger, server: SimpleDB) -> None:
    ledger.journal(LAUNCH)

    def go_on() -> None:
        unsettled = server.items(DOMAIN)[CONTROL]["turn"].pop()
        server.put(DOMAIN, CONTROL, {"turn": f"{int(unsettled[0]) + 1}|x"})
        server.meanwhile("Select", go_on)

    server.meanwhile("Select", go_on)

    with pytest.raises(TryAgainError, match="is being written to all the time: the next run tries again"):
        ledger.overview()


def test_i2_an_order_that_was_given_again_just_before_it_was_settled_says_so(
    ledger: SimpledbLedger, server: SimpleDB
) -> None:
    ledger.journal(LAUNCH)
    # given a pass that read the order before another one noted that it gives it again
    server.meanwhile("PutAttributes", lambda: ledger.repeat("t1"))

    ledger.settle("t1", Spawned(certain=False))

    (settled,) = ledger.overview().launches
    assert (settled.settled, settled.repeated) == (True, True)
    ledger.journal(NEXT)
    assert [launch.repeated for launch in ledger.overview().launches] == [True, False]


def test_the_first_answer_stands_that_another_pass_notes_meanwhile(ledger: SimpledbLedger, server: SimpleDB) -> None:
    ledger.journal(LAUNCH)
    server.meanwhile("PutAttributes", lambda: ledger.settle("t1", Spawned(("i-1",))))

    ledger.settle("t1", Spawned(("i-2",)))

    assert [launch.nodes for launch in ledger.overview().launches] == [("i-1",)]
    assert ledger.overview().generation == 1


def test_a_pass_that_dies_after_it_copied_an_order_aside_has_lost_nothing(
    ledger: SimpledbLedger, server: SimpleDB
) -> None:
    ledger.journal(LAUNCH)
    ledger.settle("t1", Spawned(("i-1",)))
    before = ledger.overview()

    server.meanwhile("PutAttributes", lambda: server.cut("PutAttributes", Cut.BEFORE, times=4))
    with pytest.raises(UnreachableError):
        ledger.journal(NEXT)

    assert ledger.overview() == before
    assert "farm/launch/t1" in server.items(DOMAIN)
    ledger.journal(NEXT)
    assert [launch.token for launch in ledger.overview().launches] == ["t1", "t2"]


# --- what is damaged


@pytest.mark.parametrize(
    ("item", "attribute", "value"),
    [
        (CONTROL, "turn", "one|t2"),
        (CONTROL, "turn", "1|another"),
        (CONTROL, "turn", "2|-"),
        (CONTROL, "r00", "{"),
        (CONTROL, "parts", "many"),
        ("farm/node/i-1", "marked", "\x1b[2J"),
        ("farm/node/i-1", "r00", '{"node":"i-2","started":0,"at":0,"slots":0}'),
        ("farm/launch/t1", "parts", "2000"),
        ("farm/controller", "at", "-1"),
    ],
)
def test_what_is_damaged_is_named_and_nothing_is_made_of_it(
    ledger: SimpledbLedger, server: SimpleDB, item: str, attribute: str, value: str
) -> None:
    prepared(ledger, "settle")
    ledger.sign(START)
    server.put(DOMAIN, item, {attribute: value})

    with pytest.raises(UnreachableError) as caught:
        ledger.overview()

    assert str(caught.value).startswith(f"the item {item} in domain '{DOMAIN}' is damaged (")
    assert str(caught.value).isprintable()
    assert ": put it right" in str(caught.value)


def test_a_ledger_that_nobody_has_written_to_yet_is_empty(ledger: SimpledbLedger, server: SimpleDB) -> None:
    assert ledger.overview().launches == ()
    assert ledger.decisions(limit=1) == []
    assert server.domains == [SimpledbSettings().heartbeat_domain]

    ledger.sign(START + micros(1.0))

    assert server.domains == sorted([SimpledbSettings().heartbeat_domain, DOMAIN])
