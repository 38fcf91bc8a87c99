"""Copying the jobs of one store into another, for a farm that moves: a hundred at a time, and compared at the end."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

from msgspec import structs

from nommerctl.domain.batches import batches
from nommerctl.domain.copying import Copied, Fate, Side, Sums, detached, fate_of, has_keys, taken_over
from nommerctl.domain.job import EncodingJob, JobId, short_id
from nommerctl.domain.outcome import Change, Failure
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, age, impossible, micros, seconds_between
from nommerctl.errors import UsageError
from nommerctl.passes.means import Doing
from nommerctl.ports import JobReads, JobStore, LedgerReads, Queue, QueueReads, Together

COMMAND = "store copy"

AT_ONCE = 100
"""Jobs that are compared, and stored, together: as many as DynamoDB takes in one transaction."""

SENT_AT_ONCE = 1000
"""Messages that are sent again between two looks at what ends the pass."""

KEYS = (
    "its source or destination has keys in it, which are not copied: set storage.strip_credentials = true to have them"
    " dropped, and run the same command again"
)

Moved: TypeAlias = Callable[[str, int], None]
"""Is told how far it is: what is done (`copying`, `comparing`), and how many jobs of it are."""


class Route(NamedTuple):
    """The names of the backends."""

    source: str
    destination: str


@dataclass(frozen=True)
class CopyReads:
    """What is looked at: the source, with its ledger, and the destination, with its queue of new jobs."""

    source: JobReads
    ledger: LedgerReads
    destination: JobReads
    new_jobs: QueueReads


@dataclass(frozen=True)
class CopyWrites:
    """The destination, to be written. Of the source nothing can be."""

    store: JobStore
    new_jobs: Queue
    changes: Queue
    together: Together


class Copier(Doing[CopyWrites], Protocol):
    """Carries out the effects of a copy."""

    def note(self, change: Change) -> None:
        """Note one job of those that were written together."""


def copy_jobs(
    reads: CopyReads, perform: Copier, route: Route, *, silent_after: float, now: Instant, moved: Moved
) -> Copied:
    """Copy every job that the destination lacks, or has as it was before; then read both again and compare them.

    What goes on in the destination is left alone. So it may be repeated at any time, and goes on wherever it ended; a
    job that waits, and may lack its message since an earlier run was killed, gets it then.

    Raises:
        UsageError: something still works on the source; nothing was changed.
    """
    check_at_rest(reads.ledger, route.source, silent_after=silent_after, now=now)
    copy = _Copy(reads, perform, route, moved)
    copy.copy()
    compared: list[tuple[Side, Side]] = []
    perform.quietly(lambda _: compared.append(copy.compared()))
    outcome = perform.outcome(COMMAND, facts=copy.facts())
    return Copied(
        source=route.source,
        destination=route.destination,
        outcome=structs.replace(outcome, failed=(*copy.failed, *outcome.failed)),
        sides=compared[0] if compared else None,
    )


def check_at_rest(ledger: LedgerReads, backend: str, *, silent_after: float, now: Instant) -> None:
    """UsageError that says which, if a node gave a heartbeat lately, or an order for nodes is not settled."""
    overview = ledger.overview()
    fresh = [
        f"{shown(row.node)} ({age(seconds_between(row.at, now))} ago)"
        for row in sorted(overview.heartbeats.values(), key=lambda row: row.node)
        if row.at + micros(silent_after) > now and not impossible(row.at, now)
    ]
    if fresh:
        msg = (
            f"nodes of backend {backend} still work: the last heartbeat came from {', '.join(fresh)}: stop cron and the"
            f" workers, and copy when they have been silent for {silent_after:g} s (scale.silent_after)"
        )
        raise UsageError(msg)
    if overview.unsettled is not None:
        msg = (
            f"the order '{shown(overview.unsettled.token)}' for nodes of backend {backend} is not settled, so that some"
            f" may still come: run 'nommerctl --backend {backend} scale' once more, end its nodes, then copy"
        )
        raise UsageError(msg)


class _Copy:
    """A copy on its way: how many jobs had which fate, and what could not be copied."""

    def __init__(self, reads: CopyReads, perform: Copier, route: Route, moved: Moved) -> None:
        self._reads = reads
        self._perform = perform
        self._route = route
        self._moved = moved
        self._fates: Counter[Fate] = Counter()
        self._requeued = 0
        self.failed: list[Failure] = []

    def facts(self) -> dict[str, int]:
        """Return how many jobs there were of each kind."""
        return {
            "new": self._fates[Fate.NEW],
            "behind": self._fates[Fate.BEHIND],
            "same": self._fates[Fate.SAME],
            "ahead": self._fates[Fate.AHEAD],
            "requeued": self._requeued,
        }

    def copy(self) -> None:
        """Copy what is to be copied."""
        queued = self._reads.new_jobs.depth().total  # before any is sent
        waiting: list[JobId] = []
        seen = 0
        for jobs in batches(_all(self._reads.source), AT_ONCE):
            self._perform.heed()
            fates = self._sorted(jobs)
            waiting += [job.id for job, _ in fates[Fate.SAME] if not job.finished]
            self._copy_new([job for job, _ in fates[Fate.NEW]])
            self._take_over([(job, there) for job, there in fates[Fate.BEHIND] if there is not None])
            self.failed += [self._conflict(job) for job, _ in fates[Fate.CONFLICT]]
            seen += len(jobs)
            self._moved("copying", seen)
        if queued < len(waiting):
            self._requeue(waiting)

    def _sorted(self, jobs: Sequence[EncodingJob]) -> dict[Fate, list[tuple[EncodingJob, EncodingJob | None]]]:
        there = self._reads.destination.get([job.id for job in jobs])
        fates: dict[Fate, list[tuple[EncodingJob, EncodingJob | None]]] = {fate: [] for fate in Fate}
        for job in jobs:
            fate = fate_of(job, there.get(job.id))
            if fate in {Fate.NEW, Fate.BEHIND} and has_keys(job):
                self.failed.append(Failure("copy", job.id, KEYS))
            else:
                fates[fate].append((job, there.get(job.id)))
        self._fates.update({fate: len(found) for fate, found in fates.items()})
        return fates

    def _copy_new(self, jobs: Sequence[EncodingJob]) -> None:
        refused: dict[JobId, str] = {}

        def effect(writes: CopyWrites) -> None:
            try:
                _submit(writes, jobs)
            except UsageError:  # one is too large, and kept the others from being stored
                refused.update(_submit_singly(writes, jobs))

        if jobs:
            self._perform.quietly(effect)
        for job in jobs:
            if job.id in refused:
                self._fates[Fate.NEW] -= 1
                self.failed.append(Failure("copy", job.id, refused[job.id]))
            else:
                self._perform.note(Change("copy", job.id, f"{self._route.destination} does not have it"))

    def _take_over(self, jobs: Sequence[tuple[EncodingJob, EncodingJob]]) -> None:
        written = [job for job, _ in jobs]  # as far as a dry run can tell

        def effect(writes: CopyWrites) -> None:
            with writes.together():
                written[:] = writes.store.transitions([(there, partial(taken_over, job=job)) for job, there in jobs])
                _announce(writes, written)

        if jobs:
            self._perform.quietly(effect)
        for job in written:
            self._perform.note(Change("update", job.id, f"it went on in {self._route.source} since it was copied"))

    def _requeue(self, waiting: Sequence[JobId]) -> None:
        for some in batches(waiting, SENT_AT_ONCE):
            self._perform.quietly(partial(_send, ids=some))
            for job_id in some:
                self._perform.note(Change("requeue", job_id, "its message may be gone"))
        self._requeued = len(waiting)

    def _conflict(self, job: EncodingJob) -> Failure:
        source, destination = self._route
        return Failure(
            "copy",
            job.id,
            f"{destination} has a job of this id with another history, which is left as it is: to compare them, see"
            f" 'nommerctl --backend {source} show {short_id(job.id)}', and the same with --backend {destination}",
        )

    def compared(self) -> tuple[Side, Side]:
        """Read both again, but for what goes on in the destination; note what differs and has not failed already."""
        sums = Sums()
        seen = 0
        for jobs in batches(_all(self._reads.source), AT_ONCE):
            self._perform.heed()
            there = self._reads.destination.get([job.id for job in jobs])
            for job in jobs:
                if fate_of(job, there.get(job.id)) is not Fate.AHEAD:
                    sums.add(job, there.get(job.id))
            seen += len(jobs)
            self._moved("comparing", seen)
        known = {failure.target for failure in self.failed}
        differing = [job_id for job_id in sums.differing() if job_id not in known]
        if differing:
            self.failed.append(self._difference(differing))
        return sums.sides()

    def _difference(self, ids: Sequence[JobId]) -> Failure:
        source, destination = self._route
        differ = "differs" if len(ids) == 1 else "differ"
        return Failure(
            "compare",
            f"{source} and {destination}",
            f"{counted(len(ids), 'job')} {differ} ({ids[0]} is the first), for something has written meanwhile: stop"
            " cron and workers, and run the same command again",
        )


def _all(store: JobReads) -> Iterator[EncodingJob]:
    """Yield every job. One that finishes meanwhile comes twice; one that is retried just then is found missing later.

    For both stores are compared at the end, by a second reading.
    """
    yield from store.unfinished()
    yield from store.finished_since(0)


def _submit(writes: CopyWrites, jobs: Sequence[EncodingJob]) -> None:
    with writes.together():
        writes.store.submit([detached(job) for job in jobs])
        _announce(writes, jobs)


def _submit_singly(writes: CopyWrites, jobs: Sequence[EncodingJob]) -> dict[JobId, str]:
    """Store jobs one by one; return what is wrong with those that are refused."""
    refused: dict[JobId, str] = {}
    for job in jobs:
        try:
            _submit(writes, [job])
        except UsageError as error:
            refused[job.id] = str(error)
    return refused


def _announce(writes: CopyWrites, jobs: Sequence[EncodingJob]) -> None:
    """Queue what is to be encoded, and tell refresh of what it has something to do for."""
    writes.new_jobs.send([job.id for job in jobs if not job.finished])
    writes.changes.send([job.id for job in jobs if job.open])


def _send(writes: CopyWrites, *, ids: Sequence[JobId]) -> None:
    with writes.together():
        writes.new_jobs.send(ids)
        writes.changes.send(ids)
