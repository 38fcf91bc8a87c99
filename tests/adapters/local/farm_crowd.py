"""What the processes of test_sqlite_processes.py run; a module of its own, so that they start quickly."""

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NoReturn, TypeVar

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.domain import moves
from nommerctl.domain.job import JobId, Lease
from nommerctl.domain.limits import AttemptLimits
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import IllegalMoveError, LeaseLostError
from nommerctl.ports import Message
from tests.builders import job_id
from tests.fakes.clock import START

PROCESSES = 8
TRANSITIONS = 50
RACES = 100

T = TypeVar("T")

_starting_line: Barrier


def run_at_once(task: Callable[[Path, str], T], farm: Path, processes: int = PROCESSES) -> list[T]:
    """Run a task of this module in processes that begin together; return what each of them returned."""
    context = get_context("spawn")
    with context.Pool(processes, initializer=_take_place, initargs=(context.Barrier(processes),)) as pool:
        runners = [(task, farm, f"node-{number}") for number in range(processes)]
        results = pool.starmap(_run, runners, chunksize=1)
        pool.close()
        pool.join()
    return results


def _take_place(starting_line: Barrier) -> None:
    global _starting_line  # noqa: PLW0603 - a pool hands it to a process at its start and in no other way
    _starting_line = starting_line


def _run(task: Callable[[Path, str], T], farm: Path, name: str) -> T:
    _starting_line.wait(timeout=60)
    return task(farm, name)


def count_jobs(farm: Path, _name: str) -> int:
    """Open the database, new or not, and look into it."""
    database = Database(farm)
    count = len(list(SqliteJobStore(database).unfinished()))
    database.close()
    return count


def claim_until_empty(farm: Path, name: str) -> list[JobId]:
    """Do as a worker does: receive, claim, keep what was won; return the ids that this process won."""
    database = Database(farm)
    store, queue = SqliteJobStore(database), SqliteQueue(database, "new-jobs", _clock)
    won = []
    while messages := queue.receive(3, visibility=90):
        for message in messages:
            try:
                won.append(_claim(store, message, name))
            except IllegalMoveError:
                queue.delete([message])
    database.close()
    return won


def race_for_each(farm: Path, name: str) -> list[JobId]:
    """Claim one job after the other at the same moment as everybody else; return the ids that this process won.

    Who has lost may write no more.
    """
    database = Database(farm)
    store = SqliteJobStore(database)
    won = []
    for number in range(RACES):
        _starting_line.wait(timeout=60)
        try:
            won.append(_claim(store, Message(body=job_id(number), receipt=name), name))
        except IllegalMoveError:
            with suppress(LeaseLostError):
                store.transition(job_id(number), lambda job: moves.renewed(job, lease_id=name, until=0, progress=None))
                won.append("a renewal without a lease")
    database.close()
    return won


def _claim(store: SqliteJobStore, message: Message, name: str) -> JobId:
    lease = Lease(id=message.receipt, owner=name, until=START + micros(90))
    limits = AttemptLimits()
    return store.transition(message.body, lambda job: moves.claimed(job, lease=lease, now=_clock(), limits=limits)).id


def _clock() -> Instant:
    return START


def raise_told(farm: Path, _name: str) -> None:
    """Change the first job fifty times."""
    database = Database(farm)
    store = SqliteJobStore(database)
    for _ in range(TRANSITIONS):
        store.transition(job_id(1), lambda job: moves.told(job, seq=job.told + 1))
    database.close()


def hold_a_write_open(farm: Path) -> NoReturn:
    """Write more than SQLite keeps in memory, so that its log holds half of it; say so, and wait to be killed."""

    def change(connection: sqlite3.Connection) -> NoReturn:
        connection.execute("UPDATE jobs SET state = 'ERROR', body = '{}'")
        connection.execute("UPDATE control SET value = 99")
        heap = ((START, "x" * 100_000) for _ in range(100))
        connection.executemany("INSERT INTO decisions (at, body) VALUES (?, ?)", heap)
        sys.stdout.write("writing\n")
        sys.stdout.flush()
        while True:
            time.sleep(1)

    Database(farm).write(change)


if __name__ == "__main__":
    hold_a_write_open(Path(sys.argv[1]))
