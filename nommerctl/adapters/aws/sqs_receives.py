"""How many receives are made of a queue, and when to stop."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from nommerctl.adapters.aws.clients import PARALLEL
from nommerctl.adapters.aws.sqs_entries import BATCH
from nommerctl.errors import AWAY

T = TypeVar("T")


def received(poll: Callable[[int], list[T]], limit: int) -> list[T]:
    """Return up to `limit` messages, received by `poll` in batches; it is told how many to ask for.

    Once a batch came full, several are asked for side by side: one more for each that comes full, up to PARALLEL. When
    one came empty, no more are asked for: so at most one comes empty for each that is asked for at a time. What goes
    wrong after something was received ends the receive, and meets the next one: nothing received is lost from sight.
    """
    first = poll(min(limit, BATCH))
    if len(first) < BATCH or limit == BATCH:
        return first
    return first + _more(poll, limit - BATCH)


def _more(poll: Callable[[int], list[T]], limit: int) -> list[T]:
    found: list[T] = []
    polls: dict[Future[list[T]], int] = {}
    together = 2
    with ThreadPoolExecutor(PARALLEL) as pool:
        while True:
            while limit > 0 and len(polls) < together:
                asked = min(limit, BATCH)
                polls[pool.submit(poll, asked)] = asked
                limit -= asked
            if not polls:
                return found
            for done in wait(polls, return_when=FIRST_COMPLETED).done:
                asked, batch = polls.pop(done), _batch(done)
                found += batch
                limit += asked - len(batch)
                if not batch:
                    together = 0
                elif len(batch) == asked and together:
                    together = min(together + 1, PARALLEL)


def _batch(done: Future[list[T]]) -> list[T]:
    try:
        return done.result()
    except AWAY:
        return []
