import threading

import pytest

from nommerctl.domain.outcome import Change, Failure, Held
from nommerctl.errors import IllegalMoveError, TimeLimitError, TransferError, UnansweredError, UnreachableError
from nommerctl.passes.means import Effect, FarmWrites
from nommerctl.passes.performing import Doer, Rehearsal
from tests.passes.farm import FakeFarm, nothing


def change(name: str) -> Change:
    return Change("do", name)


def failing(error: Exception) -> Effect:
    def effect(_: FarmWrites) -> None:
        raise error

    return effect


def done(_: FarmWrites) -> None:
    """An effect that comes about."""


def doer() -> Doer:
    return Doer(FakeFarm().writes, heed=nothing)


def test_what_was_done_is_noted() -> None:
    perform = doer()
    assert perform(change("a"), lambda _: None)
    assert perform.outcome("pass").changed == (change("a"),)


def test_an_item_that_fails_is_noted_and_the_pass_goes_on() -> None:
    perform = doer()
    assert not perform(change("a"), failing(TransferError("gone")))
    assert perform(change("b"), lambda _: None)
    outcome = perform.outcome("pass")
    assert (outcome.changed, outcome.failed) == ((change("b"),), (Failure("do", "a", "gone"),))


def test_what_comes_too_late_is_held_not_failed() -> None:
    perform = doer()
    assert not perform(change("a"), failing(IllegalMoveError("finished meanwhile")))
    assert perform.outcome("pass").held == (Held("changed meanwhile", "finished meanwhile"),)


def test_anything_else_ends_the_pass() -> None:
    with pytest.raises(UnreachableError):
        doer()(change("a"), failing(UnreachableError("away")))


def test_the_limit_is_heeded_before_each_effect() -> None:
    came_about: list[str] = []

    def heed() -> None:
        if came_about:
            msg = "over"
            raise TimeLimitError(msg)

    perform = Doer(FakeFarm().writes, heed=heed)
    perform(change("a"), lambda _: came_about.append("a"))
    with pytest.raises(TimeLimitError):
        perform(change("b"), lambda _: came_about.append("b"))
    assert came_about == ["a"]


def test_groups_go_side_by_side_and_each_chain_up_to_its_first_failure() -> None:
    perform = doer()
    both = threading.Barrier(2, timeout=5)
    refused = failing(TransferError("answered 404"))
    perform.together(
        [
            [
                [(change("a1"), lambda _: both.wait()), (change("a2"), refused), (change("a3"), done)],
                [(change("b"), done)],
            ],
            [[(change("c1"), lambda _: both.wait()), (change("c2"), done)]],
        ]
    )
    outcome = perform.outcome("pass")
    assert {each.target for each in outcome.changed} == {"a1", "b", "c1", "c2"}
    assert [each.target for each in outcome.failed] == ["a2"]


def test_a_group_that_nobody_answers_ends() -> None:
    perform = doer()
    perform.together([[[(change("a"), failing(UnansweredError("timed out")))], [(change("b"), done)]]])
    outcome = perform.outcome("pass")
    assert (outcome.changed, [each.target for each in outcome.failed]) == ((), ["a"])


def test_a_rehearsal_lists_everything_and_does_nothing() -> None:
    perform = Rehearsal(heed=nothing)
    came_about: list[object] = []
    assert perform(change("a"), came_about.append)
    perform.together([[[(change("b"), came_about.append)]]])
    perform.quietly(came_about.append)
    perform.note(change("c"))
    outcome = perform.outcome("pass")
    assert outcome.changed == (change("a"), change("b"), change("c"))
    assert (outcome.dry_run, came_about) == (True, [])
