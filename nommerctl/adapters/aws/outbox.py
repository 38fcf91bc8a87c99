"""Messages that wait until what they tell of has been written, to be sent in as few requests as a queue takes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.sqs import SqsQueue

Send: TypeAlias = Callable[[Sequence[str]], None]


class Outbox:
    """Makes a ports.Together of queues that stand apart from each other, and from the store.

    What is sent in the context goes out when it is left: by whatever it is left, for what was written before stands.
    One context within another is a part of it. Each thread has its own.
    """

    def __init__(self) -> None:
        self._own = threading.local()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep what is sent until this is left."""
        if self._waiting() is not None:
            yield
            return
        waiting: dict[Send, list[str]] = {}
        self._own.waiting = waiting
        try:
            yield
        finally:
            self._own.waiting = None
            for send, bodies in waiting.items():
                send(bodies)

    def post(self, send: Send, bodies: Sequence[str]) -> None:
        """Send messages, when the context is left if there is one."""
        waiting = self._waiting()
        if waiting is None:
            send(bodies)
        else:
            waiting.setdefault(send, []).extend(bodies)

    def _waiting(self) -> dict[Send, list[str]] | None:
        waiting: dict[Send, list[str]] | None = getattr(self._own, "waiting", None)
        return waiting


class PostedQueue(SqsQueue):
    """A queue in SQS whose messages go through an outbox."""

    def __init__(self, clients: Clients, name: str, urls: QueueUrls, outbox: Outbox) -> None:
        super().__init__(clients, name, urls)
        self._outbox = outbox

    def send(self, bodies: Sequence[str]) -> None:
        """Add a message for each body; within the outbox's context, when that is left."""
        self._outbox.post(super().send, bodies)
