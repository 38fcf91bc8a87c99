"""Waiting for what AWS does in its own time, with an end."""

from collections.abc import Callable
from typing import TypeVar

from nommerctl.errors import TryAgainError

T = TypeVar("T")

PAUSE = 2.0
"""Seconds between two looks."""


def awaited(look: Callable[[], T | None], sleep: Callable[[float], None], *, seconds: float, late: str) -> T:
    """Return what `look` returns as soon as that is not None; TryAgainError(late) after so many seconds of pauses."""
    for _ in range(int(seconds / PAUSE)):
        found = look()
        if found is not None:
            return found
        sleep(PAUSE)
    found = look()
    if found is None:
        raise TryAgainError(late)
    return found
