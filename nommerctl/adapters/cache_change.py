"""One transaction's changes to the job cache: entries by the thousand, and the head that counts them."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from nommerctl.adapters import cache_table
from nommerctl.adapters.cache_table import CacheDamagedError, Head, Known
from nommerctl.adapters.seal import seal_of, sealed
from nommerctl.domain.batches import batches
from nommerctl.domain.cached import as_cached
from nommerctl.domain.delivery import due_at
from nommerctl.domain.job import EncodingJob, JobId, wants_on_demand
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant

T = TypeVar("T")

BATCH = 500
"""Entries written at a time: jobs that come one by one from a store are never in memory all at once."""


class CacheChange:
    """What one transaction changes. `status` may be set; `head` is what is to be written at the end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._before = cache_table.head(connection)
        self._counts = Counter(self._before.counts)
        self._untold = set(self._before.untold)
        self._later = dict(self._before.later)
        self._on_demand = dict(self._before.on_demand)
        self.status = self._before.status

    def put(self, jobs: Iterable[EncodingJob]) -> None:
        """Cache jobs, but for those that are cached with a higher `version` already."""
        for batch in batches(jobs, BATCH):
            self._put(batch, cache_table.known(self._connection, [job.id for job in batch]))

    def replace_all(self, jobs: Iterable[EncodingJob], as_of: Instant) -> None:
        """Cache jobs by the same rule; forget all others, but for those that changed at or after `as_of`."""
        known = cache_table.known(self._connection)
        others = {job_id for job_id, each in known.items() if each.changed < as_of}
        for batch in batches(jobs, BATCH):
            self._put(batch, known)
            others.difference_update(job.id for job in batch)
        self._forget(others, known)

    def remove(self, ids: Iterable[JobId]) -> None:
        """Forget jobs; no error for those that are not cached."""
        for batch in batches(ids, BATCH):
            known = cache_table.known(self._connection, batch)
            self._forget(known.keys(), known)

    def head(self) -> Head | None:
        """Return the new head, None if it is as it was."""
        if any(count < 0 for count in self._counts.values()):
            what = "its counts are wrong"
            raise CacheDamagedError(what)
        untold = tuple(sorted(self._untold))
        head = Head(self.status, dict(+self._counts), untold=untold, later=self._later, on_demand=self._on_demand)
        return None if head == self._before else head

    def _put(self, jobs: Iterable[EncodingJob], known: dict[JobId, Known]) -> None:
        """Write what is new to the cache, and enter it into `known`: a job may come twice."""
        entries: list[tuple[JobId, str, str]] = []
        entered: set[JobId] = set()
        moved: set[JobId] = set()
        for job in jobs:
            text = sealed(as_cached(job))
            new = Known(changed=job.changed, version=job.version, state=job.state, seal=seal_of(text))
            old = known.get(job.id)
            if old is not None and (old.version > job.version or old == new):
                continue
            if old is not None:
                self._counts[old.state] -= 1
                if old.state is not job.state and job.id not in entered:
                    moved.add(job.id)
            self._counts[job.state] += 1
            self._note(job)
            known[job.id] = new
            entered.add(job.id)
            entries.append((job.id, job.state.value, text))
        cache_table.delete(self._connection, list(moved))  # so that the rows of a state stand as jobs came into it
        cache_table.write(self._connection, entries)

    def _forget(self, ids: Iterable[JobId], known: dict[JobId, Known]) -> None:
        gone = list(ids)
        self._counts.subtract(known[job_id].state for job_id in gone)
        self._untold.difference_update(gone)
        for job_id in gone:
            self._later.pop(job_id, None)
            self._on_demand.pop(job_id, None)
        cache_table.delete(self._connection, gone)

    def _note(self, job: EncodingJob) -> None:
        """Note what the head says of a job."""
        self._untold.discard(job.id)
        self._later.pop(job.id, None)
        self._on_demand.pop(job.id, None)
        if job.untold:
            self._untold.add(job.id)
            if at := due_at(job):
                self._later[job.id] = at
        if job.state is JobState.PENDING and wants_on_demand(job):
            self._on_demand[job.id] = job.last_sign
