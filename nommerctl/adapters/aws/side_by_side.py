"""Calls that are made at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nommerctl.adapters.aws.clients import PARALLEL

T = TypeVar("T")


def side_by_side(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make calls, up to PARALLEL at a time, and return what they return, in their order.

    A single one is made on this thread: starting others costs. When one raises, those that have not begun are not made,
    and it comes out after those that have.
    """
    if len(calls) <= 1:
        return [call() for call in calls]
    with ThreadPoolExecutor(min(PARALLEL, len(calls))) as pool:
        made = [pool.submit(call) for call in calls]
        try:
            return [each.result() for each in made]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
