"""Watching for the notice that the machine is to be taken back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nommerctl.errors import AWAY
from nommerctl.ports import Notices

NOTICES_EVERY = 5.0
"""Seconds between two looks: what EC2 asks for, which gives a spot instance two minutes."""


@contextmanager
def watching(
    notices: Notices | None, tell: Callable[[str], None], log: Callable[[str], None], *, every: float = NOTICES_EVERY
) -> Iterator[None]:
    """Tell of the first notice, as soon as it is given: by a thread of its own, whatever this one waits for.

    Whoever cannot be asked gives no notice; that is logged once, until there is an answer again.
    """
    over = threading.Event()
    if notices is not None:
        watch = (notices, tell, log, over, every)
        threading.Thread(target=_watch, args=watch, name="notices", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch(
    notices: Notices,
    tell: Callable[[str], None],
    log: Callable[[str], None],
    over: threading.Event,
    every: float,
) -> None:
    answered = True
    while not over.is_set():
        try:
            reason = notices.announced()
            answered = True
        except AWAY as error:
            reason = None
            if answered:
                log(f"whether this machine is to be taken back is not known: {error}")
            answered = False
        if reason is not None:
            tell(reason)
            return
        over.wait(every)
