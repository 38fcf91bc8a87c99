"""Media-nommer's queues in SQS: a message is the id of a job in base64, and there need be no queue of dead letters."""

from base64 import b64decode, b64encode
from collections.abc import Sequence

from botocore.exceptions import ClientError
from msgspec import structs

from nommerctl.adapters.aws.outbox import PostedQueue
from nommerctl.adapters.aws.sqs import SqsQueueReads
from nommerctl.domain.job import is_job_id
from nommerctl.errors import SettingsError
from nommerctl.ports import Message


class CodedQueueReads(SqsQueueReads):
    """A ports.QueueReads of such a queue; it has no dead letters where there is no queue for them."""

    def dead(self) -> list[Message]:
        """Return the dead letters, in no order; looks at them count among their receives."""
        try:
            return [_decoded(letter) for letter in super().dead()]
        except SettingsError as error:
            if _is_missing(error):
                return []
            raise

    def dead_count(self) -> int:
        """Return how many dead letters SQS says that there are, by one request."""
        try:
            return super().dead_count()
        except SettingsError as error:
            if _is_missing(error):
                return 0
            raise


class CodedQueue(CodedQueueReads, PostedQueue):
    """A ports.Queue of such a queue. What is not in code is taken as it is: raw ids, and what nobody understands."""

    def send(self, bodies: Sequence[str]) -> None:
        """Add a message for each body; within the outbox's context, when that is left."""
        super().send([b64encode(body.encode()).decode() for body in bodies])

    def receive(self, limit: int, visibility: float) -> list[Message]:
        """Receive up to `limit` visible messages, ten by one request; that none comes is known after a second."""
        return [_decoded(message) for message in super().receive(limit, visibility)]


def _is_missing(error: SettingsError) -> bool:
    """Whether it is AWS that says so: that there is no such queue. Of what else is wrong nothing was asked."""
    return isinstance(error.__cause__, ClientError)


def _decoded(message: Message) -> Message:
    body = message.body.strip()
    if is_job_id(body):
        return structs.replace(message, body=body)
    try:
        return structs.replace(message, body=b64decode(body, validate=True).decode())
    except ValueError:
        return message
