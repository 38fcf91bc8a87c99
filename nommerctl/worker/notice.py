"""The word that a worker has to go, and how long it may take over putting things in order."""

import time

from nommerctl.errors import TryAgainError

TIME_TO_LEAVE = 3.0
"""Seconds for handing jobs back. A store that does not take them by then gets them when their leases end."""


class Notice:
    """Given once, and heeded by all that waits in the worker. It takes no lock: a signal handler may give it."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._end = 0.0

    def give(self, reason: str) -> None:
        """Tell the worker to go; the first time counts."""
        if self.reason is None:
            self._end = time.monotonic() + TIME_TO_LEAVE
            self.reason = reason

    @property
    def left(self) -> float:
        """Seconds that there are still for leaving."""
        return TIME_TO_LEAVE if self.reason is None else max(self._end - time.monotonic(), 0.0)

    def heed(self) -> None:
        """TryAgainError once the time is over: nothing can be waited for any longer."""
        if not self.left:
            msg = "the worker cannot wait for it: it has to go"
            raise TryAgainError(msg)
