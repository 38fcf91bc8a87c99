"""farm.db as a file: how it is made, shared and kept, and what a user is told when it cannot be used."""

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nommerctl.adapters.local.database import Database, rows
from nommerctl.adapters.local.schema import APPLICATION_ID, SCHEMA_VERSION
from nommerctl.errors import PermissionDeniedError, TryAgainError, UnreachableError

ADD_ROW = "INSERT INTO control (name, value) VALUES ('probe', 1)"
PROBES = "SELECT value FROM control WHERE name = 'probe'"
NOBODY = 65534


def add_row(connection: sqlite3.Connection) -> None:
    connection.execute(ADD_ROW)


@contextmanager
def another_writer(farm: Path) -> Iterator[sqlite3.Connection]:
    """Another process in the middle of a write."""
    with closing(sqlite3.connect(farm, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("ROLLBACK")


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Go on as somebody who has none of root's rights."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user can reach, as those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


# --- the file


def test_a_new_database_belongs_to_its_owner_alone(farm: Path, database: Database) -> None:
    database.write(add_row)

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in farm.parent.iterdir()}

    assert modes == {"farm.db": "0o600", "farm.db-wal": "0o600", "farm.db-shm": "0o600"}


def test_a_commit_waits_for_the_disk_and_readers_do_not_wait_for_it(database: Database) -> None:
    full = 2
    assert rows(database, "PRAGMA synchronous") == [(full,)]
    assert rows(database, "PRAGMA journal_mode") == [("wal",)]


def test_closing_leaves_one_file_with_everything_in_it(farm: Path, database: Database) -> None:
    database.write(add_row)

    database.close()

    assert [path.name for path in farm.parent.iterdir()] == ["farm.db"]
    assert rows(database, PROBES) == [(1,)]  # and the next use opens it again


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    farm = tmp_path / "a?mode=memory&b#c%20d ü" / "farm.db"
    farm.parent.mkdir()

    with closing(Database(farm)) as database:
        database.write(add_row)
    with closing(Database(farm)) as database:
        assert rows(database, PROBES) == [(1,)]


# --- transactions


def test_a_write_that_raises_wrote_nothing(database: Database) -> None:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute(ADD_ROW)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.write(change)

    assert rows(database, PROBES) == []
    database.write(add_row)
    assert rows(database, PROBES) == [(1,)]


def test_a_read_sees_one_state_of_the_database(database: Database) -> None:
    def query(connection: sqlite3.Connection) -> tuple[list[tuple[int]], list[tuple[int]]]:
        before = connection.execute(PROBES).fetchall()
        database.write(add_row)
        return before, connection.execute(PROBES).fetchall()

    assert database.read(query) == ([], [])
    assert rows(database, PROBES) == [(1,)]


def test_threads_share_a_database(database: Database) -> None:
    database.write(lambda connection: connection.execute("INSERT INTO control (name, value) VALUES ('count', 0)"))
    together = threading.Barrier(6)

    def count() -> None:
        together.wait()
        for _ in range(20):
            database.write(lambda connection: connection.execute("UPDATE control SET value = value + 1"))

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert rows(database, "SELECT value FROM control WHERE name = 'count'") == [(120,)]


# --- busy, full, forbidden


def test_a_writer_waits_for_another_and_then_writes(farm: Path, database: Database) -> None:
    done = threading.Event()

    def write() -> None:
        database.write(add_row)
        done.set()

    waiting = threading.Thread(target=write)
    with another_writer(farm):
        waiting.start()
        assert not done.wait(0.1)
    waiting.join()

    assert rows(database, PROBES) == [(1,)]


def test_a_database_that_stays_locked_is_busy_and_can_still_be_read(farm: Path) -> None:
    with closing(Database(farm, busy_timeout=0.2)) as database, another_writer(farm):
        began = time.monotonic()
        with pytest.raises(TryAgainError, match=r"farm\.db is locked") as raised:
            database.write(add_row)

        assert 0.2 <= time.monotonic() - began < 2
        assert isinstance(raised.value.__cause__, sqlite3.OperationalError)
        assert rows(database, PROBES) == []


def test_a_database_that_another_process_is_just_making_is_busy(farm: Path) -> None:
    with another_writer(farm), pytest.raises(TryAgainError, match=r"farm\.db is locked"):
        Database(farm, busy_timeout=0.2)


def test_a_full_disk_says_so_and_loses_nothing(database: Database) -> None:
    database.write(add_row)
    database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1"))

    with pytest.raises(TryAgainError, match="full"):
        database.write(lambda connection: connection.execute("INSERT INTO control VALUES ('big', zeroblob(1000000))"))

    assert rows(database, PROBES) == [(1,)]


def test_a_folder_that_may_not_be_written_to_is_a_matter_of_permission(public_folder: Path) -> None:
    folder = public_folder / "state"
    folder.mkdir(mode=0o555)

    with ordinary_user(), pytest.raises(PermissionDeniedError, match=r"farm\.db cannot be made: permission denied"):
        Database(folder / "farm.db")


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_file_that_may_not_be_written_is_a_matter_of_permission(public_folder: Path, mode: int) -> None:
    farm = public_folder / "farm.db"
    Database(farm).close()
    farm.chmod(mode)

    refused = pytest.raises(PermissionDeniedError, match=r"no permission to use .*farm\.db")
    with ordinary_user(), refused, closing(Database(farm)) as database:
        database.write(add_row)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"nowhere/farm\.db cannot be made"):
        Database(tmp_path / "nowhere" / "farm.db")


# --- damaged or foreign


def test_a_file_that_is_no_database_is_unreachable_and_left_alone(farm: Path) -> None:
    text = b"These are my notes, and not a database. " * 100
    farm.write_bytes(text)

    with pytest.raises(UnreachableError, match=r"farm\.db") as raised:
        Database(farm)

    assert isinstance(raised.value.__cause__, sqlite3.DatabaseError)
    assert farm.read_bytes() == text


def test_a_damaged_database_is_unreachable(farm: Path) -> None:
    with closing(Database(farm)) as database:
        database.write(add_row)
    page = 4096
    whole = farm.read_bytes()
    farm.write_bytes(whole[:page] + b"\xff" * (len(whole) - page))

    with closing(Database(farm)) as database, pytest.raises(UnreachableError, match="malformed"):
        rows(database, PROBES)


def test_the_database_of_another_program_is_left_alone(farm: Path) -> None:
    with closing(sqlite3.connect(farm)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    whole = farm.read_bytes()

    with pytest.raises(UnreachableError, match="database of another program"):
        Database(farm)

    assert farm.read_bytes() == whole


def test_the_tables_of_a_newer_nommerctl_are_left_alone(farm: Path) -> None:
    newer = SCHEMA_VERSION + 1
    with closing(sqlite3.connect(farm)) as other:
        other.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        other.execute(f"PRAGMA user_version = {newer}")

    with pytest.raises(UnreachableError, match=f"version {newer} .* knows version {SCHEMA_VERSION}: use "):
        Database(farm)


def test_no_new_file_is_made_in_the_place_of_one_that_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "farm.db"
    database = Database(path)
    database.close()
    path.unlink()
    with pytest.raises(UnreachableError, match="was removed or replaced while it was in use"):
        database.read(lambda _: None)
    assert not path.exists()


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_written_into_a_file_that_was_removed_while_it_is_open(tmp_path: Path, *, replaced: bool) -> None:
    path, other = tmp_path / "farm.db", tmp_path / "other.db"
    with closing(Database(other)), closing(Database(path)) as database:
        for file in tmp_path.glob("farm.db*"):
            file.unlink()
        if replaced:
            other.rename(path)
        with pytest.raises(UnreachableError, match="was removed or replaced while it was in use"):
            database.write(lambda connection: connection.execute("DELETE FROM jobs"))


def test_no_tables_are_made_in_a_file_that_was_emptied(tmp_path: Path) -> None:
    path = tmp_path / "farm.db"
    database = Database(path)
    database.close()
    path.write_bytes(b"")
    with pytest.raises(UnreachableError, match="was emptied while it was in use"):
        database.write(lambda _: None)
    assert path.stat().st_size == 0
