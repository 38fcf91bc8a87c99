import pytest
from msgspec import structs

from nommerctl.domain.fleet import Heartbeat, Instance, Launch, in_doubt, joined
from nommerctl.domain.times import micros
from tests.fakes.clock import START

LAG = 600.0

SETTLED = Launch(
    token="t",
    generation=0,
    count=3,
    slots=1,
    ordered=START,
    request="",
    settled=True,
    answered=START + micros(3600),
    nodes=("a",),
)


def test_the_fleets_word_and_the_ledgers_are_put_together() -> None:
    beat = Heartbeat(node="b", started=START, at=START, slots=3, active=2)
    nodes = joined(
        [Instance("b", alive=True, launched=1), Instance("a", alive=False, launched=2)], {"b": beat}, [], now=START
    )
    assert [(node.id, node.alive, node.slots, node.active) for node in nodes] == [("a", False, 1, 0), ("b", True, 3, 2)]


def test_a_node_without_a_beat_has_the_slots_that_it_was_ordered_with() -> None:
    order = Launch(token="t", generation=0, count=1, slots=4, ordered=START, request="", nodes=("a",))
    (node,) = joined([Instance("a", alive=True, launched=START)], {}, [order], now=START)
    assert (node.slots, node.beat, node.last_sign) == (4, None, START)


def test_a_node_that_is_not_ours_has_no_slots_that_anybody_knows_of() -> None:
    (node,) = joined([Instance("a", alive=True, launched=START, ours=False)], {}, [], now=START)
    assert (node.ours, node.slots) == (False, 0)


def test_a_row_that_only_marks_a_node_is_no_beat() -> None:
    row = Heartbeat(node="a", started=0, at=0, slots=0, marked=START + 5)
    (node,) = joined([Instance("a", alive=True, launched=START)], {"a": row}, [], now=START)
    assert (node.beat, node.marked, node.slots, node.last_sign) == (None, START + 5, 1, START)


def test_a_node_that_is_not_shown_yet_counts_from_the_answer_to_its_order_and_for_what_a_clock_may_be_slow() -> None:
    (node,) = joined([], {}, [SETTLED], now=SETTLED.answered + micros(2 * LAG) - 1, lag=LAG)
    assert (node.id, node.alive, node.launched) == ("a", True, SETTLED.answered)
    assert joined([], {}, [SETTLED], now=SETTLED.answered + micros(2 * LAG), lag=LAG) == []
    assert joined([], {}, [SETTLED], now=SETTLED.answered, lag=0.0) == []


def test_a_node_that_was_shown_as_gone_does_not_count_again() -> None:
    ended = Instance("a", alive=False, launched=START, gone=True)
    assert joined([ended], {}, [SETTLED], now=SETTLED.answered, lag=LAG) == []


def test_what_is_missing_of_an_order_that_was_repeated_is_in_doubt_until_it_must_have_been_given_and_shown() -> None:
    repeated = structs.replace(SETTLED, repeated=True)
    end = SETTLED.answered + micros(3 * LAG)
    assert in_doubt([repeated, SETTLED], now=end - 1, lag=LAG) == 2
    assert in_doubt([repeated, SETTLED], now=end, lag=LAG) == 0


@pytest.mark.parametrize(
    ("order", "lag"),
    [
        (structs.replace(SETTLED, repeated=True, nodes=("a", "b", "c")), LAG),
        (structs.replace(SETTLED, repeated=True, settled=False, answered=0, nodes=()), LAG),
        (structs.replace(SETTLED, repeated=True), 0.0),
    ],
    ids=["filled", "unsettled", "shown at once"],
)
def test_nothing_is_in_doubt_of_an_order_that_is(order: Launch, lag: float) -> None:
    assert in_doubt([order], now=SETTLED.answered, lag=lag) == 0
