"""All SQL on the table in which diskcache keeps its entries, and what the entries of the job cache look like.

diskcache has no public call that selects or counts by tag, and opening a `diskcache.Cache` writes; so its table is read
here. The entries of jobs, which come by the thousand, are written here too: diskcache takes three statements for each.
That holds for the one version of diskcache that pyproject.toml pins, whose schema is proved by `check_mark` at every
opening. This module does not import diskcache.

An entry of a job: `key` its id, `tag` its state, `value` the record as JSON text, sealed. One more entry, without a
tag, is the head: the status, how many jobs each state has, and of which jobs somebody still has to be told. `raw` and
`mode` 1 and no `filename` say that key and value stand in the table itself and as they are.

SQLite notices damage to a database's structure, sometimes, and to what stands in it never. So each text is sealed, and
whoever reads several entries finds as many as the head says, or the cache is damaged.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct, structs

from nommerctl.adapters.seal import BrokenSealError, seal_of, sealed, unsealed
from nommerctl.domain.cached import CacheStatus
from nommerctl.domain.delivery import has_come
from nommerctl.domain.job import EncodingJob, JobId, is_job_id
from nommerctl.domain.states import FINISHED_STATES, JobState
from nommerctl.domain.times import Instant
from nommerctl.errors import TryAgainError, UnreachableError

DATABASE = "cache.db"
"""The file that diskcache makes in its folder."""

LONGEST = 64 * 1024 * 1024
"""Bytes of the longest entry that is read: many times what a job may hold, and no trouble for memory."""

HEAD_KEY = "head"
"""The key of the head; no job id."""

FORMAT = 3
"""Kept as `user_version` of the database; to be raised when an older release could not read what this one writes."""

SCHEMA = "a622376480443aca9f582904c06af3da52b48bd5bdbd6ccdfb0ad9fc3b2d6a27"
"""SHA-256 of all CREATE statements of a cache, as SQLite documents to keep them."""

_ENTRY = "SELECT key, raw, tag, mode, filename, CAST(value AS BLOB) FROM Cache "
_ALL = _ENTRY + "WHERE tag IS NOT NULL"
_BY_KEY = _ENTRY + "WHERE key = ? AND raw = 1"
_SOUND = "SELECT key, CAST(value AS BLOB) FROM Cache WHERE tag = ? AND raw = 1 AND mode = 1 AND filename IS NULL "
_FIRST = _SOUND + "ORDER BY rowid LIMIT ?"
_LAST = _SOUND + "ORDER BY rowid DESC LIMIT ?"
_WRITE = (
    "INSERT INTO Cache (key, raw, store_time, access_time, tag, mode, value) VALUES (?, 1, 0, 0, ?, 1, ?)"
    " ON CONFLICT (key, raw) DO UPDATE SET tag = excluded.tag, value = excluded.value"
)
_DELETE = "DELETE FROM Cache WHERE key = ? AND raw = 1"
_COLD = "CREATE TABLE Cache (key, raw, tag, mode, filename, value)"

_Row: TypeAlias = tuple[Any, ...]
R = TypeVar("R")


class CacheReplacedError(TryAgainError):
    """The folder of the job cache holds another database than the one that was opened, or none: open it again."""

    kind = "cache_replaced"


class CacheDamagedError(UnreachableError):
    """The job cache is not a cache of this version, or holds something that no pass has written."""

    kind = "cache_damaged"

    def __init__(self, what: str) -> None:
        super().__init__(f"the job cache is damaged ({what}): run `nommerctl refresh --rebuild`")


class Head(Struct, frozen=True):
    """What of the cache is no job's. `counts` leaves out states that no job has.

    `untold` are the ids of the jobs of which somebody has to be told, in order, and `later` has when, for those of them
    whose time has not come; `on_demand` has those that wait for a node that nobody takes away, and since when.
    """

    status: CacheStatus = CacheStatus()
    counts: dict[JobState, Annotated[int, Meta(ge=1)]] = {}
    untold: tuple[JobId, ...] = ()
    later: dict[JobId, Instant] = {}
    on_demand: dict[JobId, Instant] = {}


class Known(Struct, frozen=True, kw_only=True, gc=False):
    """What decides between a cached record of a job and another one."""

    changed: Instant
    version: int = 0
    state: JobState = JobState.PENDING
    seal: str = ""


_jobs = msgspec.json.Decoder(EncodingJob)
_known = msgspec.json.Decoder(Known)
_heads = msgspec.json.Decoder(Head)


def bound(connection: sqlite3.Connection) -> None:
    """Let this connection read no entry that is too long to be one of ours: that is damage."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)


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


def make_cold(connection: sqlite3.Connection) -> None:
    """Make in an empty database what a cold cache looks like to the functions below."""
    connection.execute(_COLD)
    connection.execute("INSERT INTO Cache VALUES (?, 1, NULL, 1, NULL, ?)", (HEAD_KEY, sealed(Head())))


# What follows is to be called within a transaction: several of these read the head besides.


def head(connection: sqlite3.Connection) -> Head:
    """The head, which every cache has."""
    row = connection.execute(_BY_KEY, (HEAD_KEY,)).fetchone()
    if row is None:
        what = "its head is missing"
        raise CacheDamagedError(what)
    return _decoded(row, _heads)


def status(connection: sqlite3.Connection) -> CacheStatus:
    """What passes left for each other."""
    return head(connection).status


def counts(connection: sqlite3.Connection) -> dict[JobState, int]:
    """How many cached jobs each state has, 0 for the others; no entry of a job is read."""
    return dict.fromkeys(JobState, 0) | head(connection).counts


def untold(connection: sqlite3.Connection, now: Instant) -> list[JobId]:
    """The cached jobs of which somebody has to be told now; no entry of a job is read."""
    found = head(connection)
    return [job_id for job_id in found.untold if has_come(found.later.get(job_id, 0), now)]


def waiting_for_on_demand(connection: sqlite3.Connection, since: Instant) -> int:
    """How many cached jobs have waited since then, or not as long, for a node that nobody takes away."""
    return sum(began >= since for began in head(connection).on_demand.values())


def job(connection: sqlite3.Connection, job_id: JobId) -> EncodingJob | None:
    """The cached job of this id."""
    row = connection.execute(_BY_KEY, (job_id,)).fetchone() if is_job_id(job_id) else None
    return _job(row) if row else None


def jobs(
    connection: sqlite3.Connection,
    states: Iterable[JobState],
    make: Callable[[EncodingJob], R],
    limit: int | None = None,
) -> list[R]:
    """What is made of the cached jobs in these states, oldest first; see ports.CachedJobs.map_jobs for the limit."""
    found: list[tuple[Instant, JobId, R]] = []
    count = counts(connection)
    for state in states:
        room = count[state] if limit is None else min(count[state], limit - len(found))
        if room:
            read = _in_state(connection, state, room, whole=limit is None)
            found += ((job.created, job.id, make(job)) for job in read)
    found.sort(key=itemgetter(0, 1))
    return [made for _, _, made in found]


def jobs_with_state(connection: sqlite3.Connection, state: JobState) -> list[EncodingJob]:
    """The cached jobs in one state, oldest first."""
    return sorted(_in_state(connection, state, counts(connection)[state], whole=True), key=attrgetter("created", "id"))


def _in_state(connection: sqlite3.Connection, state: JobState, room: int, *, whole: bool) -> Iterator[EncodingJob]:
    """So many jobs in one state, which is all of them if they are to be read `whole`."""
    statement = _LAST if state in FINISHED_STATES else _FIRST
    keys = set()
    for key, text in connection.execute(statement, (state.value, -1 if whole else room)):
        try:
            job = unsealed(text, _jobs)
        except BrokenSealError as error:
            raise _damaged(key, f"cannot be read: {error}") from error
        if job.id != key or job.state is not state:
            raise _damaged(key, "holds another job")
        keys.add(key)
        yield job
    _check_count(len(keys), room)


def _check_count(found: int, expected: int) -> None:
    """CacheDamagedError if an index has lost a job, or leads to one that is not meant."""
    if found != expected:
        what = f"{found} jobs of {expected} are found"
        raise CacheDamagedError(what)


def each_job(connection: sqlite3.Connection) -> Iterator[EncodingJob]:
    """The cached jobs one by one, in no order: for whoever looks at all of them and cannot hold them."""
    found: Counter[JobState] = Counter()
    for each in map(_job, connection.execute(_ALL)):
        found[each.state] += 1
        yield each
    _check_counts(connection, found)


def states(connection: sqlite3.Connection) -> dict[JobId, JobState]:
    """The state of every cached job, by its tag."""
    found = dict(connection.execute("SELECT key, tag FROM Cache WHERE tag IS NOT NULL").fetchall())
    _check_counts(connection, Counter(found.values()))
    return {job_id: JobState(tag) for job_id, tag in found.items()}


def _check_counts(connection: sqlite3.Connection, found: Counter[JobState]) -> None:
    if found != {state: count for state, count in counts(connection).items() if count}:
        what = "its entries are not those that its head counts"
        raise CacheDamagedError(what)


def known(connection: sqlite3.Connection, ids: Sequence[JobId] | None = None) -> dict[JobId, Known]:
    """What is known of the cached ones of these jobs, or of all."""
    if ids is None:
        found = dict(map(_known_of, connection.execute(_ALL)))
        _check_count(len(found), sum(counts(connection).values()))
        return found
    rows = (connection.execute(_BY_KEY, (job_id,)).fetchone() for job_id in ids if is_job_id(job_id))
    return dict(_known_of(row) for row in rows if row)


def write(connection: sqlite3.Connection, entries: Iterable[tuple[JobId, str, str]]) -> None:
    """Write the entries of jobs: id, state and sealed text of each."""
    connection.executemany(_WRITE, entries)


def delete(connection: sqlite3.Connection, ids: Sequence[JobId]) -> None:
    """Delete the entries of jobs, which are there."""
    deleted = connection.executemany(_DELETE, ((job_id,) for job_id in ids)).rowcount if ids else 0
    if deleted != len(ids):
        what = "an index has lost an entry"
        raise CacheDamagedError(what)


def _known_of(row: _Row) -> tuple[JobId, Known]:
    found = _decoded(row, _known)
    return row[0], structs.replace(found, seal=seal_of(row[-1].decode()))


def _job(row: _Row) -> EncodingJob:
    key, tag = row[0], row[2]
    found = _decoded(row, _jobs)
    if (found.id, found.state) != (key, tag):
        raise _damaged(key, "holds another job")
    return found


def _decoded(row: _Row, decoder: msgspec.json.Decoder[R]) -> R:
    key, raw, _tag, mode, filename, value = row
    if type(key) is not str or raw != 1 or mode != 1 or filename is not None or type(value) is not bytes:
        raise _damaged(key, "is not JSON text")
    try:
        return unsealed(value, decoder)
    except BrokenSealError as error:
        raise _damaged(key, f"cannot be read: {error}") from error


def _damaged(key: object, how: str) -> CacheDamagedError:
    name = key[:50] if isinstance(key, str | bytes) else key  # no more: it may be anything, and of any length
    return CacheDamagedError(f"entry {name!r} {how}")
