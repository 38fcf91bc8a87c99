"""Messages that wait until what they tell of has been written, to be sent in as few requests as a queue takes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeAlias

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.sqs import SqsQueue
from nommerctl.errors import NommerctlError

Send: TypeAlias = Callable[[Sequence[str]], None]


class Outbox:
    """Makes a ports.Together of queues that stand apart from each other, and from the store.

    What is sent in the context goes out when it is left: by whatever it is left, for what was written before stands.
    Every queue is sent what is its own; the first error comes out then, unless another one is on its way. One context
    within another is a part of it. Each thread has its own.
    """

    def __init__(self) -> None:
        self._own = threading.local()
        self.sending = 0
        """How many contexts are being left: what was written is to be told of, whatever ends the pass meanwhile."""

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
        except BaseException:
            with suppress(NommerctlError):
                self._send(waiting)
            raise
        self._send(waiting)

    def _send(self, waiting: dict[Send, list[str]]) -> None:
        self._own.waiting = None
        self.sending += 1
        errors = []
        try:
            for send, bodies in waiting.items():
                try:
                    send(bodies)
                except NommerctlError as error:
                    errors.append(error)
        finally:
            self.sending -= 1
        if errors:
            raise errors[0]

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
