"""The job cache, only read: for verbs that inspect, and for dry runs. diskcache is not needed, nor imported."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from nommerctl.adapters import cache_table
from nommerctl.adapters.cache_files import check_files
from nommerctl.adapters.cache_table import DATABASE, CacheDamagedError
from nommerctl.adapters.sqlite_errors import ERRORS, shows_damage
from nommerctl.adapters.sqlite_read import ReadOnlyDatabase
from nommerctl.domain.cached import CacheStatus
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant
from nommerctl.errors import UnreachableError

T = TypeVar("T")


class CacheReads(ABC):
    """What can be asked of the job cache (ports.CachedJobs), whichever way its database is open.

    An entry that no pass can have written raises CacheDamagedError.
    """

    @abstractmethod
    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `query` makes of a connection to the cache's database."""

    def get_job(self, job: JobId | EncodingJob) -> EncodingJob | None:
        """Return the cached job, None if it is not cached."""
        return self._read(lambda connection: cache_table.job(connection, id_of(job)))

    def is_job_cached(self, job: JobId | EncodingJob) -> bool:
        """Whether the job is cached."""
        return self.get_job(job) is not None

    def get_cached_jobs(self) -> dict[JobId, EncodingJob]:
        """Return all cached jobs by id, oldest `created` first."""
        return {job.id: job for job in self.map_jobs(tuple(JobState), _itself)}

    def get_jobs_with_state(self, state: JobState) -> list[EncodingJob]:
        """Return the cached jobs in this state, oldest `created` first, read by the index of states."""
        return self._read(lambda connection: cache_table.jobs_with_state(connection, state))

    def map_jobs(
        self, states: Sequence[JobState], make: Callable[[EncodingJob], T], *, limit: int | None = None
    ) -> list[T]:
        """Return what `make` makes of the cached jobs in these states, oldest `created` first (ports.CachedJobs)."""
        each_once = dict.fromkeys(states)
        return self._read(lambda connection: cache_table.jobs(connection, each_once, make, limit))

    def states(self) -> dict[JobId, JobState]:
        """Return the state of every cached job, without decoding a job."""
        return self._read(cache_table.states)

    def count_by_state(self) -> dict[JobState, int]:
        """Return how many cached jobs each state has, 0 for the others, without decoding a job."""
        return self._read(cache_table.counts)

    def untold(self, now: Instant) -> list[JobId]:
        """Return the cached jobs whose notify_url is to be told of something now, without decoding a job."""
        return self._read(lambda connection: cache_table.untold(connection, now))

    def waiting_for_on_demand(self, since: Instant) -> int:
        """Return how many cached jobs have waited since then, or not as long, for a node that nobody takes away."""
        return self._read(lambda connection: cache_table.waiting_for_on_demand(connection, since))

    def status(self) -> CacheStatus:
        """Return what passes left for each other; a CacheStatus() if the cache is cold."""
        return self._read(cache_table.status)


class CachedJobs(CacheReads):
    """The job cache in a folder, read without changing a byte of it, whoever writes it meanwhile.

    A missing cache is cold and empty. CacheDamagedError says what is wrong with a damaged one; it is left as it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database = ReadOnlyDatabase(folder / DATABASE, empty_schema="")

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        def checked(connection: sqlite3.Connection) -> T:
            cache_table.bound(connection)
            if cache_table.is_cold(connection):
                with closing(sqlite3.connect(":memory:")) as cold:
                    cache_table.make_cold(cold)
                    return query(cold)
            cache_table.check_mark(connection)
            return query(connection)

        check_files(self._folder)
        try:
            return self._database.read(checked)
        except UnreachableError as error:
            if isinstance(error.__cause__, ERRORS) and shows_damage(error.__cause__):
                raise CacheDamagedError(str(error.__cause__)) from error
            raise


def _itself(job: EncodingJob) -> EncodingJob:
    return job


def id_of(job: JobId | EncodingJob) -> JobId:
    """The id of what may be a job or its id."""
    return job if isinstance(job, str) else job.id
