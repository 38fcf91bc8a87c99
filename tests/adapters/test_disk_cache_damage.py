"""A job cache that is damaged, or of another make: it is set aside, and a cold one begun."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import diskcache
import pytest

from nommerctl.adapters.cache_table import CacheDamagedError
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import open_cache
from tests.adapters.cache_on_disk import change_entry, make_cache, meddle, set_aside_in
from tests.adapters.processes import start
from tests.builders import job_id, make_job
from tests.fakes.clock import START


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "state" / "cache"
    make_cache(folder)
    return folder


def overwrite(folder: Path) -> None:
    (folder / "cache.db").write_bytes(b"this is no database. " * 1000)


def cut_short(folder: Path) -> None:
    os.truncate(folder / "cache.db", 10_000)


def overwrite_a_page(folder: Path) -> None:
    with (folder / "cache.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)


def overwrite_an_index(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "cache.db")) as connection:
        find = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_Settings_1'"
        (page,) = connection.execute(find).fetchone()
    with (folder / "cache.db").open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xff" * 4096)


def put_a_folder_in_its_place(folder: Path) -> None:
    (folder / "cache.db").unlink()
    (folder / "cache.db").mkdir()


def put_a_file_in_the_folders_place(folder: Path) -> None:
    (folder / "cache.db").unlink()
    folder.rmdir()
    folder.write_text("not a folder")


def put_another_programs_cache_in_its_place(folder: Path) -> None:
    (folder / "cache.db").unlink()
    with diskcache.Cache(str(folder)) as theirs:
        theirs.set("key", "value")


def make_it_of_a_later_release(folder: Path) -> None:
    meddle(folder, "PRAGMA user_version = 99")


def drop_its_table(folder: Path) -> None:
    meddle(folder, "DROP TABLE Cache")


def plant_a_trigger(folder: Path) -> None:
    meddle(folder, "CREATE TRIGGER planted AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END")


def plant_a_disk_setting(folder: Path) -> None:
    meddle(folder, "INSERT INTO Settings VALUES ('disk_compress_level', 9)")


def plant_a_pragma(folder: Path) -> None:
    meddle(folder, "INSERT INTO Settings VALUES ('sqlite_writable_schema', 1)")


def plant_an_attribute(folder: Path) -> None:
    meddle(folder, "INSERT INTO Settings VALUES ('_disk', 'planted')")


def change_a_setting(folder: Path) -> None:
    meddle(folder, "UPDATE Settings SET value = 'off' WHERE key = 'sqlite_journal_mode'")


def change_a_count(folder: Path) -> None:
    meddle(folder, "UPDATE Settings SET value = 'many' WHERE key = 'count'")


UNUSABLE = [
    overwrite,
    cut_short,
    overwrite_a_page,
    overwrite_an_index,
    put_a_folder_in_its_place,
    put_a_file_in_the_folders_place,
    put_another_programs_cache_in_its_place,
    make_it_of_a_later_release,
    drop_its_table,
    plant_a_trigger,
    plant_a_disk_setting,
    plant_a_pragma,
    plant_an_attribute,
    change_a_setting,
    change_a_count,
]


@pytest.mark.parametrize("damage", UNUSABLE)
def test_a_damaged_cache_is_set_aside_and_a_cold_one_begun(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)

    with closing(open_cache(folder)) as cache:
        assert cache.get_cached_jobs() == {}
        cache.update_job(make_job(1))
    assert len(set_aside_in(folder)) == 1

    with closing(open_cache(folder)) as again:
        assert again.get_cached_jobs() == {job_id(1): make_job(1)}
    assert len(set_aside_in(folder)) == 1


def test_an_empty_file_is_a_cold_cache_and_nothing_to_keep(folder: Path) -> None:
    os.truncate(folder / "cache.db", 0)

    assert CachedJobs(folder).get_cached_jobs() == {}
    with closing(open_cache(folder)) as cache:
        assert cache.get_cached_jobs() == {}

    assert set_aside_in(folder) == []


def test_cut_to_any_length_it_is_whole_or_damaged(folder: Path) -> None:
    database = folder / "cache.db"
    before = CachedJobs(folder).get_cached_jobs()
    damaged = 0
    for length in range(database.stat().st_size - 1, 2, -97):
        os.truncate(database, length)
        os.utime(database, (1, 1))
        try:
            assert CachedJobs(folder).get_cached_jobs() == before
        except CacheDamagedError:
            damaged += 1
    assert damaged > 100


def lose_from_an_index(folder: Path, key: str) -> None:
    """Make an entry one that stands in the table and not in the index of keys."""
    change_entry(folder, key, key="new")
    find = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE name = 'Cache_key_raw'"
    for statement in (
        f"CREATE TABLE planted AS {find}",
        "DELETE FROM sqlite_master WHERE name = 'Cache_key_raw'",
        f"UPDATE Cache SET key = '{key}' WHERE key = 'new'",  # noqa: S608 - of this test
        "INSERT INTO sqlite_master SELECT * FROM planted",
        "DROP TABLE planted",
    ):
        with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(statement)


def test_a_job_that_an_index_has_lost_is_noticed_by_the_resync(folder: Path) -> None:
    lose_from_an_index(folder, job_id(1))
    assert CachedJobs(folder).get_job(job_id(1)) is None

    with closing(open_cache(folder)) as cache, pytest.raises(CacheDamagedError, match="an index has lost an entry"):
        cache.reset([], as_of=START * 2)

    assert len(set_aside_in(folder)) == 1


def test_a_job_that_an_index_has_lost_is_not_cached_twice(folder: Path) -> None:
    lose_from_an_index(folder, job_id(1))

    with closing(open_cache(folder)) as cache:
        cache.update_job(make_job(1, version=2))
        with pytest.raises(CacheDamagedError, match="10 jobs of 11 are found"):
            cache.get_cached_jobs()


def test_only_the_last_damaged_cache_is_kept(folder: Path) -> None:
    for content in ("first", "second"):
        (folder / "cache.db").write_text(content * 1000)
        open_cache(folder).close()

    (kept,) = set_aside_in(folder)
    assert (kept / "cache.db").read_text().startswith("second")


@pytest.mark.parametrize("damage", [overwrite, cut_short, make_it_of_a_later_release, plant_a_trigger, drop_its_table])
def test_an_inspecting_verb_says_what_to_do_and_leaves_it_as_it_is(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder)
    before = (folder / "cache.db").read_bytes()

    with pytest.raises(CacheDamagedError, match="run `nommerctl refresh --rebuild`"):
        CachedJobs(folder).get_cached_jobs()

    assert [path.name for path in folder.iterdir()] == ["cache.db"]
    assert (folder / "cache.db").read_bytes() == before


OPENS = """
import sys
from pathlib import Path
from nommerctl.adapters.disk_cache import open_cache
from tests.builders import make_job
sys.stdin.read()
cache = open_cache(Path(sys.argv[1]))
cache.update_job(make_job(int(sys.argv[2])))
cache.close()
"""


def test_of_processes_that_open_a_damaged_cache_at_once_one_begins_it_anew(folder: Path) -> None:
    overwrite(folder)

    processes = [start(OPENS, folder, number) for number in range(3)]
    for process in processes:
        process.communicate(timeout=60)

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert CachedJobs(folder).get_cached_jobs().keys() == {job_id(number) for number in range(3)}
    assert len(set_aside_in(folder)) == 1
