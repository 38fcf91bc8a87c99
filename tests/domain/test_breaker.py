from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nommerctl.domain.breaker import Boot, Breaker, BreakerState, Standing, boots, resumed, standing
from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Instance, Launch
from nommerctl.domain.times import Instant, micros
from tests.fakes.clock import START

SETTINGS = ScaleSettings(breaker_nodes=3, breaker_time=1800, boot_limit=600)

OPENED = Breaker(number=1, opened=START, reason="3 nodes in a row never gave a heartbeat")


def after(seconds: float) -> Instant:
    return START + micros(seconds)


def order(name: str, *nodes: str, at: float = 0.0, settled: bool = True) -> Launch:
    return Launch(
        token=name,
        generation=0,
        count=len(nodes),
        slots=1,
        ordered=after(at),
        request="",
        settled=settled,
        answered=after(at),
        nodes=nodes,
    )


def shown(node: str, *, alive: bool = True, gone: bool = False, launched: float = 0.0, failure: str = "") -> Instance:
    return Instance(node, alive=alive, launched=after(launched), gone=gone, failure=failure)


def became(
    orders: Sequence[Launch], instances: Sequence[Instance] = (), *, up: str = "", now: float = 1.0, lag: float = 0.0
) -> dict[str, bool | None]:
    found = boots(orders, up=up.split(), instances=instances, lag=lag, limit=600, now=after(now))
    return {boot.node: boot.up for boot in found}


def history(fates: str, *, first: float = 0.0) -> list[Boot]:
    """A minute apart: `x` never came up, `u` came up, `.` still boots."""
    known = {"x": False, "u": True, ".": None}
    return [
        Boot(node=f"n{number}", ordered=after(first + 60 * number), up=known[fate]) for number, fate in enumerate(fates)
    ]


def stands(fates: str, breaker: Breaker = Breaker(), *, now: float = 600.0, first: float = 0.0) -> Standing:  # noqa: B008 - it is frozen
    return standing(breaker, history(fates, first=first), SETTINGS, after(now))


# --- what became of a node


def test_a_node_that_gave_a_sign_came_up_whatever_became_of_it() -> None:
    assert became([order("t", "a", "b")], [shown("a", alive=False)], up="a b") == {"a": True, "b": True}


@pytest.mark.parametrize("instance", [shown("a", alive=False), shown("a", alive=False, gone=True)])
def test_a_node_that_ended_without_one_did_not(instance: Instance) -> None:
    assert became([order("t", "a")], [instance]) == {"a": False}


def test_a_node_that_was_taken_back_before_it_gave_one_says_nothing_and_one_that_had_come_up_still_did() -> None:
    taken = [structs.replace(shown(node, alive=False, gone=True), taken_back=True) for node in "ab"]
    assert became([order("t", "a", "b")], taken, up="b") == {"b": True}


def test_a_node_may_take_until_the_boot_limit() -> None:
    assert became([order("t", "a")], [shown("a")], now=600) == {"a": None}
    assert became([order("t", "a")], [shown("a")], now=601) == {"a": False}


def test_a_node_that_is_not_shown_is_gone_where_the_fleet_shows_all() -> None:
    assert became([order("t", "a")], []) == {"a": False}


def test_elsewhere_it_may_still_be_shown_until_the_boot_limit() -> None:
    assert became([order("t", "a")], [], now=599, lag=600) == {"a": None}
    assert became([order("t", "a")], [], now=601, lag=600) == {"a": False}


def test_a_launch_from_the_future_says_nothing() -> None:
    assert became([order("t", "a")], [shown("a", launched=3600)]) == {"a": False}


def test_nodes_stand_in_the_order_of_the_answers_and_those_of_one_order_by_how_they_fared() -> None:
    orders = [order("late", "c", at=60), order("early", "a", "b"), order("none", "x", at=90, settled=False)]
    assert list(became(orders, [shown("b", alive=False)], up="a c")) == ["b", "a", "c", "x"]


# --- closed


@pytest.mark.parametrize(
    ("fates", "failed"), [("", 0), ("uuu", 0), ("xx", 2), ("xxu", 0), ("xxuxx", 2), ("x.x.", 2), ("xxxu", 0)]
)
def test_it_stays_closed_for_fewer_failures_in_a_row(fates: str, failed: int) -> None:
    found = stands(fates)
    assert (found.state, found.failed, found.most, found.sentence) == (BreakerState.CLOSED, failed, None, "")
    assert found.switch is None


@pytest.mark.parametrize("fates", ["xxx", "uxxx", "xx.x..", "xxxx"])
def test_it_opens_when_so_many_in_a_row_never_came_up(fates: str) -> None:
    found = stands(fates)
    count = fates.count("x")
    assert (found.state, found.failed, found.most, found.until) == (BreakerState.OPEN, count, 0, after(2400))
    why = f"{count} nodes in a row never gave a heartbeat"
    assert found.switch == Breaker(number=1, opened=after(600), reason=why)
    assert found.sentence == (
        f"the breaker is open until 2026-01-01T09:40:00Z, no node is launched: {why};"
        " mend that, then run 'nommerctl resume'"
    )


def test_it_says_what_the_last_node_said() -> None:
    last = Boot(node="i-0a", ordered=after(400), up=False, failure="pip:\x1b[2J no such wheel")
    found = standing(Breaker(), [*history("xx"), last], SETTINGS, after(600))
    assert found.why == r"3 nodes in a row never gave a heartbeat (i-0a said: pip:\x1b[2J no such wheel)"


def test_nodes_of_before_the_last_resume_do_not_count() -> None:
    assert stands("xxx", resumed(OPENED, after(120))).failed == 0
    assert stands("xxxxxx", resumed(OPENED, after(120))).state is BreakerState.OPEN


# --- open, and half-open


@pytest.mark.parametrize("fates", ["xxx", "xxx.", ""])
def test_it_stays_open_for_its_time(fates: str) -> None:
    found = stands(fates, OPENED, now=1799)
    assert (found.state, found.most, found.switch) == (BreakerState.OPEN, 0, None)


def test_a_node_that_comes_up_after_all_closes_it() -> None:
    found = stands("xxxu", OPENED)
    assert (found.state, found.switch, found.why) == (BreakerState.CLOSED, Breaker(number=2), "n3 came up")


def test_after_its_time_one_node_is_tried() -> None:
    found = stands("xxx", OPENED, now=1800)
    assert (found.state, found.most, found.switch) == (BreakerState.HALF_OPEN, 1, None)
    assert found.sentence == (
        "the breaker is half-open, one node is tried: 3 nodes in a row never gave a heartbeat;"
        " mend that, then run 'nommerctl resume'"
    )


def test_while_one_is_tried_no_other_is() -> None:
    found = stands(".", OPENED, now=1900, first=1800)
    assert (found.state, found.most, found.switch) == (BreakerState.HALF_OPEN, 0, None)


def test_it_closes_when_that_one_comes_up() -> None:
    assert stands("u", OPENED, now=1900, first=1800).switch == Breaker(number=2)


def test_it_opens_again_when_that_one_does_not() -> None:
    found = stands("x", OPENED, now=1900, first=1800)
    why = "the node that was tried never gave a heartbeat either"
    assert (found.state, found.most, found.until) == (BreakerState.OPEN, 0, after(3700))
    assert found.switch == Breaker(number=2, opened=after(1900), reason=why)
    again = stands("x", found.switch, now=3700, first=1800)
    assert (again.state, again.most) == (BreakerState.HALF_OPEN, 1), "and then the next one is tried"


def test_one_that_was_opened_in_the_future_is_opened_now_for_the_clock_went_back() -> None:
    found = stands("xxx", OPENED, now=-7200)
    assert found.switch == Breaker(number=2, opened=after(-7200), reason=OPENED.reason)


@given(fates=st.text("xu.", max_size=12), opened=st.booleans(), now=st.integers(0, 4000))
def test_nothing_is_launched_unless_it_is_closed_but_for_one(fates: str, opened: bool, now: int) -> None:  # noqa: FBT001 - hypothesis passes it by name
    found = stands(fates, OPENED if opened else Breaker(), now=now)
    assert (found.most is None) == (found.state is BreakerState.CLOSED) == (not found.sentence)
    assert found.most in {None, 0} or (found.state is BreakerState.HALF_OPEN and found.most == 1)
