from threading import Barrier, Event

import pytest

from nommerctl.errors import InterruptedPassError
from nommerctl.wiring.side_by_side import THREADS, side_by_side


def nothing() -> None:
    """Heed nothing."""


def test_results_come_in_the_order_of_the_things_and_are_counted() -> None:
    counts: list[int] = []
    assert side_by_side(str, range(100), heed=nothing, done=counts.append) == [str(number) for number in range(100)]
    assert counts == list(range(1, 101))
    assert side_by_side(str, (), heed=nothing, done=counts.append) == []


def test_errands_are_under_way_at_the_same_time() -> None:
    all_of_them = Barrier(THREADS, timeout=60)
    assert len(side_by_side(lambda _: all_of_them.wait(), range(THREADS), heed=nothing, done=lambda _: None)) == THREADS


def test_what_an_errand_raises_comes_out_and_no_others_begin() -> None:
    begun: list[int] = []

    def fail(number: int) -> None:
        begun.append(number)
        raise KeyError(number)

    with pytest.raises(KeyError):
        side_by_side(fail, range(100_000), heed=nothing, done=lambda _: None)
    assert len(begun) < 100_000


def test_errands_that_hang_hold_nobody_up_who_is_told_to_end() -> None:
    never = Event()
    begun: list[int] = []

    def hang(number: int) -> None:
        begun.append(number)
        never.wait()

    def heed() -> None:
        if len(begun) == THREADS:
            msg = "interrupted"
            raise InterruptedPassError(msg)

    with pytest.raises(InterruptedPassError):
        side_by_side(hang, range(100), heed=heed, done=lambda _: None)
    never.set()
    assert sorted(begun) == list(range(THREADS))
