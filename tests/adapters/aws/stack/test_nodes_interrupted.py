"""The parts of nodes, made and unmade all together: repeated, interrupted at each call, beside another farm."""

import pytest

from nommerctl.errors import UnreachableError
from tests.adapters.aws.stack.node_account import Farm, NodeAccount
from tests.cloud import Call, Cut, Reach


def changing(calls: list[Call]) -> list[Call]:
    return [call for call in calls if not call.operation.startswith(("Describe", "Get", "List"))]


def calls_of(farm: Farm, made: bool) -> int:  # noqa: FBT001 - which of the two ways
    """How many calls it takes to bring a farm up, or to take it down."""
    before = len(farm.account.cloud.calls)
    if made:
        farm.bring_up()
    else:
        farm.tear_down()
    return len(farm.account.cloud.calls) - before


def test_bringing_up_again_changes_nothing(account: NodeAccount) -> None:
    farm = account.farm()
    farm.bring_up()
    before = len(account.cloud.calls)

    farm.bring_up()

    assert changing(account.cloud.calls[before:]) == []


def test_two_farms_whose_names_begin_the_same_live_side_by_side(account: NodeAccount) -> None:
    one = account.farm()
    other = account.farm(f"{one.name}-b")
    one.bring_up()
    other.bring_up()

    one.tear_down()

    assert one.stack.parts() == []
    assert len(other.stack.parts()) == 4
    assert other.differences() == []


@pytest.mark.slow
@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
def test_interrupted_at_each_call_it_is_brought_up_by_the_next_run(account: NodeAccount, cut: Cut) -> None:
    calls = calls_of(account.farm(), made=True)
    assert calls > 20

    for served in range(calls):
        farm = account.farm()
        with account.cloud.trouble(cut, Reach.ALL, served=served), pytest.raises(UnreachableError):
            farm.bring_up()
        farm.bring_up()

        assert farm.differences() == [], served
        assert len(farm.stack.parts()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
def test_interrupted_at_each_call_it_is_taken_down_by_the_next_run(account: NodeAccount, cut: Cut) -> None:
    farm = account.farm()
    farm.bring_up()
    calls = calls_of(farm, made=False)
    assert calls > 10

    for served in range(calls):
        farm = account.farm()
        farm.bring_up()
        with account.cloud.trouble(cut, Reach.ALL, served=served), pytest.raises(UnreachableError):
            farm.tear_down()
        farm.tear_down()

        assert farm.stack.parts() == [], served


def test_an_answer_that_is_lost_costs_nothing(account: NodeAccount) -> None:
    farm = account.farm()

    with account.cloud.trouble(Cut.AFTER, Reach.EVERY_OTHER):
        farm.bring_up()

    assert farm.differences() == []
