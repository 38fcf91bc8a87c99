"""The job cache that passes write: a `diskcache.Cache` in a folder of its own, 0700.

Everything in it can be read again from the store. So a damaged cache is set aside and a new one begun; but one that is
locked, read-only or on a full disk is sound, and is never touched for that.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import diskcache

from nommerctl.adapters import cache_table, os_errors
from nommerctl.adapters.cache_change import CacheChange
from nommerctl.adapters.cache_files import check_files
from nommerctl.adapters.cache_folder import locked, make_private, set_aside
from nommerctl.adapters.cache_table import (
    DATABASE,
    FORMAT,
    HEAD_KEY,
    CacheDamagedError,
    CacheReplacedError,
    Head,
)
from nommerctl.adapters.cached_jobs import CacheReads, id_of
from nommerctl.adapters.seal import sealed
from nommerctl.adapters.sqlite_errors import ERRORS, calls_itself_read_only, shows_damage, translated
from nommerctl.adapters.strict_disk import StrictDisk
from nommerctl.domain.cached import CacheStatus
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.times import Instant
from nommerctl.errors import NommerctlError, SettingsError, TryAgainError

T = TypeVar("T")

TIMEOUT = 20.0
"""Seconds to wait for other writers: several times what the longest write, a reset, takes with 100,000 jobs."""

SETTINGS = {
    "statistics": 0,
    "tag_index": 1,
    "eviction_policy": "none",  # diskcache's own policy drops entries silently
    "cull_limit": 0,
    "size_limit": 0,
    "disk_min_file_size": 0,
    "disk_pickle_protocol": 0,
    "sqlite_auto_vacuum": 0,
    "sqlite_cache_size": 8192,
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 0,  # a mapped file that is cut short kills its reader by SIGBUS
    "sqlite_synchronous": 1,
}
"""Every setting that diskcache has. It keeps them in the database and would obey what it finds there; see _check."""

_METADATA = {"count", "size", "hits", "misses"}
"""What diskcache counts in its table of settings."""


class _Cache(diskcache.Cache):  # type: ignore[misc] # diskcache has no types
    """A `diskcache.Cache` that gives us its connection, and whose constructor heeds the timeout.

    Statements outside of transactions, of which the constructor makes two dozen, are repeated by diskcache for up to
    60 s each while the database is locked, whatever timeout it is given.
    """

    def __init__(self, folder: Path, timeout: float) -> None:
        self._patience_ms = round(timeout * 1000)
        super().__init__(str(folder), timeout=timeout, disk=StrictDisk, **SETTINGS)

    @property
    def _sql_retry(self) -> Callable[..., sqlite3.Cursor]:
        self.connection.execute(f"PRAGMA busy_timeout = {self._patience_ms}")
        return self.connection.execute

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of this thread."""
        connection: sqlite3.Connection = self._con
        return connection


class JobCache(CacheReads):
    """The job cache (ports.JobCache); made by `open_cache`. For use in the thread that opened it; `close` it after.

    Each write is one transaction. TryAgainError when other processes keep it waiting for longer than the timeout, or
    when the disk is full. When it turns out to be damaged it is set aside and CacheDamagedError raised: what
    `open_cache` opens then is a new, cold one.
    """

    def __init__(self, folder: Path, timeout: float, keep_on: Callable[[], None]) -> None:
        self._folder = folder
        self._timeout = timeout
        self._keep_on = keep_on
        self._cache = _Cache(folder, timeout)
        cache_table.bound(self._cache.connection)
        if cache_table.is_cold(self._cache.connection):
            self._cache.set(HEAD_KEY, sealed(Head()), tag=None)
            self._cache.connection.execute(f"PRAGMA user_version = {FORMAT}")
        self._identity = _identity(folder)

    def close(self) -> None:
        """Close the database."""
        self._cache.close()

    def set_aside(self) -> None:
        """Close this cache and set its folder aside, unless another process has done that already."""
        self.close()
        with _translating(self._folder), locked(self._folder, self._timeout, self._keep_on):
            if _identity(self._folder) == self._identity:
                set_aside(self._folder)

    def update_job(self, job: EncodingJob) -> None:
        """Cache a job, unless it is cached with a higher `version` already."""
        self.update_jobs([job])

    def update_jobs(self, jobs: Iterable[EncodingJob]) -> None:
        """Cache many in one transaction, by the same rule."""
        with self._transaction() as change:
            change.put(_given(jobs))

    def remove_job(self, job: JobId | EncodingJob) -> None:
        """Forget a job; no error if it is not cached."""
        self.remove_jobs([id_of(job)])

    def remove_jobs(self, ids: Iterable[JobId]) -> None:
        """Forget many in one transaction."""
        with self._transaction() as change:
            change.remove(ids)

    def reset(self, jobs: Iterable[EncodingJob], as_of: Instant) -> None:
        """Make these the cached jobs, in one transaction, after the whole store was read at `as_of`.

        A job that is cached with a higher version stays; one that is not among `jobs` stays only if it changed at or
        after `as_of` (it was submitted meanwhile).
        """
        with self._transaction() as change:
            change.replace_all(_given(jobs), as_of)

    def set_status(self, change: Callable[[CacheStatus], CacheStatus]) -> None:
        """Change the status, reading and writing it in one transaction."""
        with self._transaction() as transaction:
            transaction.status = change(transaction.status)

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._cache.connection
        with self._setting_aside(), _translating(self._folder):
            connection.execute("BEGIN")
            try:
                return query(connection)
            finally:
                connection.rollback()

    @contextmanager
    def _transaction(self) -> Iterator[CacheChange]:
        with self._setting_aside(), _translating(self._folder), locked(self._folder, self._timeout, self._keep_on):
            if _identity(self._folder) != self._identity:
                msg = f"another process has begun a new job cache in {self._folder}"
                raise CacheReplacedError(msg)
            with self._cache.transact():
                change = CacheChange(self._cache.connection)
                yield change
                head = change.head()
                if head is not None:
                    self._cache.set(HEAD_KEY, sealed(head), tag=None)

    @contextmanager
    def _setting_aside(self) -> Iterator[None]:
        try:
            yield
        except CacheDamagedError:
            self.set_aside()
            raise


def open_cache(folder: Path, timeout: float = TIMEOUT, *, keep_on: Callable[[], None] = lambda: None) -> JobCache:
    """Open the job cache in `folder`, made if it is missing; a damaged one is set aside and a cold one made.

    A lock that another process holds is waited for, `timeout` seconds at most, then TryAgainError; so too when the
    disk is full. PermissionDeniedError when the folder may not be written. What `keep_on` raises while waiting comes
    out.
    """
    if "$" in str(folder):
        msg = f"farm.state_dir must not hold a $: {folder}"  # diskcache would take it for a variable
        raise SettingsError(msg)
    folder = folder.absolute()
    with _translating(folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder, timeout, keep_on):
            try:
                return _open_sound(folder, timeout, keep_on)
            except CacheDamagedError:
                set_aside(folder)
            return _open_sound(folder, timeout, keep_on)


def _open_sound(folder: Path, timeout: float, keep_on: Callable[[], None]) -> JobCache:
    with _translating(folder):
        _check(folder, timeout)
        make_private(folder)
        return JobCache(folder, timeout, keep_on)


def _check(folder: Path, timeout: float) -> None:
    """CacheDamagedError unless diskcache may be let into the folder, because all that it obeys there is as it left it.

    Of the settings in the database, it would run as PRAGMA, or set as its own attribute, whatever they name; and SQLite
    would run any trigger.
    """
    check_files(folder)
    path = folder / DATABASE
    if not path.exists():
        return
    with closing(sqlite3.connect(path, timeout=timeout, isolation_level=None)) as connection:
        connection.execute("PRAGMA query_only = ON")
        if cache_table.is_empty(connection):
            return
        cache_table.check_mark(connection)
        check_settings(connection)


def check_settings(connection: sqlite3.Connection) -> None:
    """CacheDamagedError unless the settings in the database are SETTINGS, and its counters are numbers."""
    settings = dict(connection.execute("SELECT key, value FROM Settings").fetchall())
    counted = [settings.pop(key, None) for key in _METADATA]
    if settings != SETTINGS or any(type(count) is not int for count in counted):
        what = "its settings are not ours"
        raise CacheDamagedError(what)


class _GiverFailedError(Exception):
    """Whoever gives the jobs failed, as a store may: no error of the cache."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _given(jobs: Iterable[EncodingJob]) -> Iterator[EncodingJob]:
    try:
        yield from jobs
    except Exception as error:
        raise _GiverFailedError(error) from error


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which database file stands in the folder; None if there is none."""
    try:
        found = (folder / DATABASE).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _translating(folder: Path) -> Iterator[None]:
    try:
        yield
    except _GiverFailedError as failed:
        raise failed.error from failed.error.__cause__
    except (*ERRORS, diskcache.Timeout) as error:
        raise _meaning(error, folder) from error
    except OSError as error:
        raise os_errors.translated(error, f"the job cache in {folder} cannot be used") from error


def _meaning(error: Exception, folder: Path) -> NommerctlError:
    # diskcache raises Timeout for whatever BEGIN says, and its ROLLBACK, after SQLite has rolled back of its own accord
    # (disk full), raises an error over the first one: what counts is what SQLite said first.
    first: Any = error
    while isinstance(first.__context__, ERRORS):
        first = first.__context__
    if isinstance(first, diskcache.Timeout):
        return TryAgainError(f"the job cache in {folder} is locked by another process")
    if shows_damage(first) or calls_itself_read_only(first, folder / DATABASE):
        return CacheDamagedError(str(first))
    return translated(first, folder / DATABASE)
