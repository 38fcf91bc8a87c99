"""A notifier that tells nobody."""

import threading

from nommerctl.domain.delivery import StateChange
from nommerctl.errors import GoneError, HostAwayError, TransferError, UnansweredError


class FakeNotifier:
    """A ports.Notifier: `told` is what was taken, in order.

    A URL in `failing` answers its text and takes nothing; one in `silent` does not answer, one in `away` cannot be
    connected to, and one in `gone` answers 410; `tried` counts all tries.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []
        self.failing: dict[str, str] = {}
        self.silent: set[str] = set()
        self.away: set[str] = set()
        self.gone: set[str] = set()
        self.tried = 0
        self._lock = threading.Lock()

    def tell(self, url: str, change: StateChange) -> None:
        """Keep what was told, or fail as `failing` says."""
        with self._lock:
            self.tried += 1
            if url in self.silent:
                msg = f"{url} did not answer"
                raise UnansweredError(msg)
            if url in self.away:
                msg = f"{url} is away"
                raise HostAwayError(msg)
            if url in self.gone:
                msg = f"{url} answered 410"
                raise GoneError(msg)
            if url in self.failing:
                raise TransferError(self.failing[url])
            fields = {"unique_id": change.id, "job_state": change.state.value}
            self.told.append((url, {**fields, "job_state_details": change.details or ""}))
