"""What the queries of the SQLite adapters read: by an index, a page at a time, and in a dry run without a trace."""

import shutil
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec import structs

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobReads, SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger, SqliteLedgerReads
from nommerctl.adapters.local.queue import SqliteQueue, SqliteQueueReads
from nommerctl.adapters.local.schema import EMPTY_SCHEMA
from nommerctl.adapters.sqlite_read import ReadOnlyDatabase
from nommerctl.domain.fleet import Depth, Launch, Spawned
from nommerctl.domain.job import EncodingJob, HistoryEntry
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.ports import JobReads, LedgerReads, QueueReads
from tests.builders import job_id, make_job
from tests.fakes.clock import START, FakeClock

pytestmark = pytest.mark.slow

T = TypeVar("T")

FEW = 3
MANY = 4000
LISTENER = "https://listener.example/"
CHANGED = (HistoryEntry(seq=1, state=JobState.PENDING, at=START, by="submit"),)


class MeteredReading:
    """A Reading that counts the steps of SQLite's virtual machine: what it costs to find the rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.steps = 0

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        def metered(connection: sqlite3.Connection) -> T:
            connection.set_progress_handler(self._count, 1)
            try:
                return query(connection)
            finally:
                connection.set_progress_handler(None, 1)

        return self._database.read(metered)

    def _count(self) -> int:
        self.steps += 1
        return 0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(database: Database) -> SqliteJobStore:
    return SqliteJobStore(database)


@pytest.fixture
def reading(database: Database) -> MeteredReading:
    return MeteredReading(database)


def fill(database: Database, clock: FakeClock) -> None:
    """Keep many finished jobs that nobody waits for, and a few of each other kind."""
    store, queue, ledger = SqliteJobStore(database), SqliteQueue(database, "q", clock), SqliteLedger(database, clock)
    store.submit([make_job(number, state=JobState.FINISHED) for number in range(MANY)])
    fresh, old = START + micros(2 * MANY), START - 1
    store.submit([make_job(MANY + n) for n in range(FEW)])
    store.submit([make_job(MANY + 10 + n, state=JobState.ENCODING, changed=old) for n in range(FEW)])
    store.submit([make_job(MANY + 20 + n, state=JobState.ERROR, changed=fresh) for n in range(FEW)])
    store.submit([make_job(MANY + 30 + n, state=JobState.FINISHED, changed=old) for n in range(FEW)])
    store.submit(
        [
            make_job(MANY + 40 + n, state=JobState.ABANDONED, changed=old - 1, notify_url=LISTENER, history=CHANGED)
            for n in range(FEW)
        ]
    )
    SqliteQueue(database, "other", clock).send(["x"] * MANY)
    merciless = SqliteQueue(database, "q", clock, max_receives=0)
    merciless.send(["x"] * FEW)
    assert merciless.receive(FEW, visibility=0) == []
    queue.send(["x"] * FEW)
    for number in range(FEW):
        clock.advance(3600)
        ledger.journal(Launch(token=str(number), generation=number, count=1, slots=1, ordered=clock(), request="{}"))
        ledger.settle(str(number), Spawned())
    for number in range(300):
        ledger.decide(Decision(at=START + number, launch=0, end=(), reasons=(), inputs={}))


FIND_A_FEW: dict[str, Callable[[JobReads, LedgerReads, QueueReads], Iterable[object]]] = {
    "get": lambda jobs, _ledger, _queue: jobs.get(job_id(number) for number in range(FEW)).values(),
    "find": lambda jobs, _ledger, _queue: jobs.find(job_id(7)[:-1], limit=FEW),
    "unfinished": lambda jobs, _ledger, _queue: [job for job in jobs.unfinished() if job.state is JobState.PENDING],
    "silent": lambda jobs, _ledger, _queue: jobs.silent(in_work_before=START, pending_before=START),
    "silent but for the pending": lambda jobs, _ledger, _queue: jobs.silent(
        in_work_before=START + micros(9 * MANY), pending_before=START
    ),
    "untold": lambda jobs, _ledger, _queue: jobs.finished_untold(),
    "in_state": lambda jobs, _ledger, _queue: jobs.in_state(JobState.ENCODING),
    "finished_since": lambda jobs, _ledger, _queue: jobs.finished_since(START + micros(2 * MANY)),
    "finished_before": lambda jobs, _ledger, _queue: jobs.finished_before(START),
    "launches": lambda _jobs, ledger, _queue: ledger.overview().launches,
    "decisions": lambda _jobs, ledger, _queue: ledger.decisions(limit=FEW),
    "depth": lambda _jobs, _ledger, queue: range(queue.depth().visible),
    "dead": lambda _jobs, _ledger, queue: queue.dead(),
}


@pytest.mark.parametrize("name", FIND_A_FEW)
def test_a_few_are_found_among_many_without_reading_the_many(
    name: str, database: Database, reading: MeteredReading, clock: FakeClock
) -> None:
    fill(database, clock)
    reads = (SqliteJobReads(reading), SqliteLedgerReads(reading, clock), SqliteQueueReads(reading, "q", clock))

    found = FIND_A_FEW[name](*reads)

    assert len(list(found)) == FEW
    assert 0 < reading.steps < 400


def test_a_list_costs_the_same_for_each_job_however_long_it_is(store: SqliteJobStore, reading: MeteredReading) -> None:
    steps = []
    for many in (1000, 4000):
        store.submit([make_job(number) for number in range(many)])
        reading.steps = 0
        reads, later = SqliteJobReads(reading), START + micros(many)
        for jobs in (reads.unfinished(), reads.silent(in_work_before=later, pending_before=later)):
            assert len(list(jobs)) == many
        steps.append(reading.steps / many)

    assert steps[1] == pytest.approx(steps[0], rel=0.05)


def test_a_receive_reads_only_what_it_takes(database: Database, clock: FakeClock) -> None:
    queue = SqliteQueue(database, "q", clock)
    queue.send(["x"] * MANY)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    database.read(lambda connection: connection.set_progress_handler(count, 1))
    assert len(queue.receive(FEW, visibility=90)) == FEW
    database.read(lambda connection: connection.set_progress_handler(None, 1))

    assert 0 < steps < 400


# --- while others write


def test_a_job_that_changes_between_two_pages_is_not_left_out(store: SqliteJobStore) -> None:
    done = JobState.FINISHED
    store.submit([make_job(number, state=done, notify_url=LISTENER, history=CHANGED) for number in range(1500)])
    untold = store.finished_untold()
    seen = [next(untold)]

    moved = store.transition(job_id(1400), lambda job: structs.replace(job, changed=START + micros(9999)))
    seen += untold

    assert [job.id for job in seen] == [job_id(number) for number in range(1500) if number != 1400] + [job_id(1400)]
    assert seen[-1] == moved


def test_unfinished_neither_repeats_nor_loses_a_job_that_moves_on(store: SqliteJobStore) -> None:
    store.submit([make_job(number) for number in range(1500)])
    seen = []

    for job in store.unfinished():
        seen.append(job.id)
        number = int(job.id, 16)
        if number % 100 == 0:
            for other in (number, (number + 750) % 1500):
                store.transition(job_id(other), lambda job: structs.replace(job, changed=START + micros(9999)))

    assert seen == [job_id(number) for number in range(1500)]


# --- dry runs


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def look(farm: Path, clock: FakeClock) -> tuple[list[EncodingJob], Depth, Overview]:
    reading = ReadOnlyDatabase(farm, EMPTY_SCHEMA)
    ledger = SqliteLedgerReads(reading, clock)
    depth = SqliteQueueReads(reading, "new-jobs", clock).depth()
    return list(SqliteJobReads(reading).unfinished()), depth, ledger.overview()


def test_i6_a_farm_that_is_not_there_yet_reads_as_empty(farm: Path, clock: FakeClock) -> None:
    assert look(farm, clock) == ([], Depth(), Overview())
    assert snapshot(farm.parent) == {}


@pytest.mark.parametrize("state", ["closed", "killed"])
def test_i6_looking_at_a_farm_leaves_no_trace(state: str, tmp_path: Path, database: Database, clock: FakeClock) -> None:
    stored = SqliteJobStore(database).submit([make_job(number) for number in range(3)])
    SqliteQueue(database, "new-jobs", clock).send([job.id for job in stored])
    if state == "closed":
        database.close()
    left = tmp_path / "as-it-was-left"
    shutil.copytree(tmp_path, left, ignore=shutil.ignore_patterns(left.name))
    before = snapshot(left)

    assert look(left / "farm.db", clock) == (stored, Depth(visible=3), Overview())
    assert snapshot(left) == before
    assert ("farm.db-wal" in before) is (state == "killed")
