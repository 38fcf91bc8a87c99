"""A notifier that tells nobody."""

import threading
from collections.abc import Mapping

from nommerctl.errors import TransferError, UnansweredError


class FakeNotifier:
    """A ports.Notifier: `told` is what was taken, in order.

    A URL in `failing` answers its text and takes nothing; one in `silent` does not answer; `tried` counts all tries.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []
        self.failing: dict[str, str] = {}
        self.silent: set[str] = set()
        self.tried = 0
        self._lock = threading.Lock()

    def tell(self, url: str, fields: Mapping[str, str]) -> None:
        """Keep what was told, or fail as `failing` says."""
        with self._lock:
            self.tried += 1
            if url in self.silent:
                msg = f"{url} did not answer"
                raise UnansweredError(msg)
            if url in self.failing:
                raise TransferError(self.failing[url])
            self.told.append((url, dict(fields)))
