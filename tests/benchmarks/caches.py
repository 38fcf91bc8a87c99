"""The job cache against SQLite itself: counting, reading one state, and building it anew from the store."""

import shutil
import sqlite3
import statistics
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from nommerctl.wiring.farm import Farm, Invocation, load
from nommerctl.wiring.running import REBUILD, run_pass
from tests.benchmarks.farms import Mix, busy, fill, waiting
from tests.benchmarks.measure import Row, Settings, compared, in_turns, timed

_COUNTS = "SELECT tag, COUNT(*) FROM Cache WHERE tag IS NOT NULL GROUP BY tag"
_VALUES = "SELECT CAST(value AS BLOB) FROM Cache WHERE tag = ?"
_COPIED = "SELECT id, state, length(body), body FROM jobs"
_COPY = "INSERT INTO Cache (key, raw, tag, size, mode, value) VALUES (?, 1, ?, ?, 1, ?)"


def reading(settings: Settings) -> list[Row]:
    """Counts by state, and the jobs of one state decoded, from a cache of 100,000 jobs."""
    jobs = settings.size(100_000, 1_000)
    waiting_jobs = jobs // 5
    state_dir = settings.scratch / "reading"
    fill(state_dir, jobs, busy)
    _rebuild(state_dir)
    cached = CachedJobs(state_dir / "cache")
    database = state_dir / "cache" / "cache.db"
    ours, theirs = in_turns(
        settings.turns(25, quick=3), partial(timed, cached.count_by_state), partial(timed, partial(_counts, database))
    )
    counts = compared(
        f"counts by state, {jobs:,} jobs cached",
        "`SELECT tag, COUNT(*) ... GROUP BY tag` by sqlite3; both open the database anew each time",
        ours,
        theirs,
        goal="1.5",
    )
    ours, theirs = in_turns(
        settings.turns(5),
        partial(timed, partial(cached.get_jobs_with_state, JobState.PENDING)),
        partial(timed, partial(_decoded, database, JobState.PENDING)),
    )
    decoded = compared(
        f"one state of {waiting_jobs:,} jobs decoded, lowest of {len(ours)}",
        "`SELECT value ... WHERE tag = ?` by sqlite3, and msgspec",
        ours,
        theirs,
        goal="1.2",
        pick=min,
    )
    shutil.rmtree(state_dir)
    return [counts, decoded]


def rebuild(settings: Settings) -> list[Row]:
    """The cache built from a store of 100,000 jobs."""
    jobs = settings.size(100_000, 1_000)
    mixes: dict[str, Mix] = {"that wait": waiting, "of a day's work": busy}
    return [row for name, mix in mixes.items() for row in _rebuilt(settings, jobs, name, mix)]


def _rebuilt(settings: Settings, jobs: int, name: str, mix: Mix) -> list[Row]:
    state_dir, copy = settings.scratch / "rebuild", settings.scratch / "copy.db"
    fill(state_dir, jobs, mix)

    def ours() -> float:
        shutil.rmtree(state_dir / "cache", ignore_errors=True)
        return timed(partial(_rebuild, state_dir))

    def theirs() -> float:
        _make_like(state_dir / "cache" / "cache.db", copy)
        seconds = timed(partial(_copy, state_dir / "farm.db", copy))
        copy.unlink()
        return seconds

    taken = in_turns(settings.turns(5), ours, theirs)
    shutil.rmtree(state_dir)
    against = "reading their rows and inserting them into a table with the same indexes by sqlite3"
    row = compared(f"rebuild of the cache from a store of {jobs:,} jobs {name}", against, *taken, goal="8")
    each_second = Row(
        what="the same, jobs a second",
        against="",
        ours=f"{jobs / statistics.median(taken[0]):,.0f}",
        goal="15,000 or more",
    )
    return [row, each_second]


def _rebuild(state_dir: Path) -> None:
    farm = Farm(load(Invocation(state_dir=str(state_dir))))
    outcome = run_pass(farm, REBUILD)
    farm.close()
    if outcome.ended_by is not None:
        raise outcome.ended_by


def _connected(database: Path, query: Callable[[sqlite3.Connection], object]) -> object:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return query(connection)


def _counts(database: Path) -> object:
    return _connected(database, lambda connection: connection.execute(_COUNTS).fetchall())


def _decoded(database: Path, state: JobState) -> object:
    decoder = msgspec.json.Decoder(EncodingJob)

    def query(connection: sqlite3.Connection) -> list[EncodingJob]:
        values = connection.execute(_VALUES, (state.value,))
        return [decoder.decode(value[value.index(b"{") :]) for (value,) in values]  # a checksum stands before it

    return _connected(database, query)


def _make_like(cache: Path, copy: Path) -> None:
    """Make an empty database with the table of entries that a cache has, and its indexes."""
    wanted = "SELECT sql FROM sqlite_master WHERE tbl_name = 'Cache' AND type IN ('table', 'index') AND sql IS NOT NULL"
    with closing(sqlite3.connect(cache)) as connection:
        statements = [sql for (sql,) in connection.execute(wanted + " ORDER BY type DESC")]
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in statements:
            connection.execute(statement)


def _copy(store: Path, copy: Path) -> None:
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(copy)) as target:
        target.execute("PRAGMA synchronous = NORMAL")  # as the cache has it
        target.executemany(_COPY, source.execute(_COPIED))
        target.commit()
