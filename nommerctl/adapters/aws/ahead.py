"""Reading ahead: the next pieces of something long are fetched while the first are used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from nommerctl.adapters.aws.clients import PARALLEL

A = TypeVar("A")
B = TypeVar("B")


def ahead(fetch: Callable[[A], B], pieces: Iterable[A]) -> Iterator[B]:
    """Yield what `fetch` makes of each piece, in order, with up to PARALLEL of them under way side by side.

    Pieces are taken on this thread, no further ahead than that. A single one is fetched on it too: starting others
    costs. What raises comes out in its turn; what has not begun by then is not fetched.
    """
    rest = iter(pieces)
    first = list(islice(rest, 2))
    if len(first) < 2:  # noqa: PLR2004 - there are not several
        yield from map(fetch, first)
        return
    pool = ThreadPoolExecutor(PARALLEL)
    try:
        rest = chain(first, rest)
        under_way: deque[Future[B]] = deque(pool.submit(fetch, piece) for piece in islice(rest, PARALLEL))
        while under_way:
            yield under_way.popleft().result()
            under_way.extend(pool.submit(fetch, piece) for piece in islice(rest, 1))
    finally:
        pool.shutdown(cancel_futures=True)
