"""The backend `local`: job store, ledger and queues in one SQLite file, nodes that are processes of this machine."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.local.database import Database, is_ours
from nommerctl.adapters.local.fleet import LocalFleet, LocalFleetReads
from nommerctl.adapters.local.job_store import SqliteJobReads, SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger, SqliteLedgerReads
from nommerctl.adapters.local.queue import SqliteQueue, SqliteQueueReads
from nommerctl.adapters.local.schema import EMPTY_SCHEMA
from nommerctl.adapters.sqlite_read import ReadOnlyDatabase
from nommerctl.passes.means import FarmReads
from nommerctl.ports import Clock, Fleet, JobStore, Ledger, Queue, Together

NEW_JOBS = "new-jobs"
CHANGES = "state-changes"


class LocalBackend:
    """What a farm on this machine stands on, each part made when it is first asked for.

    `worker` is the command that starts a worker of this farm; what `keep_on` raises breaks off the waiting for other
    writers. The folders are there already, but for somebody who only looks.
    """

    def __init__(
        self, *, file: Path, workers: Path, logs: Path, worker: Sequence[str], clock: Clock, keep_on: Callable[[], None]
    ) -> None:
        self._file = file
        self._workers = workers
        self._logs = logs
        self._worker = worker
        self._clock = clock
        self._keep_on = keep_on

    def look(self, cache: CachedJobs) -> FarmReads:
        """Return the farm for a dry run, or for somebody who only looks: nothing of it can write."""
        reading = ReadOnlyDatabase(self._file, EMPTY_SCHEMA, check=lambda connection: is_ours(connection, self._file))
        return FarmReads(
            store=SqliteJobReads(reading),
            cache=cache,
            ledger=SqliteLedgerReads(reading, self._clock),
            fleet=LocalFleetReads(self._workers, worker=self._worker),
            new_jobs=SqliteQueueReads(reading, NEW_JOBS, self._clock),
            changes=SqliteQueueReads(reading, CHANGES, self._clock),
        )

    @functools.cached_property
    def _database(self) -> Database:
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

    def fleet(self, environment: Mapping[str, str]) -> Fleet:
        """Return the nodes, to be launched with this environment, and ended."""
        return LocalFleet(self._workers, self._logs, worker=self._worker, environment=environment, clock=self._clock)

    def close(self) -> None:
        """Close what was opened."""
        if "_database" in vars(self):
            self._database.close()
