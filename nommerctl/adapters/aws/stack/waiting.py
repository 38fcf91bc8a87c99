"""Patience with what AWS does in its own time, or has done and does not show everywhere yet."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from nommerctl.errors import TryAgainError

T = TypeVar("T")

_PAUSES = (0.5, 1.0, 2.0, 3.0, 5.0)
"""Seconds between tries; the last one from then on."""


def tries(sleep: Callable[[float], None], seconds: float, at_an_end: str) -> Iterator[int]:
    """Yield the number of each try, with growing pauses between them.

    TryAgainError, with the sentence `at_an_end`, once the pauses come to so many seconds.
    """
    number, slept = 0, 0.0
    while True:
        yield number
        if slept >= seconds:
            raise TryAgainError(at_an_end)
        pause = _PAUSES[min(number, len(_PAUSES) - 1)]
        sleep(pause)
        slept += pause
        number += 1


def shown_at_last(look: Callable[[], T | None], sleep: Callable[[float], None], seconds: float, at_an_end: str) -> T:
    """Return what a look finds, which is repeated as long as it finds nothing; see `tries`."""
    for _ in tries(sleep, seconds, at_an_end):
        if (found := look()) is not None:
            return found
    raise AssertionError  # tries never ends of its own accord
