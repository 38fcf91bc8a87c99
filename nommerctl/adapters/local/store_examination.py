"""`farm.db` examined from end to end, read only: what the passes only come across when they need it."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from nommerctl.adapters.local.database import has_added, is_ours, rows
from nommerctl.adapters.local.schema import EMPTY_SCHEMA
from nommerctl.adapters.seal import BrokenSealError, unsealed
from nommerctl.adapters.sqlite_errors import ERRORS, shows_damage
from nommerctl.adapters.sqlite_integrity import complaints
from nommerctl.adapters.sqlite_read import ReadOnlyDatabase, size_of
from nommerctl.domain.fleet import CheckIn, Depth, Heartbeat, Launch
from nommerctl.domain.job import EncodingJob, JobId, is_job_id
from nommerctl.domain.outcome import Decision
from nommerctl.domain.soundness import QueueFacts, StoreFacts
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant
from nommerctl.errors import UnreachableError

_HEED_EVERY = 500

_LEDGER: tuple[tuple[str, str, msgspec.json.Decoder[Any]], ...] = (
    ("heartbeats", "heartbeat", msgspec.json.Decoder(Heartbeat)),
    ("launches", "order", msgspec.json.Decoder(Launch)),
    ("decisions", "decision", msgspec.json.Decoder(Decision)),
)
"""The ledger's tables of records, and what one of them is called."""

_ADDED: tuple[tuple[str, str, msgspec.json.Decoder[Any]], ...] = (
    ("check_ins", "first heartbeat", msgspec.json.Decoder(CheckIn)),
    ("documents", "document", msgspec.json.Decoder()),
)
"""Those that an older release did not make."""

_IN_QUEUE = "SELECT count(*) FROM messages WHERE queue = :queue AND dead = 0"

_QUEUE_COUNTS = (
    f"{_IN_QUEUE} AND visible_at <= :now",
    f"{_IN_QUEUE} AND visible_at > :now",
    "SELECT count(*) FROM messages WHERE queue = :queue AND dead = 1",
    f"{_IN_QUEUE} AND body NOT IN (SELECT id FROM jobs WHERE finished = 0)",  # noqa: S608 - from above
    "SELECT count(*) FROM jobs WHERE state = :pending AND id NOT IN (SELECT body FROM messages WHERE queue = :queue)",
)
"""What QueueFacts counts, in its order."""

_jobs = msgspec.json.Decoder(EncodingJob)


class StoreExamination:
    """Examines `path`. `heed` raises what ends a long look before its time."""

    def __init__(self, path: Path, heed: Callable[[], None]) -> None:
        self._path = path
        self._heed = heed
        self._reading = ReadOnlyDatabase(path, EMPTY_SCHEMA, check=lambda connection: is_ours(connection, path))

    def store(self) -> StoreFacts:
        """Read everything: SQLite's own check, every record, and whether its columns say the same as it does.

        UnreachableError if it is another version's or another program's database.
        """
        size = size_of(self._path)
        try:
            count, found = self._reading.read(self._examined)
        except UnreachableError as error:
            if isinstance(error.__cause__, ERRORS) and shows_damage(error.__cause__):
                return StoreFacts(size=size, complaints=(str(error.__cause__),))
            raise
        return StoreFacts(size=size, jobs=count, complaints=found)

    def queue(self, name: str, now: Instant) -> QueueFacts:
        """Count the messages of the queue of new jobs, and compare them with the jobs."""
        asked = {"queue": name, "now": now, "pending": JobState.PENDING.value}
        waiting, hidden, dead, needless, unannounced = self._reading.read(
            lambda connection: [connection.execute(each, asked).fetchone()[0] for each in _QUEUE_COUNTS]
        )
        depth = Depth(visible=waiting, in_flight=hidden)
        return QueueFacts(depth=depth, dead=dead, needless=needless, unannounced=unannounced)

    def versions(self, ids: Sequence[JobId]) -> dict[JobId, int]:
        """Return the versions of those of the jobs that there are; `ids` no more than SQLite takes at once."""
        marks = ",".join("?" * len(ids))
        return dict(rows(self._reading, f"SELECT id, version FROM jobs WHERE id IN ({marks})", ids))  # noqa: S608 - question marks

    def newest_change(self) -> Instant:
        """Return when a job last changed its state, 0 if there is none; two indexes tell it."""
        found = [
            rows(self._reading, f"SELECT max(changed) FROM jobs INDEXED BY {index} WHERE finished = {finished}")  # noqa: S608 - from here
            for index, finished in (("jobs_silent", 0), ("jobs_finished", 1))
        ]
        return max(each[0][0] or 0 for each in found)

    def _examined(self, connection: sqlite3.Connection) -> tuple[int, tuple[str, ...]]:
        structure = complaints(connection, "integrity_check", self._heed)
        (count,) = connection.execute("SELECT count(*) FROM jobs").fetchone()
        return count, (*structure, *self._faulty_jobs(connection), *self._faulty_ledger(connection))

    def _faulty_jobs(self, connection: sqlite3.Connection) -> Iterator[str]:
        listed = set(connection.execute("SELECT changed, id FROM undelivered")) if has_added(connection) else set()
        statement = "SELECT id, state, finished, untold, created, changed, version, CAST(body AS BLOB) FROM jobs"
        for number, (job_id, *columns, body) in enumerate(connection.execute(statement)):
            if number % _HEED_EVERY == 0:
                self._heed()
            try:
                job = unsealed(body, _jobs)
            except BrokenSealError as error:
                yield f"the record of job {job_id} cannot be read: {error}"
                continue
            said = (job.state.value, job.finished, bool(job.untold), job.created, job.changed, job.version)
            if job.id != job_id or not is_job_id(job.id) or tuple(columns) != said:
                yield f"the record of job {job_id} says something else than its row"
            elif job.undelivered and (job.changed, job.id) not in listed:
                yield f"job {job_id} is not listed among those whose listener was given up"

    @staticmethod
    def _faulty_ledger(connection: sqlite3.Connection) -> Iterator[str]:
        for table, noun, decoder in (*_LEDGER, *(_ADDED if has_added(connection) else ())):
            for (body,) in connection.execute(f"SELECT CAST(body AS BLOB) FROM {table}"):  # noqa: S608 - from above
                try:
                    unsealed(body, decoder)
                except BrokenSealError as error:
                    yield f"the record of one {noun} cannot be read: {error}"
