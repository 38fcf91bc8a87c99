"""The job cache on disk among processes: its folder, its locks, its index; and what is not to be taken for damage."""

import fcntl
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from nommerctl.adapters import cache_table
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import JobCache, open_cache
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from nommerctl.errors import SettingsError, TryAgainError
from tests.adapters.cache_on_disk import set_aside_in
from tests.adapters.processes import ready, run, start
from tests.builders import job_id, make_job
from tests.fakes.clock import START


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cache"


@pytest.fixture
def cache(folder: Path) -> Iterator[JobCache]:
    with closing(open_cache(folder, timeout=0.2)) as cache:
        yield cache


def database(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "cache.db", isolation_level=None)


def test_the_folder_is_its_owners_alone(folder: Path) -> None:
    open_cache(folder).close()

    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_could_use_is_closed_to_them(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o755)

    open_cache(folder).close()

    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_is_cached_is_there_when_it_is_opened_again(folder: Path, cache: JobCache) -> None:
    cache.update_job(make_job(1, version=3))
    cache.set_status(lambda status: structs.replace(status, refreshed=START))
    cache.close()

    with closing(open_cache(folder)) as again:
        assert again.get_cached_jobs() == {job_id(1): make_job(1, version=3)}
        assert again.status().refreshed == START
    assert set_aside_in(folder) == []


def test_a_long_record_is_kept_whole(folder: Path, cache: JobCache) -> None:
    job = make_job(1, details="é" * 500_000)

    cache.update_job(job)

    assert CachedJobs(folder).get_job(job) == job
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []


def test_counts_and_states_are_read_by_an_index(folder: Path, cache: JobCache) -> None:
    def plan(query: Callable[[sqlite3.Connection], object]) -> list[str]:
        with closing(database(folder)) as connection:
            asked: list[str] = []
            connection.set_trace_callback(asked.append)
            query(connection)
            connection.set_trace_callback(None)
            return [step[3] for statement in asked for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]

    cache.update_job(make_job(1))

    one_entry = "SEARCH Cache USING INDEX Cache_key_raw (key=? AND raw=?)"
    assert plan(cache_table.counts) == [one_entry]
    for limit in (None, 1):
        asked = partial(cache_table.jobs, states=[JobState.PENDING], make=str, limit=limit)
        assert sorted(plan(asked)) == [one_entry, "SEARCH Cache USING INDEX Cache_tag_rowid (tag=?)"]
    assert plan(lambda connection: cache_table.job(connection, job_id(1))) == [one_entry]


def test_what_did_not_change_is_not_written_again(folder: Path, cache: JobCache) -> None:
    cache.update_jobs([make_job(1, version=1), make_job(2, version=1)])
    with closing(database(folder)) as watching:

        def commits() -> object:
            return watching.execute("PRAGMA data_version").fetchone()

        before = commits()
        cache.reset([make_job(1, version=1), make_job(2, version=1)], as_of=START)
        assert commits() == before

        cache.reset([make_job(1, version=2), make_job(2, version=1)], as_of=START)
        assert commits() != before


def test_another_writer_is_waited_for_only_so_long(folder: Path, cache: JobCache) -> None:
    cache.update_job(make_job(1))

    with closing(database(folder)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with pytest.raises(TryAgainError, match="locked by another process"):
            cache.update_job(make_job(2))
        assert cache.get_cached_jobs() == {job_id(1): make_job(1)}
        other.execute("ROLLBACK")

    assert time.monotonic() - begun < 5
    cache.update_job(make_job(2))
    assert len(cache.get_cached_jobs()) == 2


def test_opening_waits_for_another_writer_only_so_long(folder: Path, cache: JobCache) -> None:
    cache.update_job(make_job(1))

    with closing(database(folder)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with pytest.raises(TryAgainError, match="locked by another process"):
            open_cache(folder, timeout=0.2)
        assert time.monotonic() - begun < 5

    assert set_aside_in(folder) == []
    assert cache.get_cached_jobs() == {job_id(1): make_job(1)}


def test_the_lock_beside_the_folder_is_waited_for_only_so_long(folder: Path, cache: JobCache) -> None:
    with folder.with_name("cache.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for attempt in (lambda: cache.update_job(make_job(1)), lambda: open_cache(folder, timeout=0.2)):
            with pytest.raises(TryAgainError, match="another process"):
                attempt()

    cache.update_job(make_job(1))
    assert cache.is_job_cached(job_id(1))


def test_a_cache_that_was_begun_anew_meanwhile_is_not_written_by_old_hands(folder: Path, cache: JobCache) -> None:
    cache.update_job(make_job(1))
    with closing(open_cache(folder)) as other:
        other.set_aside()

    with closing(open_cache(folder)) as new:
        new.update_job(make_job(2))
        with pytest.raises(TryAgainError, match="begun a new job cache"):
            cache.update_job(make_job(3))
        cache.set_aside()

        assert new.get_cached_jobs() == {job_id(2): make_job(2)}
        assert CachedJobs(folder).get_cached_jobs() == {job_id(2): make_job(2)}


def test_a_cache_that_was_deleted_meanwhile_is_not_written(folder: Path, cache: JobCache) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()

    with pytest.raises(TryAgainError):
        cache.update_job(make_job(1))

    with closing(open_cache(folder)) as new:
        assert new.get_cached_jobs() == {}


def test_a_path_that_diskcache_would_read_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"state_dir must not hold a \$"):
        open_cache(tmp_path / "$HOME" / "cache")

    assert list(tmp_path.iterdir()) == []


def test_an_odd_path(tmp_path: Path) -> None:
    folder = tmp_path / "~ größe %41?#" / "cache"

    with closing(open_cache(folder)) as cache:
        cache.update_job(make_job(1))

        assert CachedJobs(folder).get_cached_jobs() == {job_id(1): make_job(1)}


WRITES_ITS_OWN = """
import sys
from pathlib import Path
from msgspec import structs
from nommerctl.adapters.disk_cache import open_cache
from tests.builders import make_job
folder, first = Path(sys.argv[1]), int(sys.argv[2])
sys.stdin.read()
cache = open_cache(folder)
for number in range(first, first + 20):
    cache.update_job(make_job(number))
    cache.update_jobs([make_job(1, version=number), make_job(2, version=number)])
    cache.set_status(lambda status: structs.replace(status, short=status.short + 1))
cache.close()
"""


def test_four_processes_write_at_once(folder: Path) -> None:
    reader = CachedJobs(folder)
    with ExitStack() as stack:
        writers = [stack.enter_context(start(WRITES_ITS_OWN, folder, 100 * number)) for number in range(1, 5)]
        for process in writers:
            assert process.stdin
            process.stdin.close()
        while any(process.poll() is None for process in writers):
            assert_whole(reader.get_cached_jobs())

    assert [process.returncode for process in writers] == [0, 0, 0, 0]
    jobs = reader.get_cached_jobs()
    assert_whole(jobs)
    assert jobs.keys() == {job_id(n + i) for n in (100, 200, 300, 400) for i in range(20)} | {job_id(1), job_id(2)}
    assert jobs[job_id(1)].version == 419
    assert reader.status().short == 80
    assert reader.count_by_state()[JobState.PENDING] == 82
    assert set_aside_in(folder) == []


def assert_whole(jobs: dict[str, EncodingJob]) -> None:
    """What one transaction writes is seen together."""
    versions = [jobs[job_id(number)].version for number in (1, 2) if job_id(number) in jobs]
    assert versions in ([], versions[:1] * 2)


KILLED_IN_THE_MIDDLE = """
import sys
from pathlib import Path
from nommerctl.adapters.disk_cache import open_cache
from tests.builders import make_job
cache = open_cache(Path(sys.argv[1]))
cache.update_job(make_job(1))
def stay(status):
    print("ready", flush=True)
    sys.stdin.read()
cache.set_status(stay)
"""


def test_a_killed_writer_leaves_no_lock_and_no_half_of_a_change(folder: Path) -> None:
    with ready(KILLED_IN_THE_MIDDLE, folder) as process:
        process.kill()
    assert CachedJobs(folder).get_cached_jobs() == {job_id(1): make_job(1)}

    with closing(open_cache(folder, timeout=1)) as cache:
        cache.update_job(make_job(2))
        assert cache.get_cached_jobs().keys() == {job_id(1), job_id(2)}
    assert set_aside_in(folder) == []


NO_ROOM = """
import resource, sys
from pathlib import Path
from nommerctl.adapters.disk_cache import open_cache
from nommerctl.errors import NommerctlError
from tests.builders import make_job
cache = open_cache(Path(sys.argv[1]))
cache.update_job(make_job(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    cache.update_jobs(make_job(number, details="x" * int(sys.argv[2])) for number in range(2, 102))
except NommerctlError as error:
    print(error.kind, "disk I/O error" in str(error))
cache.update_job(make_job(2))
print(len(cache.get_cached_jobs()))
cache.close()
"""


@pytest.mark.parametrize("size", [100_000, 500_000])  # fits into SQLite's page cache until COMMIT, or does not
def test_a_disk_that_takes_no_more_is_not_damage(folder: Path, size: int) -> None:
    assert run(NO_ROOM, folder, size).split() == ["busy", "True", "2"]

    assert CachedJobs(folder).get_cached_jobs().keys() == {job_id(1), job_id(2)}
    assert set_aside_in(folder) == []


def test_a_full_disk_is_worth_another_try(folder: Path, cache: JobCache) -> None:
    cache.update_job(make_job(1))
    # SQLite itself answers "full" when a database would grow beyond this, as it does when the disk says so.
    full = cache._cache.connection  # noqa: SLF001 - filling a real disk takes root
    full.execute("PRAGMA max_page_count = 30")

    with pytest.raises(TryAgainError, match="full"):
        cache.update_jobs(make_job(number, details="x" * 10_000) for number in range(2, 100))

    assert cache.get_cached_jobs() == {job_id(1): make_job(1)}
    cache.update_job(make_job(2))
    assert cache.is_job_cached(job_id(2))
    assert set_aside_in(folder) == []


def test_inspecting_does_not_pay_for_diskcache() -> None:
    script = "import sys; import nommerctl.adapters.cached_jobs; print('diskcache' in sys.modules)"

    assert run(script) == "False\n"
