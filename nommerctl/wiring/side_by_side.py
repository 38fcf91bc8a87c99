"""Many short errands at the same time, while the main thread heeds what may end them."""

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")

THREADS = 8
ATTENTION = 0.1
"""Seconds between two looks of the main thread, where no errand ends meanwhile."""


def side_by_side(
    act: Callable[[A], R], things: Sequence[A], *, heed: Callable[[], None], done: Callable[[int], None]
) -> list[R]:
    """Return what `act` makes of each thing, in their order, up to THREADS of them at a time.

    `done` is told how many are. What `heed` or `act` raises ends it: then no further ones begin, and those that are
    under way are left to themselves. Their threads hold nobody up who wants to end the process.
    """
    places = iter(range(len(things)))
    one_at_a_time = Lock()
    ended = False
    answers: SimpleQueue[tuple[int, R] | Exception] = SimpleQueue()

    def work() -> None:
        nonlocal ended
        while True:
            with one_at_a_time:
                place = None if ended else next(places, None)
            if place is None:
                return
            try:
                answers.put((place, act(things[place])))
            except Exception as error:  # noqa: BLE001 - it is raised again in the main thread
                ended = True
                answers.put(error)

    for _ in range(min(THREADS, len(things))):
        Thread(target=work, name="errand", daemon=True).start()
    results: dict[int, R] = {}
    try:
        while len(results) < len(things):
            heed()
            try:
                answer = answers.get(timeout=ATTENTION)
            except Empty:
                continue
            if isinstance(answer, Exception):
                raise answer
            place, result = answer
            results[place] = result
            done(len(results))
    finally:
        ended = True
    return [results[place] for place in range(len(things))]
