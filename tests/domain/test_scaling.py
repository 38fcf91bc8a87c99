from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Depth, Heartbeat, Launch, Node, Pool, Refusal
from nommerctl.domain.outcome import Held
from nommerctl.domain.overview import Overview
from nommerctl.domain.scaling import FarmView, decide
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from tests.fakes.clock import START

FEW = ScaleSettings(max_nodes=3, jobs_per_node=2, overflow_threshold=2)


def view(pending: int = 0, **found: Any) -> FarmView:  # noqa: ANN401 - any field of the view
    plain = FarmView(
        jobs={JobState.PENDING: pending},
        new_jobs=Depth(visible=pending),
        changes=Depth(),
        nodes=(),
        ledger=Overview(),
        cache_age=10.0,
        cache_max_age=900.0,
    )
    return structs.replace(plain, **found)


def node(
    name: str, *, beat_age: float | None = 1.0, launched_age: float = 300.0, marked: Instant | None = None
) -> Node:
    beat = None
    if beat_age is not None:
        beat = Heartbeat(node=name, started=START, at=START - micros(beat_age), slots=2)
    return Node(id=name, alive=True, launched=START - micros(launched_age), slots=2, beat=beat, marked=marked)


def test_one_job_and_no_node_launches_one() -> None:
    plan = decide(view(1), FEW, START)
    assert (plan.launch, plan.held, plan.reasons) == (1, (), ("1 job for 0 slots: 1 left over",))


def test_no_job_launches_none() -> None:
    assert decide(view(0), FEW, START).launch == 0


def test_a_part_of_a_nodes_worth_of_jobs_still_gets_a_node() -> None:
    assert decide(view(3), FEW, START).launch == 2


def test_what_already_runs_counts_towards_the_cap() -> None:
    # given media-nommer's own failure: at most 3, 2 running, 40 jobs
    plan = decide(view(40, nodes=(node("a"), node("b"))), FEW, START)
    assert plan.launch == 1
    assert plan.held == (Held("max_nodes", "17 more would exceed max_nodes = 3", 17),)


def test_fewer_jobs_left_over_than_the_threshold_wait_for_a_slot() -> None:
    assert decide(view(3, nodes=(node("a"),)), FEW, START).launch == 0
    assert decide(view(4, nodes=(node("a"),)), FEW, START).launch == 1


def test_nodes_in_doubt_count_towards_the_cap_and_offer_no_slots() -> None:
    plan = decide(view(40, in_doubt=2), FEW, START)
    assert plan.launch == 1
    assert plan.held == (Held("max_nodes", "19 more would exceed max_nodes = 3", 19),)


def test_an_order_without_an_answer_is_repeated_and_nothing_else_is_launched() -> None:
    order = Launch(token="t", generation=4, count=1, slots=2, ordered=START, request="{}")
    plan = decide(view(40, ledger=Overview(launches=(order,))), FEW, START)
    assert (plan.again, plan.launch) == (order, 0)


def test_a_stale_cache_holds_everything() -> None:
    dead = structs.replace(node("a"), alive=False)
    plan = decide(view(40, nodes=(dead,), cache_age=901.0), FEW, START)
    assert (plan.launch, plan.end) == (0, ())
    assert plan.held[0].by == "cache.max_age"
    assert plan.held[0].reason == "the last refresh was 15 min ago: run `nommerctl refresh` first"


def test_a_cold_cache_holds_everything() -> None:
    assert decide(view(40, cache_age=None), FEW, START).held[0].by == "cache.max_age"


def test_where_cache_and_queue_differ_the_smaller_counts_and_a_resync_is_wanted() -> None:
    plan = decide(view(40, new_jobs=Depth(visible=1)), FEW, START)
    assert (plan.launch, plan.resync) == (1, True)


def test_a_difference_that_unread_changes_explain_wants_no_resync() -> None:
    assert not decide(view(40, new_jobs=Depth(visible=1), changes=Depth(visible=39)), FEW, START).resync


def test_a_dead_node_is_ended_at_once_and_offers_no_slots() -> None:
    plan = decide(view(1, nodes=(structs.replace(node("a"), alive=False),)), FEW, START)
    assert [ending.node for ending in plan.end] == ["a"]
    assert plan.launch == 1


def test_a_silent_node_is_marked_in_one_pass_and_ended_in_a_later_one() -> None:
    silent = node("a", beat_age=181.0)
    assert [(ending.node, ending.reason) for ending in decide(view(nodes=(silent,)), FEW, START).mark] == [
        ("a", "no heartbeat for 3 min")
    ]
    marked = node("a", beat_age=241.0, marked=START - micros(60))
    later = decide(view(nodes=(marked,)), FEW, START)
    assert [ending.node for ending in later.end] == ["a"]
    assert later.mark == ()


def old_node(name: str, *, active: int = 0, beat_age: float = 1.0) -> Node:
    """One that media-nommer's worker runs on, which takes two jobs."""
    found = node(name, beat_age=beat_age)
    assert found.beat is not None
    return structs.replace(
        found, ours=False, slots=2, beat=structs.replace(found.beat, slots=2, active=active, takes_leases=False)
    )


def test_the_slots_of_an_old_worker_that_lives_are_used_before_anything_is_launched() -> None:
    assert decide(view(2, nodes=(old_node("a"),)), FEW, START).launch == 0
    assert decide(view(2, nodes=(old_node("a", beat_age=181.0),)), FEW, START).launch > 0


@pytest.mark.parametrize("beat_age", [1.0, 181.0, 100_000.0])
def test_an_old_worker_is_neither_marked_nor_ended_whatever_it_says(beat_age: float) -> None:
    plan = decide(view(2, nodes=(old_node("a", beat_age=beat_age),)), FEW, START)
    assert (plan.mark, plan.end) == ((), ())


def test_of_what_old_workers_have_in_hand_there_is_no_message_and_it_is_demand_all_the_same() -> None:
    seen = structs.replace(view(6, nodes=(old_node("a", active=2),)), new_jobs=Depth(visible=4))
    assert (seen.announced, seen.demand) == (6, 6)
    assert structs.replace(seen, nodes=()).demand == 4


def test_a_node_that_is_still_booting_is_left_alone_until_the_boot_limit() -> None:
    booting = node("a", beat_age=None, launched_age=599.0)
    assert decide(view(nodes=(booting,)), FEW, START).mark == ()
    late = node("a", beat_age=None, launched_age=601.0)
    assert decide(view(nodes=(late,)), FEW, START).mark[0].reason == "launched 10 min ago, never came up"


def test_a_silent_node_counts_towards_the_cap_though_it_offers_no_slots() -> None:
    plan = decide(view(40, nodes=(node("a", beat_age=181.0),)), FEW, START)
    assert plan.launch == 2


@pytest.mark.parametrize(
    "found",
    [
        node("a"),
        node("a", beat_age=None, launched_age=601.0),
        node("a", beat_age=None, launched_age=700.0, marked=START - micros(60)),
        structs.replace(node("a"), alive=False),
    ],
    ids=["at work", "silent", "marked", "dead"],
)
def test_a_node_that_is_not_ours_is_left_alone_and_offers_no_slots_but_counts(found: Node) -> None:
    plan = decide(view(40, nodes=(structs.replace(found, ours=False),)), FEW, START)
    assert (plan.mark, plan.end) == ((), ())
    assert plan.launch == 3 - found.alive
    assert plan.held == (Held("max_nodes", f"{17 + found.alive} more would exceed max_nodes = 3", 17 + found.alive),)


def test_min_nodes_are_kept_without_work() -> None:
    assert decide(view(0), structs.replace(FEW, min_nodes=2), START).launch == 2


def test_one_pass_launches_at_most_max_launch_per_pass() -> None:
    plan = decide(view(40), ScaleSettings(max_nodes=30, max_launch_per_pass=4), START)
    assert plan.launch == 4
    assert plan.held == (
        Held("max_nodes", "10 more would exceed max_nodes = 30", 10),
        Held("max_launch_per_pass", "26 more would exceed max_launch_per_pass = 4", 26),
    )


@given(
    pending=st.integers(0, 200),
    depth=st.integers(0, 200),
    beats=st.lists(st.tuples(st.booleans(), st.floats(0, 1000), st.booleans()), max_size=12),
    ordered=st.one_of(st.none(), st.integers(1, 5)),
    max_nodes=st.integers(0, 12),
    min_nodes=st.integers(0, 12),
    jobs_per_node=st.integers(1, 4),
)
def test_i2_no_plan_exceeds_the_bound(  # noqa: PLR0917 - hypothesis passes them by name
    pending: int,
    depth: int,
    beats: list[tuple[bool, float, bool]],
    ordered: int | None,
    max_nodes: int,
    min_nodes: int,
    jobs_per_node: int,
) -> None:
    nodes = tuple(
        structs.replace(node(f"n{number}", beat_age=age, marked=START - 1 if marked else None), alive=alive)
        for number, (alive, age, marked) in enumerate(beats)
    )
    order = ordered and Launch(token="t", generation=0, count=ordered, slots=1, ordered=START, request="")
    settings = ScaleSettings(max_nodes=max_nodes, min_nodes=min(min_nodes, max_nodes), jobs_per_node=jobs_per_node)
    ledger = Overview(launches=(order,) if order else ())
    plan = decide(view(pending, new_jobs=Depth(visible=depth), nodes=nodes, ledger=ledger), settings, START)
    living = sum(each.alive for each in nodes)
    assert plan.launch == 0 or living + plan.launch + (ordered or 0) <= max_nodes
    assert all(ending.node in {each.id for each in nodes} for ending in (*plan.end, *plan.mark))


# --- jobs that were interrupted too often


def on_demand_node(name: str, *, active: int = 0, beat: bool = True, old: bool = False) -> Node:
    order = Launch(token="t", generation=0, count=1, slots=2, ordered=START, request="", on_demand=True)
    heartbeat = Heartbeat(node=name, started=START, at=START, slots=2, active=active) if beat else None
    launched = START - micros(3600) if old else START
    return Node(id=name, alive=True, launched=launched, slots=2, beat=heartbeat, ordered=order)


def test_jobs_that_were_interrupted_too_often_get_nodes_that_stay() -> None:
    plan = decide(view(6, on_demand=3), structs.replace(FEW, max_nodes=9), START)
    assert (plan.launch, plan.on_demand) == (2, True)
    assert plan.reasons == ("3 jobs interrupted too often for spot: on-demand",)


def test_they_get_one_though_spot_nodes_have_room() -> None:
    plan = decide(view(1, nodes=(node("spot"),), on_demand=1), FEW, START)
    assert (plan.launch, plan.on_demand) == (1, True)


def test_they_stay_within_the_bound() -> None:
    plan = decide(view(9, nodes=(node("a"), node("b"), node("c")), on_demand=2), FEW, START)
    assert (plan.launch, [held.by for held in plan.held]) == (0, ["max_nodes"])


@pytest.mark.parametrize("beat", [True, False], ids=["at work", "not up yet"])
def test_a_node_that_stays_and_has_room_is_enough(beat: bool) -> None:  # noqa: FBT001 - a parameter of the test
    plan = decide(view(2, nodes=(on_demand_node("a", beat=beat),), on_demand=2), FEW, START)
    assert (plan.launch, plan.on_demand) == (0, False)


def test_a_node_that_stays_and_is_busy_is_none_unless_it_was_launched_for_them() -> None:
    busy = on_demand_node("a", active=2, old=True)
    plan = decide(view(4, nodes=(busy,), on_demand=1), FEW, START)
    assert (plan.launch, plan.on_demand) == (1, True)
    young = on_demand_node("a", active=2)
    assert not decide(view(4, nodes=(young,), on_demand=1), FEW, START).on_demand


def test_there_are_no_more_of_them_than_cache_and_queue_agree_on() -> None:
    assert decide(view(0, jobs={JobState.PENDING: 3}, on_demand=3), FEW, START).launch == 0


def test_where_there_is_no_capacity_that_stays_they_get_what_there_is() -> None:
    refusal = Refusal(Pool("c7i.large", "", "on-demand"), at=START - micros(60))
    plan = decide(view(4, on_demand=1, ledger=Overview(refusals=(refusal,))), FEW, START)
    assert (plan.launch, plan.on_demand) == (2, False)
    long_ago = structs.replace(refusal, at=START - micros(200))
    assert decide(view(4, on_demand=1, ledger=Overview(refusals=(long_ago,))), FEW, START).on_demand
