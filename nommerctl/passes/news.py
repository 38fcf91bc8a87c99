"""Where refresh hears from which jobs changed: the state-change queue, or (in a dry run) a comparison."""

from collections.abc import Callable, Sequence

from nommerctl.domain.job import EncodingJob
from nommerctl.domain.times import Instant
from nommerctl.passes.means import FarmReads
from nommerctl.ports import Message, Queue

BATCH = 1000
"""Messages asked for in one receive."""


class QueueNews:
    """Drains the state-change queue; what it received is deleted when it has been applied, not before (I4).

    Once there is `enough` for the time that the pass has, the rest is left to the next one.
    """

    def __init__(self, queue: Queue, *, visibility: float, enough: Callable[[], bool]) -> None:
        self._queue = queue
        self._visibility = visibility
        self._enough = enough
        self._received: list[Message] = []

    def changed_ids(self, heed: Callable[[], None]) -> Sequence[str]:
        """Receive until the queue is empty, or there is enough; merge what came more than once."""
        while not self._enough() and (batch := self._queue.receive(BATCH, self._visibility)):
            self._received.extend(batch)
            heed()
        return list(dict.fromkeys(message.body for message in self._received))

    def acknowledge(self) -> None:
        """Delete the messages."""
        if self._received:
            self._queue.delete(self._received)
            self._received = []


class ComparedNews:
    """Compares the unfinished jobs of the store, and of the cache, with each other: receives nothing."""

    def __init__(self, reads: FarmReads) -> None:
        self._reads = reads

    def changed_ids(self, heed: Callable[[], None]) -> Sequence[str]:
        """Return the ids of the jobs whose record in the store differs from the cached one."""
        cached = self._reads.cache.get_cached_jobs()
        stored = {job.id: job for job in self._reads.store.unfinished()}
        heed()
        stored |= self._reads.store.get(job.id for job in cached.values() if job.open and job.id not in stored)
        return [job.id for job in stored.values() if _stamp(job) != _stamp(cached.get(job.id))]

    def acknowledge(self) -> None:
        """Nothing was received."""


def _stamp(job: EncodingJob | None) -> tuple[int, Instant] | None:
    """What tells one record of a job from another: others than nommerctl may change one and raise no version."""
    return None if job is None else (job.version, job.changed)
