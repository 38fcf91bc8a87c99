"""What ports.Ledger promises, asked of every ledger."""

import threading

import pytest
from msgspec import structs

from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import REFUSED_FOR, CheckIn, Heartbeat, Launch, Pool, Refusal, Spawned
from nommerctl.domain.outcome import Decision
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import ConflictError
from nommerctl.ports import Ledger
from tests.fakes.clock import START, FakeClock

HOUR = 3600
DAY = 24 * HOUR

BEAT = Heartbeat(
    node="node-1",
    started=START,
    at=START + micros(20),
    slots=2,
    active=1,
    jobs=("a" * 50,),
    host="encoder.example",
    pid=4711,
)


def launch(number: int = 1, generation: int = 0, ordered: Instant = START) -> Launch:
    return Launch(
        token=f"token-{number}", generation=generation, count=2, slots=1, ordered=ordered, request='{"count": 2}'
    )


def decision(launched: int = 0, at: Instant = START) -> Decision:
    return Decision(
        at=at,
        launch=launched,
        end=("node-1", "node-2"),
        reasons=("3 jobs overflow 2 slots", "node-1 is silent"),
        inputs={"backlog": 3, "load": 0.5, "policy": "overflow", "limit": None},
    )


# --- heartbeats


def test_a_heartbeat_reads_back_whole(ledger: Ledger) -> None:
    ledger.beat(BEAT)

    assert ledger.overview().heartbeats == {"node-1": BEAT}


def test_the_last_heartbeat_of_each_node_counts(ledger: Ledger) -> None:
    other = structs.replace(BEAT, node="node-2")
    newer = structs.replace(BEAT, at=START + micros(40), active=0, jobs=())
    for beat in (BEAT, other, newer):
        ledger.beat(beat)

    assert ledger.overview().heartbeats == {"node-1": newer, "node-2": other}


def test_a_mark_is_noted_beside_the_heartbeat(ledger: Ledger) -> None:
    ledger.beat(BEAT)

    ledger.mark("node-1", START + micros(200))

    assert ledger.overview().heartbeats == {"node-1": structs.replace(BEAT, marked=START + micros(200))}


def test_the_first_mark_stands(ledger: Ledger) -> None:
    ledger.beat(BEAT)
    ledger.mark("node-1", START + micros(200))

    ledger.mark("node-1", START + micros(260))

    assert ledger.overview().heartbeats["node-1"].marked == START + micros(200)


def test_a_later_heartbeat_clears_the_mark(ledger: Ledger) -> None:
    ledger.beat(BEAT)
    ledger.mark("node-1", START + micros(200))

    ledger.beat(BEAT)

    assert ledger.overview().heartbeats["node-1"].marked is None


def test_a_node_that_never_gave_a_heartbeat_can_be_marked(ledger: Ledger) -> None:
    ledger.mark("node-9", START + micros(600))

    beat = ledger.overview().heartbeats["node-9"]

    assert (beat.node, beat.at, beat.slots, beat.marked) == ("node-9", 0, 0, START + micros(600))


def test_a_forgotten_node_is_gone(ledger: Ledger) -> None:
    ledger.beat(BEAT)

    ledger.forget("node-1")
    ledger.forget("node-1")

    assert ledger.overview().heartbeats == {}


# --- check-ins


CHECK_IN = CheckIn(
    node="node-1",
    launched=START,
    at=START + micros(42.5),
    instance_type="c7i.large",
    zone="eu-central-1b",
    market="spot",
)


def test_a_check_in_reads_back_whole_and_outlives_the_node(ledger: Ledger) -> None:
    ledger.beat(BEAT)
    ledger.check_in(CHECK_IN)
    ledger.forget("node-1")

    assert ledger.overview().check_ins == {"node-1": CHECK_IN}
    assert ledger.overview().came_up == {"node-1"}


def test_a_node_that_starts_again_checks_in_again(ledger: Ledger) -> None:
    again = structs.replace(CHECK_IN, launched=START + micros(600), at=START + micros(630))
    for check_in in (CHECK_IN, again):
        ledger.check_in(check_in)

    assert ledger.overview().check_ins == {"node-1": again}


def test_check_ins_are_those_of_25_hours_longer_than_the_orders(ledger: Ledger, clock: FakeClock) -> None:
    ledger.check_in(structs.replace(CHECK_IN, at=START))

    clock.advance(DAY + HOUR)
    assert list(ledger.overview().check_ins) == ["node-1"]
    clock.advance(1)
    assert ledger.overview().check_ins == {}


def test_a_node_came_up_that_gave_a_heartbeat_and_not_if_it_was_only_marked(ledger: Ledger) -> None:
    ledger.beat(BEAT)
    ledger.mark("node-2", START)

    assert ledger.overview().came_up == {"node-1"}


# --- the breaker


OPENED = Breaker(number=1, opened=START, reason="3 nodes in a row never gave a heartbeat")


def test_the_breaker_of_a_new_farm_is_closed(ledger: Ledger) -> None:
    assert ledger.overview().breaker == Breaker()


def test_it_is_opened_and_closed_again(ledger: Ledger) -> None:
    ledger.switch(OPENED)
    assert ledger.overview().breaker == OPENED

    closed = Breaker(number=2, resumed=START + micros(60))
    ledger.switch(closed)
    assert ledger.overview().breaker == closed


def test_a_switch_of_one_that_somebody_else_switched_is_refused(ledger: Ledger) -> None:
    ledger.switch(OPENED)
    late = (
        structs.replace(OPENED, reason="another"),
        Breaker(number=3),
        Breaker(),
    )

    for breaker in late:
        with pytest.raises(ConflictError, match="meanwhile"):
            ledger.switch(breaker)

    assert ledger.overview().breaker == OPENED


def test_the_first_switch_is_number_1(ledger: Ledger) -> None:
    with pytest.raises(ConflictError, match="meanwhile"):
        ledger.switch(structs.replace(OPENED, number=2))

    assert ledger.overview().breaker == Breaker()


def test_switching_it_so_again_changes_nothing(ledger: Ledger) -> None:
    ledger.switch(OPENED)
    ledger.switch(OPENED)

    assert ledger.overview().breaker == OPENED


# --- settings for nodes


def test_settings_for_nodes_are_those_that_were_published_last(ledger: Ledger) -> None:
    assert ledger.overview().node_settings == ""

    for text in ('{"worker": {"lease": 90.0}}', '{"worker": {"lease": 60.0}}'):
        ledger.publish(text)

    assert ledger.overview().node_settings == '{"worker": {"lease": 60.0}}'


# --- launches and the generation


def test_a_new_farm_has_ordered_nothing(ledger: Ledger) -> None:
    assert ledger.overview().generation == 0
    assert ledger.overview().unsettled is None
    assert ledger.overview().launches == ()


def test_an_order_is_unsettled_until_its_answer_is_known(ledger: Ledger, clock: FakeClock) -> None:
    ledger.journal(launch())
    assert ledger.overview().unsettled == launch()
    assert ledger.overview().launches == (launch(),)
    assert ledger.overview().generation == 0

    ledger.settle("token-1", Spawned(("node-1", "node-2")))
    assert ledger.overview().unsettled is None
    (settled,) = ledger.overview().launches
    assert structs.replace(settled, request=launch().request) == structs.replace(
        launch(), settled=True, answered=clock(), nodes=("node-1", "node-2")
    )  # the request of a settled order need not be kept
    assert ledger.overview().generation == 1


def test_i2_an_order_for_another_generation_is_refused(ledger: Ledger) -> None:
    ledger.journal(launch())
    ledger.settle("token-1", Spawned())

    for generation in (0, 2):
        with pytest.raises(ConflictError, match="token-2"):
            ledger.journal(launch(2, generation=generation))

    assert ledger.overview().unsettled is None
    assert [order.token for order in ledger.overview().launches] == ["token-1"]


def test_i2_the_first_order_of_a_farm_is_of_generation_0(ledger: Ledger) -> None:
    with pytest.raises(ConflictError, match="order token-1 is for generation 1"):
        ledger.journal(launch(generation=1))

    assert ledger.overview().launches == ()


def test_i2_a_second_order_waits_for_the_first(ledger: Ledger) -> None:
    ledger.journal(launch())

    with pytest.raises(ConflictError, match="token-2"):
        ledger.journal(launch(2))

    assert ledger.overview().launches == (launch(),)


def test_the_same_order_is_journalled_once_and_as_it_was_first(ledger: Ledger) -> None:
    ledger.journal(launch())

    ledger.journal(structs.replace(launch(), request="something else"))

    assert ledger.overview().launches == (launch(),)


def test_settling_again_changes_nothing(ledger: Ledger) -> None:
    ledger.journal(launch())
    ledger.settle("token-1", Spawned(("node-1",)))

    ledger.settle("token-1", Spawned(("node-2",)))

    assert ledger.overview().generation == 1
    assert [order.nodes for order in ledger.overview().launches] == [("node-1",)]


def test_settling_an_old_order_again_leaves_the_new_one_alone(ledger: Ledger) -> None:
    ledger.journal(launch())
    ledger.settle("token-1", Spawned(("node-1",)))
    ledger.journal(launch(2, generation=1))

    ledger.settle("token-1", Spawned(("node-2",)))

    assert ledger.overview().unsettled == launch(2, generation=1)
    assert ledger.overview().generation == 1


def test_launches_are_those_of_24_hours_oldest_first(ledger: Ledger, clock: FakeClock) -> None:
    for number, hours in enumerate((0, 10, 10)):
        ledger.journal(launch(number, generation=number, ordered=clock.advance(hours * HOUR)))
        ledger.settle(f"token-{number}", Spawned())
    assert [order.token for order in ledger.overview().launches] == ["token-0", "token-1", "token-2"]

    clock.advance(4 * HOUR)
    assert [order.token for order in ledger.overview().launches] == ["token-0", "token-1", "token-2"]
    clock.advance(1)
    assert [order.token for order in ledger.overview().launches] == ["token-1", "token-2"]

    clock.advance(DAY)
    assert ledger.overview().launches == ()
    assert ledger.overview().generation == 3


def test_an_unsettled_order_is_shown_however_old(ledger: Ledger, clock: FakeClock) -> None:
    ledger.journal(launch())

    clock.advance(3 * DAY)

    assert ledger.overview().launches == (launch(),)
    assert ledger.overview().unsettled == launch()


def test_an_order_may_be_given_again_and_again_and_says_so(ledger: Ledger) -> None:
    ledger.journal(launch())
    for _ in range(2):
        ledger.repeat("token-1")

    assert ledger.overview().unsettled == structs.replace(launch(), repeated=True)


@pytest.mark.parametrize("certain", [True, False])
def test_that_it_was_given_again_is_kept_where_more_may_come_of_it(
    ledger: Ledger, clock: FakeClock, *, certain: bool
) -> None:
    ledger.journal(launch())
    ledger.repeat("token-1")
    clock.advance(60)
    ledger.settle("token-1", Spawned(certain=certain))

    (settled,) = ledger.overview().launches
    assert (settled.repeated, settled.answered) == (not certain, START + micros(60))


def test_i2_an_order_that_is_settled_or_was_never_journalled_must_not_be_given_again(ledger: Ledger) -> None:
    ledger.journal(launch())
    ledger.settle("token-1", Spawned(certain=False))
    settled = ledger.overview()

    for token in ("token-1", "token-2"):
        with pytest.raises(ConflictError, match=token):
            ledger.repeat(token)

    assert ledger.overview() == settled


def test_an_order_that_is_settled_is_not_journalled_again(ledger: Ledger) -> None:
    ledger.journal(launch())
    ledger.settle("token-1", Spawned(("node-1",)))

    with pytest.raises(ConflictError, match="token-1"):
        ledger.journal(launch())

    assert ledger.overview().unsettled is None
    assert ledger.overview().generation == 1


def test_settling_an_order_that_was_never_journalled_changes_nothing(ledger: Ledger) -> None:
    ledger.settle("token-1", Spawned(("node-1",)))

    assert ledger.overview().generation == 0
    assert ledger.overview().launches == ()


def test_i2_of_orders_at_the_same_time_one_is_journalled(ledger: Ledger, request: pytest.FixtureRequest) -> None:
    if "moto" in request.node.name:
        pytest.skip(
            "moto takes no lock, and a transaction that fails there undoes what others wrote; MiniStack isolates"
        )
    together = threading.Barrier(4)
    refused: list[str] = []

    def order(number: int) -> None:
        together.wait()
        try:
            ledger.journal(launch(number))
        except ConflictError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=order, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 3
    assert len(ledger.overview().launches) == 1


# --- refused pools


ZONE_A, ZONE_B = (Pool("c7i.xlarge", place, "spot") for place in ("eu-central-1a", "eu-central-1b"))


def test_it_is_known_how_long_ago_pools_refused_an_order(ledger: Ledger, clock: FakeClock) -> None:
    ledger.journal(launch())
    ledger.settle("token-1", Spawned(("node-1",), refused=(ZONE_A, ZONE_B)))
    assert set(ledger.overview().refusals) == {Refusal(ZONE_A, START), Refusal(ZONE_B, START)}
    assert ledger.overview().refused(clock()) == {ZONE_A: 0.0, ZONE_B: 0.0}

    assert ledger.overview().refused(clock.advance(REFUSED_FOR)) == {ZONE_A: REFUSED_FOR, ZONE_B: REFUSED_FOR}


def test_the_last_refusal_of_a_pool_counts(ledger: Ledger, clock: FakeClock) -> None:
    ledger.journal(launch())
    ledger.settle("token-1", Spawned(refused=(ZONE_A, ZONE_B)))
    later = clock.advance(60)
    ledger.journal(launch(2, generation=1))
    ledger.settle("token-2", Spawned(refused=(ZONE_A,)))

    assert set(ledger.overview().refusals) == {Refusal(ZONE_A, later), Refusal(ZONE_B, START)}


def test_settling_again_notes_no_refusal(ledger: Ledger) -> None:
    ledger.journal(launch())
    ledger.settle("token-1", Spawned(("node-1",)))

    ledger.settle("token-1", Spawned(refused=(ZONE_A,)))

    assert ledger.overview().refusals == ()


def test_an_order_may_have_many_nodes_and_refusals(ledger: Ledger, clock: FakeClock) -> None:
    nodes = tuple(f"i-{number:017x}" for number in range(1000))
    pools = tuple(Pool(f"c{number}.large", "eu-central-1a", "spot") for number in range(150))
    ledger.journal(launch())

    ledger.settle("token-1", Spawned(nodes, pools))

    overview = ledger.overview()
    assert [order.nodes for order in overview.launches] == [nodes]
    assert set(overview.refused(clock())) == set(pools)


# --- the controller's sign of life


def test_a_decision_is_a_sign_of_life(ledger: Ledger) -> None:
    ledger.sign(START)

    ledger.decide(decision(1, at=START + micros(60)))

    assert ledger.overview().controller_seen == START + micros(60)


def test_a_sign_of_life_is_seen(ledger: Ledger) -> None:
    assert ledger.overview().controller_seen is None

    ledger.sign(START)
    ledger.sign(START + micros(60))

    assert ledger.overview().controller_seen == START + micros(60)


# --- decisions


def test_a_farm_that_decided_nothing_has_no_decision(ledger: Ledger) -> None:
    assert ledger.decisions(limit=10) == []
    assert ledger.overview().decision is None


def test_decisions_come_newest_first(ledger: Ledger) -> None:
    kept = [decision(number, at=START + micros(60 * number)) for number in range(5)]
    for one in kept:
        ledger.decide(one)

    assert ledger.overview().decision == kept[4]
    assert ledger.decisions(limit=2) == [kept[4], kept[3]]
    assert ledger.decisions(limit=10) == kept[::-1]


def test_decisions_of_one_instant_are_all_kept(ledger: Ledger) -> None:
    ledger.decide(decision(1))
    ledger.decide(decision(2))

    assert [one.launch for one in ledger.decisions(limit=10)] == [2, 1]


def test_a_decision_is_kept_for_a_week(ledger: Ledger, clock: FakeClock) -> None:
    ledger.decide(decision(1))

    ledger.decide(decision(2, at=clock.advance(7 * DAY)))
    assert [one.launch for one in ledger.decisions(limit=10)] == [2, 1]

    ledger.decide(decision(3, at=clock.advance(0.000001)))
    assert [one.launch for one in ledger.decisions(limit=10)] == [3, 2]
