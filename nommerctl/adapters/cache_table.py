"""All SQL on the table in which diskcache keeps its entries, and what the entries of the job cache look like.

diskcache has no public call that selects or counts by tag, and opening a `diskcache.Cache` writes; so its table is read
here, and only read. That holds for the one version of diskcache that pyproject.toml pins, whose schema is proved by
`check_mark` at every opening. This module does not import diskcache.

An entry of a job: `key` its id, `tag` its state, `value` the record as JSON text. One more entry, without a tag, holds
the status. `raw` and `mode` 1 and no `filename` say that key and value stand in the table itself and as they are.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from nommerctl.domain.cache_status import CacheStatus
from nommerctl.domain.job import EncodingJob, JobId, is_job_id
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant
from nommerctl.errors import TryAgainError, UnreachableError

DATABASE = "cache.db"
"""The file that diskcache makes in its folder."""

STATUS_KEY = "status"
"""The key of the status; no job id."""

FORMAT = 1
"""Kept as `user_version` of the database; to be raised when an older release could not read what this one writes."""

SCHEMA = "a622376480443aca9f582904c06af3da52b48bd5bdbd6ccdfb0ad9fc3b2d6a27"
"""SHA-256 of all CREATE statements of a cache, as SQLite documents to keep them."""

_ENTRY = "SELECT key, raw, tag, mode, filename, value FROM Cache "
_ALL = _ENTRY + "WHERE tag IS NOT NULL"
_BY_KEY = _ENTRY + "WHERE key = ? AND raw = 1"
_BY_STATE = _ENTRY + "WHERE tag = ?"
_COUNTS = "SELECT tag, COUNT(*) FROM Cache WHERE tag IS NOT NULL GROUP BY tag"


_Row: TypeAlias = tuple[Any, ...]


class CacheReplacedError(TryAgainError):
    """The folder of the job cache holds another database than the one that was opened, or none: open it again."""

    kind = "cache_replaced"


class CacheDamagedError(UnreachableError):
    """The job cache is not a cache of this version, or holds something that no pass has written."""

    kind = "cache_damaged"

    def __init__(self, what: str) -> None:
        super().__init__(f"the job cache is damaged ({what}): run `nommerctl refresh` to rebuild it")


class Freshness(msgspec.Struct, frozen=True):
    """What decides between two records of a job."""

    changed: Instant
    version: int = 0


_jobs = msgspec.json.Decoder(EncodingJob)
_freshness = msgspec.json.Decoder(Freshness)
_statuses = msgspec.json.Decoder(CacheStatus)


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is nothing at all in this database."""
    return not _objects(connection)


def is_cold(connection: sqlite3.Connection) -> bool:
    """Whether no cache has been made in this database; FORMAT is what is written last when one is made."""
    return _user_version(connection) == 0


def check_mark(connection: sqlite3.Connection) -> None:
    """CacheDamagedError unless the database was made by this release, with not a trigger or view more or less."""
    version = _user_version(connection)
    if version != FORMAT:
        what = f"format {version}, not {FORMAT}"
        raise CacheDamagedError(what)
    statements = "\n".join(sorted(str(sql) for _, sql in _objects(connection)))
    if hashlib.sha256(statements.encode()).hexdigest() != SCHEMA:
        what = "its tables are not those of diskcache"
        raise CacheDamagedError(what)


def _user_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _objects(connection: sqlite3.Connection) -> list[_Row]:
    return connection.execute("SELECT name, sql FROM sqlite_master").fetchall()


def job(connection: sqlite3.Connection, job_id: JobId) -> EncodingJob | None:
    """The cached job of this id."""
    row = connection.execute(_BY_KEY, (job_id,)).fetchone() if is_job_id(job_id) else None
    return _job(row) if row else None


def jobs(connection: sqlite3.Connection) -> list[EncodingJob]:
    """All cached jobs, oldest first."""
    return _oldest_first(connection.execute(_ALL))


def jobs_with_state(connection: sqlite3.Connection, state: JobState) -> list[EncodingJob]:
    """The cached jobs in one state, oldest first."""
    return _oldest_first(connection.execute(_BY_STATE, (state.value,)))


def counts(connection: sqlite3.Connection) -> dict[JobState, int]:
    """How many cached jobs each state has, 0 for the others; no entry is read, only the index of tags."""
    found = dict(connection.execute(_COUNTS).fetchall())
    if found.keys() - set(JobState):
        what = "entries of an unknown state"
        raise CacheDamagedError(what)
    return {state: found.get(state, 0) for state in JobState}


def status(connection: sqlite3.Connection) -> CacheStatus:
    """The status; that of a cold cache if none was written."""
    row = connection.execute(_BY_KEY, (STATUS_KEY,)).fetchone()
    if row is None:
        return CacheStatus()
    try:
        return _statuses.decode(_text(row))
    except msgspec.DecodeError as error:
        raise _undecodable(STATUS_KEY, error) from error


def texts(connection: sqlite3.Connection) -> Iterator[tuple[JobId, str]]:
    """The id and the JSON text of every cached job."""
    for row in connection.execute(_ALL):
        yield row[0], _text(row)


def freshness(job_id: JobId, text: str) -> Freshness:
    """What of a cached record decides whether it stays."""
    try:
        return _freshness.decode(text)
    except msgspec.DecodeError as error:
        raise _undecodable(job_id, error) from error


def _oldest_first(rows: sqlite3.Cursor) -> list[EncodingJob]:
    return sorted(map(_job, rows), key=lambda found: (found.created, found.id))


def _job(row: _Row) -> EncodingJob:
    key, tag = row[0], row[2]
    try:
        found = _jobs.decode(_text(row))
    except msgspec.DecodeError as error:
        raise _undecodable(key, error) from error
    if (found.id, found.state) != (key, tag):
        what = f"entry {key!r} holds another job"
        raise CacheDamagedError(what)
    return found


def _text(row: _Row) -> str:
    key, raw, _tag, mode, filename, value = row
    if type(key) is not str or raw != 1 or mode != 1 or filename is not None or type(value) is not str:
        what = f"entry {key!r} is not JSON text"
        raise CacheDamagedError(what)
    return value


def _undecodable(key: object, error: msgspec.DecodeError) -> CacheDamagedError:
    return CacheDamagedError(f"entry {key!r} is no record: {error}")
