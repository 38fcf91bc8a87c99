"""How many receives a queue is asked for, over queues that give what they like."""

import threading
from collections.abc import Callable
from itertools import chain, cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nommerctl.adapters.aws.clients import PARALLEL
from nommerctl.adapters.aws.sqs_entries import BATCH
from nommerctl.adapters.aws.sqs_receives import received
from nommerctl.errors import SettingsError, TimeLimitError, TryAgainError


class Source:
    """Holds messages, and gives in each receive as many as `generous` says, if there are so many."""

    def __init__(self, held: int, generous: Callable[[int], int] = lambda asked: asked) -> None:
        self.held = held
        self.given = 0
        self.asked: list[int] = []
        self.empty = 0
        self.threads: set[int] = set()
        self._generous = generous
        self._lock = threading.Lock()

    def poll(self, asked: int) -> list[int]:
        with self._lock:
            self.asked.append(asked)
            self.threads.add(threading.get_ident())
            count = min(self._generous(asked), self.held - self.given, asked)
            self.empty += not count
            batch = list(range(self.given, self.given + count))
            self.given += count
            return batch


@given(held=st.integers(0, 300), limit=st.integers(1, 300), gifts=st.lists(st.integers(1, BATCH), min_size=1))
def test_all_is_received_up_to_the_limit_with_one_empty_receive_for_each_receiver(
    held: int, limit: int, gifts: list[int]
) -> None:
    full_at_first = chain([BATCH], cycle(gifts))
    source = Source(held, lambda _: next(full_at_first))

    found = received(source.poll, limit)

    assert sorted(found) == list(range(source.given))
    assert len(found) <= limit
    assert max(source.asked) <= min(limit, BATCH)
    assert source.empty <= PARALLEL
    if min(held, limit) >= BATCH:
        assert len(found) == min(held, limit)


@pytest.mark.parametrize(("held", "limit"), [(0, 1000), (9, 1000), (1000, 10), (1000, 3)])
def test_one_receive_that_says_all_is_made_on_this_thread(held: int, limit: int) -> None:
    source = Source(held)

    received(source.poll, limit)

    assert len(source.asked) == 1
    assert source.threads == {threading.get_ident()}


def test_a_deep_queue_takes_one_receive_for_ten_messages() -> None:
    source = Source(5000)

    assert len(received(source.poll, 1000)) == 1000
    assert source.asked == [BATCH] * 100


def failing_after(count: int, error: Exception) -> Callable[[int], list[int]]:
    source = Source(1000)

    def poll(asked: int) -> list[int]:
        if len(source.asked) >= count:
            raise error
        return source.poll(asked)

    return poll


def test_a_failure_before_anything_was_received_comes_out() -> None:
    with pytest.raises(TryAgainError):
        received(failing_after(0, TryAgainError("throttled")), 1000)


def test_a_failure_after_something_was_received_only_ends_the_receive() -> None:
    found = received(failing_after(3, TryAgainError("throttled")), 1000)

    assert len(found) == 3 * BATCH


@pytest.mark.parametrize("error", [TimeLimitError("the time is up"), SettingsError("the queue is not there")])
def test_a_failure_that_no_later_receive_would_mend_comes_out_at_once(error: Exception) -> None:
    with pytest.raises(type(error)):
        received(failing_after(3, error), 1000)
