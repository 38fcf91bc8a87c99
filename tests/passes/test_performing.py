import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from nommerctl.domain.outcome import Change, Failure, Held
from nommerctl.errors import IllegalMoveError, TimeLimitError, TransferError, TryAgainError, UnreachableError
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


def test_tasks_go_side_by_side() -> None:
    perform = doer()
    both = threading.Barrier(2, timeout=5)
    refused = failing(TransferError("answered 404"))

    def meet(*names: str) -> None:
        perform(change(names[0]), lambda _: both.wait())
        for name in names[1:]:
            perform(change(name), refused)

    perform.together([partial(meet, "a1", "a2"), partial(meet, "b1")])
    outcome = perform.outcome("pass")
    assert {each.target for each in outcome.changed} == {"a1", "b1"}
    assert [each.target for each in outcome.failed] == ["a2"]


def test_what_ends_one_task_comes_out_when_the_others_have_ended() -> None:
    perform = doer()

    def do(name: str) -> None:
        perform(change(name), done)

    with pytest.raises(UnreachableError):
        perform.together([partial(perform.quietly, failing(UnreachableError("away"))), partial(do, "b")])
    assert [each.target for each in perform.outcome("pass").changed] == ["b"]


def test_what_has_to_follow_is_done_though_the_pass_is_over() -> None:
    came_about: list[object] = []

    def over() -> None:
        msg = "over"
        raise TimeLimitError(msg)

    perform = Doer(FakeFarm().writes, heed=over)
    perform.in_any_case(came_about.append)
    assert len(came_about) == 1


def test_effects_as_one_step_are_noted_each_for_itself() -> None:
    perform = doer()
    refused = failing(TransferError("answered 404"))
    perform.as_one([(change("a"), done), (change("b"), refused), (change("c"), done)])
    outcome = perform.outcome("pass")
    assert [each.target for each in outcome.changed] == ["a", "c"]
    assert [each.target for each in outcome.failed] == ["b"]


def test_of_a_step_that_fails_as_a_whole_nothing_counts_as_done() -> None:
    @contextmanager
    def not_written() -> Iterator[None]:
        yield
        msg = "the disk is full"
        raise TryAgainError(msg)

    perform = Doer(replace(FakeFarm().writes, together=not_written), heed=nothing)
    with pytest.raises(TryAgainError):
        perform.as_one([(change("a"), done)])
    assert perform.outcome("pass").changed == ()


def test_a_rehearsal_lists_everything_and_does_nothing() -> None:
    perform = Rehearsal(heed=nothing)
    came_about: list[object] = []
    assert perform(change("a"), came_about.append)

    def task() -> None:
        perform(change("b"), came_about.append)

    perform.together([task])
    perform.as_one([(change("d"), came_about.append)])
    perform.quietly(came_about.append)
    perform.in_any_case(came_about.append)
    perform.note(change("c"))
    outcome = perform.outcome("pass")
    assert outcome.changed == (change("a"), change("b"), change("d"), change("c"))
    assert (outcome.dry_run, came_about) == (True, [])
