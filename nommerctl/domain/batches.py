"""Many things, a few at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` things, the last one of what is left; no more than that are taken at once."""
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch
