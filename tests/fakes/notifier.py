"""A notifier that tells nobody."""

import threading
from collections.abc import Mapping

from nommerctl.errors import TransferError


class FakeNotifier:
    """A ports.Notifier: `told` is what was taken, in order; a URL in `failing` takes nothing and answers its text."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []
        self.failing: dict[str, str] = {}
        self._lock = threading.Lock()

    def tell(self, url: str, fields: Mapping[str, str]) -> None:
        """Keep what was told, or fail as `failing` says."""
        with self._lock:
            if url in self.failing:
                raise TransferError(self.failing[url])
            self.told.append((url, dict(fields)))
