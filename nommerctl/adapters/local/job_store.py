"""The job store in `farm.db`: a row for each job, its record sealed, and what is asked for in indexed columns."""

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

import msgspec
from msgspec import structs

from nommerctl.adapters.local.database import Database, Reading, has_added, rows
from nommerctl.adapters.local.records import JOBS
from nommerctl.adapters.seal import sealed
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.states import IN_WORK, JobState
from nommerctl.domain.times import Instant
from nommerctl.errors import IllegalMoveError, UsageError
from nommerctl.ports import Move

_IDS_AT_ONCE = 500
"""Fewer than the 999 parameters that old builds of SQLite take."""

_PAGE = 500
"""Records that an iterator holds at once, undecoded: about a megabyte."""

_ABOVE_HEX = "g"
"""Sorts after every character of an id: `prefix + "g"` is above all the ids that begin with the prefix."""

_Row: TypeAlias = tuple[JobId, object]

_SELECT = "SELECT id, CAST(body AS BLOB) FROM jobs"  # bytes, so that damage shows in _decoded and nowhere before
_UNDELIVERED = (
    "SELECT undelivered.changed, id, CAST(body AS BLOB) FROM undelivered JOIN jobs USING (id)"  # noqa: S608 - a number
    f" WHERE (undelivered.changed, id) > (?, ?) ORDER BY undelivered.changed, id LIMIT {_PAGE}"
)
_decoder = msgspec.json.Decoder(EncodingJob)


class SqliteJobReads:
    """A ports.JobReads over anything that can be queried.

    The iterators read a page at a time and keep no transaction open in between. A job that is selected all the while
    is not left out: `created` never changes, and a change of state moves a job to a later place, for `changed` grows
    with the clock. So a job that changes meanwhile may come twice, the second time as it then stands.
    """

    lag = 0.0

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def get(self, ids: Iterable[JobId]) -> dict[JobId, EncodingJob]:
        """Return those of the named jobs that exist, all as of one moment."""
        wanted = list(ids)

        def query(connection: sqlite3.Connection) -> list[_Row]:
            found: list[_Row] = []
            for start in range(0, len(wanted), _IDS_AT_ONCE):
                some = wanted[start : start + _IDS_AT_ONCE]
                marks = ",".join("?" * len(some))
                found += connection.execute(f"{_SELECT} WHERE id IN ({marks})", some)
            return found

        return {job_id: _decoded(job_id, body) for job_id, body in self._reading.read(query)}

    def find(self, prefix: str, limit: int) -> list[EncodingJob]:
        """Return up to `limit` jobs whose id begins with `prefix`, by id."""
        if not prefix.isascii():  # no id is like that, and what a terminal sends may not even be Unicode
            return []
        statement = f"{_SELECT} WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
        found = rows(self._reading, statement, (prefix, prefix + _ABOVE_HEX, limit))
        return [_decoded(job_id, body) for job_id, body in found]

    def unfinished(self) -> Iterator[EncodingJob]:
        """Yield every unfinished job, oldest `created` first."""
        return self._paged("jobs_unfinished", "finished = 0", by="created")

    def finished_untold(self) -> Iterator[EncodingJob]:
        """Yield every finished job that a `notify_url` still has to be told of, oldest `changed` first."""
        return self._paged("jobs_untold", "untold = 1 AND finished = 1")

    def undelivered(self) -> Iterator[EncodingJob]:
        """Yield every job whose listener was given up, oldest `changed` first; a database without them has none."""
        if not self._reading.read(has_added):
            return
        before: tuple[Instant, JobId] = (0, "")
        while True:
            page = rows(self._reading, _UNDELIVERED, before)
            for changed, job_id, body in page:
                job = _decoded(job_id, body)
                if job.undelivered:  # else an older release has written it, which knows nothing of this
                    if job.changed != changed:
                        raise JOBS.damaged(job_id, "its place in undelivered is wrong")
                    yield job
                before = changed, job_id
            if len(page) < _PAGE:
                return

    def silent(self, *, in_work_before: Instant, pending_before: Instant) -> Iterator[EncodingJob]:
        """Yield every job in work, and every PENDING one, with `changed` before its instant, oldest first."""
        before = {JobState.PENDING: pending_before} | dict.fromkeys(IN_WORK, in_work_before)
        found = (
            self._paged("jobs_in_state", "state = ? AND changed < ?", state.value, instant)
            for state, instant in before.items()
        )
        return heapq.merge(*found, key=lambda job: (job.changed, job.id))

    def finished_since(self, since: Instant) -> Iterator[EncodingJob]:
        """Yield every finished job with `changed` at or after `since`, oldest first."""
        return self._paged("jobs_finished", "finished = 1", since=since)

    def finished_before(self, before: Instant) -> Iterator[EncodingJob]:
        """Yield every finished job with `changed` before `before` and nothing untold, oldest first."""
        return self._paged("jobs_done_with", "finished = 1 AND untold = 0 AND changed < ?", before)

    def in_state(self, state: JobState) -> Iterator[EncodingJob]:
        """Yield every job in this state, oldest `changed` first."""
        return self._paged("jobs_in_state", "state = ?", state.value)

    def _paged(
        self, index: str, condition: str, *parameters: str | Instant, by: str = "changed", since: Instant = 0
    ) -> Iterator[EncodingJob]:
        """Yield the selected jobs in the order of an instant, and of their ids where that is the same.

        The index is named so that a query which does not fit it fails, and never reads the whole table instead.
        """
        statement = (
            f"SELECT {by}, id, CAST(body AS BLOB) FROM jobs INDEXED BY {index}"  # noqa: S608 - all of it from above
            f" WHERE {condition} AND ({by}, id) > (?, ?) ORDER BY {by}, id LIMIT {_PAGE}"
        )
        before = since, ""
        while True:
            page = rows(self._reading, statement, (*parameters, *before))
            for instant, job_id, body in page:
                job = _decoded(job_id, body)
                if getattr(job, by) != instant or (instant, job_id) <= before:
                    raise JOBS.damaged(job_id, f"its place in {index} is wrong")
                yield job
                before = instant, job_id
            if len(page) < _PAGE:
                return


class SqliteJobStore(SqliteJobReads):
    """A ports.JobStore. SQLite has one writer at a time: what a transition reads, nobody changes before it writes."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._database = database

    def submit(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Store new jobs in one transaction; those whose id exists come back as they stand."""

        def change(connection: sqlite3.Connection) -> list[EncodingJob]:
            return [_inserted(connection, job) for job in jobs]

        return self._database.write(change)

    def transition(self, job: JobId | EncodingJob, move: Move) -> EncodingJob:
        """Read a job, apply a move and write the result, as the only writer; UsageError for an unknown id."""
        job_id = job if isinstance(job, str) else job.id
        return self._database.write(lambda connection: _moved(connection, job_id, move))

    def transitions(self, steps: Sequence[tuple[EncodingJob, Move]]) -> list[EncodingJob]:
        """Make a move of each of many jobs, in one transaction."""

        def change(connection: sqlite3.Connection) -> list[EncodingJob]:
            written = []
            for job, move in steps:
                with suppress(IllegalMoveError, UsageError):
                    written.append(_moved(connection, job.id, move))
            return written

        return self._database.write(change)

    def keep_seen(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Return the jobs: nobody else writes them."""
        return list(jobs)

    def remove(self, job: EncodingJob) -> bool:
        """Remove a job if its version is still the one given."""

        def change(connection: sqlite3.Connection) -> bool:
            deleted = connection.execute("DELETE FROM jobs WHERE id = ? AND version = ?", (job.id, job.version))
            if deleted.rowcount == 1:
                _list_undelivered(connection, job, None)
            return deleted.rowcount == 1

        return self._database.write(change)


def _read(connection: sqlite3.Connection, job_id: JobId) -> EncodingJob | None:
    row = connection.execute(f"{_SELECT} WHERE id = ?", (job_id,)).fetchone()
    return _decoded(*row) if row else None


def _moved(connection: sqlite3.Connection, job_id: JobId, move: Move) -> EncodingJob:
    job = _read(connection, job_id)
    if job is None:
        msg = f"no job {job_id} in the store"
        raise UsageError(msg)
    moved = move(job)
    if moved is job:
        return job
    moved = structs.replace(moved, version=max(job.version, moved.version) + 1)
    _update(connection, job, moved)
    return moved


def _inserted(connection: sqlite3.Connection, job: EncodingJob) -> EncodingJob:
    standing = _read(connection, job.id)
    if standing is not None:
        return standing
    first = structs.replace(job, version=job.version + 1)
    columns = _indexed(first) | {"id": job.id, "body": sealed(first)}
    marks = ", ".join("?" * len(columns))
    connection.execute(f"INSERT INTO jobs ({', '.join(columns)}) VALUES ({marks})", (*columns.values(),))  # noqa: S608 - names of columns
    _list_undelivered(connection, None, first)
    return first


def _update(connection: sqlite3.Connection, job: EncodingJob, moved: EncodingJob) -> None:
    """Write a record over its earlier one, and of the columns that stand in indexes those that differ."""
    before = _indexed(job)
    columns = {name: value for name, value in _indexed(moved).items() if value != before[name]}
    columns["body"] = sealed(moved)
    assignments = ", ".join(f"{name} = ?" for name in columns)
    connection.execute(f"UPDATE jobs SET {assignments} WHERE id = ?", (*columns.values(), job.id))  # noqa: S608 - as above
    _list_undelivered(connection, job, moved)


def _list_undelivered(connection: sqlite3.Connection, job: EncodingJob | None, moved: EncodingJob | None) -> None:
    """List a job that was written, or list it no more, if its listener was given up."""
    before = (job.changed, job.id) if job is not None and job.undelivered else None
    after = (moved.changed, moved.id) if moved is not None and moved.undelivered else None
    if before == after:
        return
    if before is not None:
        connection.execute("DELETE FROM undelivered WHERE changed = ? AND id = ?", before)
    if after is not None:
        connection.execute("REPLACE INTO undelivered (changed, id) VALUES (?, ?)", after)


def _indexed(job: EncodingJob) -> dict[str, str | int]:
    """What a row holds beside id and record, to be found by it."""
    return {
        "state": job.state.value,
        "finished": job.finished,
        "untold": bool(job.untold),
        "created": job.created,
        "changed": job.changed,
        "version": job.version,
    }


def _decoded(job_id: JobId, body: object) -> EncodingJob:
    job = JOBS.unsealed(job_id, body, _decoder)
    if job.id != job_id:
        raise JOBS.damaged(job_id, f"it is that of job {job.id}")
    return job
