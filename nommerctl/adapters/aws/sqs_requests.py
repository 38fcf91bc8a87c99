"""What one SQS queue is asked, by its name."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError
from msgspec import Struct

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.side_by_side import side_by_side
from nommerctl.adapters.aws.sqs_entries import BATCH, at_ceiling, batches, gone, settle
from nommerctl.adapters.aws.sqs_receives import received
from nommerctl.domain.fleet import Depth
from nommerctl.errors import NommerctlError

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType
    from types_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef as FailedEntry
    from types_boto3_sqs.type_defs import MessageTypeDef

T = TypeVar("T")

LONG_POLL = 1
"""Seconds that a receive waits for a message. One that does not wait asks only some of SQS's servers, and may find
nothing in a queue that is not empty; one that waits asks all, and still answers at once where there is something."""

CEILING = 12 * 3600
"""Seconds from its receive for which SQS hides a message at most, however often that is extended."""

_VISIBLE: "QueueAttributeNameType" = "ApproximateNumberOfMessages"
_IN_FLIGHT: "QueueAttributeNameType" = "ApproximateNumberOfMessagesNotVisible"
_DELAYED: "QueueAttributeNameType" = "ApproximateNumberOfMessagesDelayed"

_STALE = frozenset(
    {"AWS.SimpleQueueService.NonExistentQueue", "AccessDenied", "AccessDeniedException", "InvalidAddress"}
)
"""What SQS answers to a URL that was remembered while there was another queue, or another account."""


class Received(Struct, frozen=True):
    """A message as SQS gives it: `id` is always the same, `handle` is of this receive, `receives` counts them."""

    id: str
    handle: str
    body: str
    receives: int


def whole_seconds(visibility: float) -> int:
    """Return a visibility as SQS takes it: whole seconds, rounded up, from 0 to CEILING."""
    return ceil(min(max(visibility, 0.0), float(CEILING)))


class SqsRequests:
    """The requests about one queue, for any number of threads: ten messages in each, several side by side.

    Errors are those of `calling`, with the queue's name in them.
    """

    def __init__(
        self, clients: Clients, name: str, urls: QueueUrls, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clients = clients
        self._name = name
        self._what = f"queue '{name}'"
        self._urls = urls
        self._sleep = sleep

    def depth(self) -> Depth:
        """Return how many messages there are, by one request; SQS calls its counts approximate."""

        def ask(url: str) -> list[str]:
            names = [_VISIBLE, _IN_FLIGHT, _DELAYED]
            answer = self._clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
            return [answer["Attributes"][name] for name in names]

        visible, in_flight, delayed = map(_number, self._asked("sqs:GetQueueAttributes", ask))
        return Depth(visible=visible, in_flight=in_flight, delayed=delayed)

    def receive(self, limit: int, seconds: int) -> list[Received]:
        """Receive up to `limit` messages and hide them for `seconds`, as `received` says.

        Messages that are not hidden would come again and again: of those there is one batch.
        """
        if limit < 1:
            return []
        poll = partial(self._poll, seconds)
        return received(poll, limit) if seconds else poll(min(limit, BATCH))

    def send(self, bodies: Sequence[str]) -> None:
        """Send a message for each body."""
        self._in_batches(self.send_batch, bodies)

    def send_batch(self, batch: Sequence[str]) -> dict[int, NommerctlError]:
        """Send one of `batches`; return what was not sent, by its place in the batch, and why."""

        def ask(url: str, bodies: Mapping[str, str]) -> Sequence["FailedEntry"]:
            answer = self._clients.sqs.send_message_batch(
                QueueUrl=url, Entries=[{"Id": key, "MessageBody": body} for key, body in bodies.items()]
            )
            return _failed(answer)

        return self._settled("sqs:SendMessage", batch, ask)

    def hide(self, handles: Sequence[str], seconds: int) -> None:
        """Hide received messages for `seconds` from now.

        One that is no longer ours stays as it is, and so does one that would be hidden beyond the CEILING.
        """

        def ask(url: str, waiting: Mapping[str, str]) -> Sequence["FailedEntry"]:
            answer = self._clients.sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": key, "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                    for key, handle in waiting.items()
                ],
            )
            return _failed(answer)

        def hide_batch(batch: Sequence[str]) -> dict[int, NommerctlError]:
            return self._settled("sqs:ChangeMessageVisibility", batch, ask, lambda it: gone(it) or at_ceiling(it))

        self._in_batches(hide_batch, handles)

    def delete(self, handles: Sequence[str]) -> None:
        """Delete received messages; one that is no longer ours stays as it is."""

        def ask(url: str, waiting: Mapping[str, str]) -> Sequence["FailedEntry"]:
            answer = self._clients.sqs.delete_message_batch(
                QueueUrl=url, Entries=[{"Id": key, "ReceiptHandle": handle} for key, handle in waiting.items()]
            )
            return _failed(answer)

        self._in_batches(lambda batch: self._settled("sqs:DeleteMessage", batch, ask, gone), handles)

    def _poll(self, seconds: int, count: int) -> list[Received]:
        def ask(url: str) -> list["MessageTypeDef"]:
            return self._clients.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=count,
                VisibilityTimeout=seconds,
                WaitTimeSeconds=LONG_POLL,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            ).get("Messages", [])

        return [_as_received(message) for message in self._asked("sqs:ReceiveMessage", ask)]

    def _in_batches(
        self, settle_batch: Callable[[Sequence[str]], Mapping[int, NommerctlError]], texts: Sequence[str]
    ) -> None:
        def settle_or_raise(batch: Sequence[str]) -> None:
            for error in settle_batch(batch).values():
                raise error

        side_by_side([partial(settle_or_raise, batch) for batch in batches(texts)])

    def _settled(
        self,
        action: str,
        batch: Sequence[str],
        ask: Callable[[str, Mapping[str, str]], Sequence["FailedEntry"]],
        harmless: Callable[["FailedEntry"], bool] = lambda _: False,
    ) -> dict[int, NommerctlError]:
        def ask_for(texts: Mapping[str, str]) -> Sequence["FailedEntry"]:
            return self._asked(action, lambda url: ask(url, texts))

        return settle(batch, ask_for, action=action, what=self._what, sleep=self._sleep, harmless=harmless)

    def _asked(self, action: str, ask: Callable[[str], T]) -> T:
        """Ask something of the queue; once more by another URL if the one that was remembered does not serve."""
        url = self._urls.of(self._name)
        with calling(action, self._what):
            try:
                return ask(url)
            except ClientError as error:
                if code_of(error) not in _STALE or (other := self._urls.instead_of(url, self._name)) is None:
                    raise
            return ask(other)


def _failed(answer: Mapping[str, Any]) -> Sequence["FailedEntry"]:
    """Return the entries of a batch that failed; KeyError if the answer tells of none, neither done nor failed."""
    if "Failed" not in answer and "Successful" in answer:
        return []
    failed: Sequence[FailedEntry] = answer["Failed"]
    return failed


def _as_received(message: "MessageTypeDef") -> Received:
    return Received(
        id=message.get("MessageId", ""),
        handle=message.get("ReceiptHandle", ""),
        body=message.get("Body", ""),
        receives=max(1, _number(message.get("Attributes", {}).get("ApproximateReceiveCount"))),
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() else 0
