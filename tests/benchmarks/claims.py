"""What a job costs besides its encode: workers that claim and finish jobs in which there is nothing to do."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.benchmarks import claim_by_sql
from tests.benchmarks.crowd import together
from tests.benchmarks.farms import fill, waiting
from tests.benchmarks.measure import Row, Settings, compared, in_turns
from tests.builders import job_id

WORKERS = 8
ROUNDS = 10
"""20,000 jobs are claimed in so many rounds: a disk that allows only so many syncs a minute then meets both sides."""


def rows(settings: Settings) -> list[Row]:
    """Eight workers and 20,000 jobs against eight processes that do with SQLite what must be done at the least."""
    rounds, jobs = settings.turns(ROUNDS), settings.size(20_000 // ROUNDS, 500)
    folder = settings.scratch / "claims"
    ours, theirs = in_turns(rounds, lambda: by_workers(folder / "ours", jobs), lambda: by_sql(folder / "theirs", jobs))
    return [
        compared(
            f"claims by {WORKERS} workers, {rounds} rounds of {jobs:,} jobs; nommer and storage do nothing",
            "two `BEGIN IMMEDIATE` transactions a job by sqlite3",
            ours,
            theirs,
            goal="3",
        )
    ]


def by_workers(folder: Path, jobs: int, workers: int = WORKERS) -> float:
    """Have workers of the farm finish all jobs; return how many seconds that took."""
    fill(folder, jobs, waiting)
    seconds = together("tests.benchmarks.claim_worker", [(folder, f"node-{number}") for number in range(workers)])
    _check(folder / "farm.db", jobs)
    shutil.rmtree(folder)
    return seconds


def by_sql(folder: Path, jobs: int, workers: int = WORKERS) -> float:
    """Have as many processes claim and finish as many jobs by sqlite3 alone; return how many seconds that took."""
    folder.mkdir(parents=True)
    database = folder / "jobs.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(claim_by_sql.SCHEMA)
        waiting_jobs = [(job_id(number), "PENDING", number) for number in range(jobs)]
        connection.executemany("INSERT INTO jobs (id, state, created) VALUES (?, ?, ?)", waiting_jobs)
        connection.commit()
    seconds = together("tests.benchmarks.claim_by_sql", [(database, f"node-{number}") for number in range(workers)])
    _check(database, jobs)
    shutil.rmtree(folder)
    return seconds


def _check(database: Path, jobs: int) -> None:
    with closing(sqlite3.connect(database)) as connection:
        (finished,) = connection.execute("SELECT count(*) FROM jobs WHERE state = 'FINISHED'").fetchone()
    if finished != jobs:
        msg = f"{finished} of {jobs} jobs are finished"
        raise RuntimeError(msg)
