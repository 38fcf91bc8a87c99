"""farm.db with one byte that is not what was written: what is read of it is what was written, or an error of ours."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from nommerctl.adapters.local.database import Database, Reading, is_ours
from nommerctl.adapters.local.job_store import SqliteJobReads, SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger, SqliteLedgerReads
from nommerctl.adapters.local.queue import SqliteQueue, SqliteQueueReads
from nommerctl.adapters.local.schema import EMPTY_SCHEMA
from nommerctl.adapters.sqlite_read import ReadOnlyDatabase
from nommerctl.domain.fleet import Heartbeat, Launch, Spawned
from nommerctl.domain.job import HistoryEntry
from nommerctl.domain.outcome import Decision
from nommerctl.domain.states import JobState
from nommerctl.errors import NommerctlError, UnreachableError
from tests.adapters.flips import Flips
from tests.builders import job_id, make_job
from tests.fakes.clock import START, FakeClock

HISTORY = (HistoryEntry(seq=1, state=JobState.PENDING, at=START, by="submit"),)
JOBS = [
    make_job(number, state=list(JobState)[number % 7], details="é" * number, notify_url="http://l/", history=HISTORY)
    for number in range(120)
]
LATER = START * 2
CLOCK = FakeClock()


def fill(database: Database) -> None:
    """Keep something of everything."""
    SqliteJobStore(database).submit(JOBS)
    queue = SqliteQueue(database, "new-jobs", CLOCK)
    queue.send([job.id for job in JOBS])
    queue.receive(20, visibility=90)
    ledger = SqliteLedger(database, CLOCK)
    for number in range(3):
        ledger.beat(Heartbeat(node=f"node-{number}", started=START, at=START, slots=2))
        ledger.journal(Launch(token=f"t{number}", generation=number, count=2, slots=1, ordered=START, request="{}"))
        if number < 2:
            ledger.settle(f"t{number}", Spawned((f"node-{number}",)))
        ledger.decide(Decision(at=START + number, launch=1, end=(), reasons=("demand",), inputs={"nodes": 1}))


def questions(reading: Reading) -> Iterator[tuple[str, Callable[[], list[object]]]]:
    """All that is read of farm.db, each by a name; every answer a list of records."""
    jobs, ledger = SqliteJobReads(reading), SqliteLedgerReads(reading, CLOCK)
    queue = SqliteQueueReads(reading, "new-jobs", CLOCK)
    yield "get", lambda: [*jobs.get(job.id for job in JOBS).values()]
    yield "find", lambda: [*jobs.find(job_id(7)[:-1], limit=20)]
    yield "unfinished", lambda: [*jobs.unfinished()]
    yield "untold", lambda: [*jobs.finished_untold()]
    yield "silent", lambda: [*jobs.silent(in_work_before=LATER, pending_before=LATER)]
    yield "finished since", lambda: [*jobs.finished_since(0)]
    yield "finished before", lambda: [*jobs.finished_before(LATER)]
    yield "in state", lambda: [*jobs.in_state(JobState.ERROR)]
    yield "dead", lambda: [*queue.dead()]
    yield "generation", lambda: [ledger.overview().generation]
    yield "heartbeats", lambda: [*ledger.overview().heartbeats.items()]
    yield "launches", lambda: [*ledger.overview().launches]
    yield "sign of life", lambda: [each for each in [ledger.overview().controller_seen] if each is not None]
    yield "decisions", lambda: [*ledger.decisions(limit=9)]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Where the farm.db of a farm is that nobody has open."""
    path = tmp_path / "state" / "farm.db"
    path.parent.mkdir()
    with closing(Database(path)) as database:
        fill(database)
    return path


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_no_record_is_read_that_was_not_written(filled: Path, seed: int) -> None:
    reading = ReadOnlyDatabase(filled, EMPTY_SCHEMA, check=lambda connection: is_ours(connection, filled))
    written = {name: ask() for name, ask in questions(reading)}
    flips, noticed = Flips(filled.parent, seed), 0
    for _ in range(200):
        where = flips.flip("farm.db")
        for name, ask in questions(reading):
            try:
                answer = ask()
            except UnreachableError:
                noticed += 1
            else:
                assert all(record in written[name] for record in answer), f"{name} after {where}"
    assert noticed > 100


def writes(database: Database) -> Iterator[Callable[[], object]]:
    """All that is written, each as a call."""
    store, ledger = SqliteJobStore(database), SqliteLedger(database, CLOCK)
    queue = SqliteQueue(database, "new-jobs", CLOCK)
    yield lambda: store.submit([make_job(500), JOBS[3]])
    for number in range(0, 120, 7):
        yield lambda number=number: store.transition(  # type: ignore[misc]
            job_id(number), lambda job: structs.replace(job, details="moved")
        )
    yield lambda: store.remove(structs.replace(JOBS[4], version=1))
    yield lambda: queue.delete([message for message in queue.receive(200, visibility=90) if message.body.islower()])
    yield lambda: queue.send(["x"])
    yield lambda: ledger.beat(Heartbeat(node="node-1", started=START, at=START + 1, slots=2))
    yield lambda: ledger.mark("node-2", START)
    yield lambda: ledger.settle("t2", Spawned(("node-2",)))
    yield lambda: ledger.journal(Launch(token="t3", generation=3, count=1, slots=1, ordered=START, request="{}"))
    yield lambda: ledger.decide(Decision(at=START, launch=0, end=(), reasons=(), inputs={}))


def check_writes(path: Path, flips: Flips, count: int) -> None:
    for _ in range(count):
        where = flips.flip("farm.db")
        try:
            with closing(Database(path)) as database:
                for write in writes(database):
                    try:
                        write()
                    except NommerctlError:
                        continue
        except UnreachableError:
            continue
        except Exception as error:
            error.add_note(f"after {where}")
            raise


def test_every_write_is_made_or_refused_in_our_words(filled: Path) -> None:
    check_writes(filled, Flips(filled.parent, 0), 20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_every_write_after_a_thousand_flips(filled: Path, seed: int) -> None:
    check_writes(filled, Flips(filled.parent, seed), 250)


def test_after_a_flip_in_its_log_the_store_is_as_it_was_at_some_commit(tmp_path: Path) -> None:
    path = tmp_path / "open" / "farm.db"
    path.parent.mkdir()
    Database(path).close()
    with closing(Database(path)) as database:
        store = SqliteJobStore(database)
        for number in range(20):
            store.submit([make_job(number)])
        (tmp_path / "state").mkdir()
        for file in path.parent.iterdir():
            (tmp_path / "state" / file.name).write_bytes(file.read_bytes())
    reads = SqliteJobReads(ReadOnlyDatabase(tmp_path / "state" / "farm.db", EMPTY_SCHEMA))
    flips, found = Flips(tmp_path / "state", 0), set()
    for _ in range(200):
        where = flips.flip("farm.db-wal")
        jobs = [job.id for job in reads.unfinished()]
        assert jobs == [job_id(number) for number in range(len(jobs))], where
        found.add(len(jobs))
    assert len(found) > 10
