"""The queues of a farm in SQS, each with a queue of its dead letters beside it."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import dead_letters
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.side_by_side import side_by_side
from nommerctl.adapters.aws.sqs_entries import batches
from nommerctl.adapters.aws.sqs_requests import Received, SqsRequests, whole_seconds
from nommerctl.domain.fleet import Depth
from nommerctl.errors import AWAY, NommerctlError
from nommerctl.ports import Message

LOOKING = 60
"""Seconds for which dead letters are hidden while they are looked at. They are given back when all have been seen; they
come back by themselves if that fails, or if this process is killed meanwhile."""

_MANY = 1000
"""Dead letters that are asked for in one receive."""


class SqsQueueReads:
    """A ports.QueueReads over SQS, whose counts are approximate.

    SQS shows messages only to who receives them. So dead letters are received to be looked at, and given back: that
    hides them from others for a moment, and counts as a receive of each. The receipt of a dead letter here is its
    message id, which stays the same from one look to the next.
    """

    def __init__(
        self, clients: Clients, name: str, urls: QueueUrls, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._living = SqsRequests(clients, name, urls, sleep)
        self._dead = SqsRequests(clients, dead_letters(name), urls, sleep)
        self._kept: dict[str, Received] = {}

    def depth(self) -> Depth:
        """Return how many messages SQS says that there are, by one request."""
        return self._living.depth()

    def dead(self) -> list[Message]:
        """Return the dead letters, in no order; looks at them count among their receives."""
        letters = self._look_at_dead()
        self._give_back(letters)
        return [Message(body=letter.body, receipt=letter.id, receives=letter.receives) for letter in letters]

    def dead_count(self) -> int:
        """Return how many dead letters SQS says that there are, by one request."""
        return self._dead.depth().total

    def _look_at_dead(self) -> list[Received]:
        """Receive all dead letters, until none comes that was not seen before."""
        seen: dict[str, Received] = {}
        known = -1
        while len(seen) > known:
            known = len(seen)
            seen |= {letter.id: letter for letter in self._dead.receive(_MANY, LOOKING)}
        return list(seen.values())

    def _give_back(self, letters: Sequence[Received]) -> None:
        """Give dead letters back; those with which that fails are kept, and come back by themselves."""
        try:
            self._dead.hide([letter.handle for letter in letters], 0)
        except AWAY:
            self._kept |= {letter.id: letter for letter in letters}


class SqsQueue(SqsQueueReads):
    """A ports.Queue over a standard queue of SQS, which may deliver a message twice even while it is hidden.

    What follows from SQS's ways:

    - A message is hidden for at most 12 hours from its receive. What would hide it longer is no error and changes
      nothing: it comes back then, and whoever receives it finds the job held by its lease.
    - When a reply is lost, the request is repeated: what was received by the first comes back when its visibility ends,
      what was sent by it is there twice, what was deleted by it is gone.
    - An old receipt is refused, or does nothing; SQS does not promise which.
    """

    def send(self, bodies: Sequence[str]) -> None:
        """Add a message for each body, ten by one request; when this raises, some may have been added."""
        self._living.send(bodies)

    def receive(self, limit: int, visibility: float) -> list[Message]:
        """Receive up to `limit` visible messages, ten by one request; that none comes is known after a second."""
        found = self._living.receive(limit, whole_seconds(visibility))
        return [Message(body=each.body, receipt=each.handle, receives=each.receives) for each in found]

    def extend(self, messages: Sequence[Message], visibility: float) -> None:
        """Hide received messages for `visibility` seconds from now, rounded up; 0 gives them back at once."""
        self._living.hide([message.receipt for message in messages], whole_seconds(visibility))

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete received messages, ten by one request."""
        self._living.delete([message.receipt for message in messages])

    def revive(self, messages: Sequence[Message]) -> None:
        """Send dead letters anew, then delete them; one that could not be sent stays dead.

        Only those are sent that are found among the dead, so to do it again makes no second message. One that was sent,
        but could then not be deleted, is in the queue and stays dead as well.
        """
        wanted = {message.receipt for message in messages}
        if not wanted:
            return
        kept, self._kept = self._kept, {}
        letters = list((kept | {letter.id: letter for letter in self._look_at_dead()}).values())
        self._give_back([letter for letter in letters if letter.id not in wanted])
        revived = [letter for letter in letters if letter.id in wanted]
        left = iter(revived)
        fitting = [list(islice(left, len(batch))) for batch in batches([letter.body for letter in revived])]
        try:
            side_by_side([partial(self._revive_batch, batch) for batch in fitting])
        except NommerctlError:
            self._give_back(revived)
            raise

    def _revive_batch(self, letters: Sequence[Received]) -> None:
        errors = self._living.send_batch([letter.body for letter in letters])
        self._dead.delete([letter.handle for place, letter in enumerate(letters) if place not in errors])
        for error in errors.values():
            raise error
