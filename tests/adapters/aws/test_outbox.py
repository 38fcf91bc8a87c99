"""What waits in the outbox until what it tells of is written."""

from collections.abc import Sequence

import pytest

from nommerctl.adapters.aws.outbox import Outbox
from nommerctl.errors import TryAgainError, UnreachableError


class Sent:
    """A queue that takes what it is sent, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.requests: list[list[str]] = []
        self.error = error

    def __call__(self, bodies: Sequence[str]) -> None:
        if self.error:
            raise self.error
        self.requests.append(list(bodies))


def test_without_a_context_everything_is_sent_at_once() -> None:
    outbox, sent = Outbox(), Sent()
    outbox.post(sent, ["a"])
    outbox.post(sent, ["b"])
    assert sent.requests == [["a"], ["b"]]


def test_in_a_context_it_is_sent_together_when_the_outermost_one_is_left() -> None:
    outbox, sent, other = Outbox(), Sent(), Sent()
    with outbox.together():
        outbox.post(sent, ["a"])
        with outbox.together():
            outbox.post(other, ["x"])
            outbox.post(sent, ["b"])
        assert sent.requests == other.requests == []
    assert (sent.requests, other.requests) == ([["a", "b"]], [["x"]])


def test_what_was_written_before_an_error_is_told_of() -> None:
    outbox, sent, broken = Outbox(), Sent(), Sent(UnreachableError("away"))

    def write_and_fail() -> None:
        with outbox.together():
            outbox.post(broken, ["x"])
            outbox.post(sent, ["a"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert sent.requests == [["a"]]


def test_a_queue_that_fails_keeps_no_other_from_being_sent_to() -> None:
    outbox, sent, broken = Outbox(), Sent(), Sent(TryAgainError("busy"))

    def write() -> None:
        with outbox.together():
            outbox.post(broken, ["x"])
            outbox.post(sent, ["a"])

    with pytest.raises(TryAgainError):
        write()
    assert sent.requests == [["a"]]
    assert outbox.sending == 0


def test_it_is_known_while_messages_go_out() -> None:
    outbox = Outbox()
    seen: list[int] = []
    with outbox.together():
        outbox.post(lambda _: seen.append(outbox.sending), ["a"])
    assert (seen, outbox.sending) == ([1], 0)
