from nommerctl.domain.fleet import Heartbeat, Instance, Launch, joined
from tests.fakes.clock import START


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


def test_a_row_that_only_marks_a_node_is_no_beat() -> None:
    row = Heartbeat(node="a", started=0, at=0, slots=0, marked=START + 5)
    (node,) = joined([Instance("a", alive=True, launched=START)], {"a": row}, [], now=START)
    assert (node.beat, node.marked, node.slots, node.last_sign) == (None, START + 5, 1, START)
