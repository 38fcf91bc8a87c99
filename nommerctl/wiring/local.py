"""The backend `local`: job store, ledger and queues in one SQLite file, nodes that are processes of this machine."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nommerctl.adapters.cache_table import CacheDamagedError
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.local.database import Database, is_ours
from nommerctl.adapters.local.fleet import LocalFleet, LocalFleetReads
from nommerctl.adapters.local.job_store import SqliteJobReads, SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger, SqliteLedgerReads
from nommerctl.adapters.local.queue import SqliteQueue, SqliteQueueReads
from nommerctl.adapters.local.schema import EMPTY_SCHEMA
from nommerctl.adapters.sqlite_read import ReadOnlyDatabase, size_of
from nommerctl.domain.soundness import lost_store
from nommerctl.errors import UnreachableError
from nommerctl.passes.means import FarmReads
from nommerctl.ports import Clock, Fleet, JobStore, Ledger, Queue, Together

NEW_JOBS = "new-jobs"
CHANGES = "state-changes"


def known_jobs(cached: CachedJobs) -> int | None:
    """Return how many jobs the cache knows; None if it was never filled, or is damaged and will be set aside."""
    try:
        count = sum(cached.count_by_state().values())
        return count if count or cached.status().refreshed is not None else None
    except CacheDamagedError:
        return None


class LocalBackend:
    """What a farm on this machine stands on, each part made when it is first asked for.

    `file` is neither read nor made if it is gone, or was emptied, while `cached` shows that there was one. `worker` is
    the command that starts a worker of this farm; what `keep_on` raises breaks off the waiting for other writers. The
    folders are there already, but for somebody who only looks.
    """

    def __init__(
        self,
        *,
        file: Path,
        cached: CachedJobs,
        cache_folder: Path,
        workers: Path,
        logs: Path,
        worker: Sequence[str],
        clock: Clock,
        keep_on: Callable[[], None],
    ) -> None:
        self._file = file
        self._cached = cached
        self._cache_folder = cache_folder
        self._workers = workers
        self._logs = logs
        self._worker = worker
        self._clock = clock
        self._keep_on = keep_on

    def look(self) -> FarmReads:
        """Return the farm for a dry run, or for somebody who only looks: nothing of it can write."""
        self._check_is_not_lost()
        reading = ReadOnlyDatabase(self._file, EMPTY_SCHEMA, check=lambda connection: is_ours(connection, self._file))
        return FarmReads(
            store=SqliteJobReads(reading),
            cache=self._cached,
            ledger=SqliteLedgerReads(reading, self._clock),
            fleet=LocalFleetReads(self._workers, self._logs, worker=self._worker),
            new_jobs=SqliteQueueReads(reading, NEW_JOBS, self._clock),
            changes=SqliteQueueReads(reading, CHANGES, self._clock),
        )

    def _check_is_not_lost(self) -> None:
        """UnreachableError if the store has gone: a new one in its place would make everybody forget the jobs.

        Where it is not there, it is looked for again after the cache: another process may just have made both.
        """
        if size_of(self._file):
            return
        known = known_jobs(self._cached)
        lost = lost_store(str(self._file), str(self._cache_folder), size_of(self._file), known)
        if lost is not None:
            raise UnreachableError(": ".join(lost))

    @functools.cached_property
    def _database(self) -> Database:
        self._check_is_not_lost()
        return Database(self._file, keep_on=self._keep_on)

    @functools.cached_property
    def store(self) -> JobStore:
        """The jobs."""
        return SqliteJobStore(self._database)

    @functools.cached_property
    def ledger(self) -> Ledger:
        """What is known of the farm."""
        return SqliteLedger(self._database, self._clock)

    @functools.cached_property
    def new_jobs(self) -> Queue:
        """The messages to workers."""
        return SqliteQueue(self._database, NEW_JOBS, self._clock)

    @functools.cached_property
    def changes(self) -> Queue:
        """The messages about changes of state."""
        return SqliteQueue(self._database, CHANGES, self._clock)

    @property
    def together(self) -> Together:
        """What makes one step of writes to all of these: they are one database."""
        return self._database.together

    @property
    def together_at_work(self) -> Together:
        """The same for a worker: a message is as sure to be written as what it tells of."""
        return self.together

    def fleet(self, environment: Mapping[str, str]) -> Fleet:
        """Return the nodes, to be launched with this environment, and ended."""
        return LocalFleet(self._workers, self._logs, worker=self._worker, environment=environment, clock=self._clock)

    def close(self) -> None:
        """Close what was opened."""
        if "_database" in vars(self):
            self._database.close()
