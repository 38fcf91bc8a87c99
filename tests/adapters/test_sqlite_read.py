"""Reading a database that is open elsewhere, was left by a killed process, or is not there; and no trace of it."""

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from nommerctl.adapters.sqlite_read import ReadOnlyDatabase
from nommerctl.errors import PermissionDeniedError, TryAgainError, UnreachableError
from tests.adapters.processes import ready

SCHEMA = "CREATE TABLE tally (place INTEGER PRIMARY KEY, value INTEGER, padding BLOB)"

PLACES = 200
"""Rows over so many pages that a reader who mixes two points in time sees different values."""

WRITER = """
import random, sqlite3, sys
def opened():
    connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection
def add(connection):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE tally SET value = value + 1")
    connection.execute("COMMIT")
"""

HOLDS_IT_OPEN = """
connection = opened()
add(connection)
print("ready", flush=True)
sys.stdin.read()
"""

IN_THE_MIDDLE = """
connection = opened()
connection.execute("PRAGMA cache_size = 1")
add(connection)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE tally SET value = value + 1")
print("ready", flush=True)
sys.stdin.read()
"""

OPENS_AND_CLOSES = """
print("ready", flush=True)
for _ in range(300):
    connection = opened()
    connection.execute("PRAGMA synchronous = OFF")
    for _ in range(random.randrange(4)):
        add(connection)
        if random.random() < 0.3:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
"""


def writer(path: Path, script: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """Another process that writes the database, which has said that it is ready."""
    return ready(WRITER + script, path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database that nobody has open, with every value 0, alone in its folder."""
    path = tmp_path / "folder" / "farm.db"
    path.parent.mkdir()
    make(path)
    return path


def make(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(SCHEMA)
        connection.executemany("INSERT INTO tally VALUES (?, 0, zeroblob(900))", [(place,) for place in range(PLACES)])
        connection.commit()


def values(connection: sqlite3.Connection) -> list[int]:
    return [value for (value,) in connection.execute("SELECT DISTINCT value FROM tally")]


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        file.name: (file.stat().st_mtime_ns, file.stat().st_mode, file.read_bytes() if file.is_file() else b"")
        for file in [folder, *folder.iterdir()]
    }


@contextmanager
def no_trace_in(folder: Path) -> Iterator[None]:
    before = snapshot(folder)
    yield
    assert snapshot(folder) == before


def read(path: Path) -> list[int]:
    return ReadOnlyDatabase(path, SCHEMA).read(values)


def test_a_database_that_nobody_has_open(path: Path) -> None:
    with no_trace_in(path.parent):
        assert read(path) == [0]


@pytest.mark.parametrize("left", [["-wal"], ["-shm"], ["-wal", "-shm"]])
def test_empty_files_left_beside_it(path: Path, left: list[str]) -> None:
    for suffix in left:
        Path(f"{path}{suffix}").touch()

    with no_trace_in(path.parent):
        assert read(path) == [0]


def test_a_log_that_ends_after_its_header(path: Path) -> None:
    with writer(path, HOLDS_IT_OPEN) as process:
        process.kill()
    os.truncate(f"{path}-wal", 32)

    with no_trace_in(path.parent):
        assert read(path) == [0]


def test_a_database_that_another_process_has_open(path: Path) -> None:
    with writer(path, HOLDS_IT_OPEN), no_trace_in(path.parent):
        assert read(path) == [1]


def test_a_database_that_this_process_has_open(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE tally SET value = 5")
        connection.commit()

        assert read(path) == [5]


def test_a_transaction_that_is_not_committed_is_not_seen(path: Path) -> None:
    with writer(path, IN_THE_MIDDLE), no_trace_in(path.parent):
        assert read(path) == [1]


@pytest.mark.parametrize("script", [HOLDS_IT_OPEN, IN_THE_MIDDLE])
def test_what_a_killed_writer_committed_is_seen(path: Path, script: str) -> None:
    with writer(path, script) as process:
        process.kill()

    with no_trace_in(path.parent):
        assert read(path) == [1]


def test_a_log_that_only_a_writer_can_take_up_is_worth_another_try(path: Path) -> None:
    with writer(path, HOLDS_IT_OPEN) as process:
        process.kill()
    Path(f"{path}-shm").unlink()

    with no_trace_in(path.parent), pytest.raises(TryAgainError, match="next pass that writes"):
        ReadOnlyDatabase(path, SCHEMA, patience=0.1).read(values)

    with closing(sqlite3.connect(path)) as connection:
        assert values(connection) == [1]
    assert read(path) == [1]


def test_no_answer_mixes_two_points_in_time_while_a_writer_comes_and_goes(path: Path) -> None:
    database = ReadOnlyDatabase(path, SCHEMA)
    last, answers = 0, 0

    with writer(path, OPENS_AND_CLOSES) as process:
        while process.poll() is None:
            (value,) = database.read(values)
            assert value >= last
            last, answers = value, answers + 1

    with closing(sqlite3.connect(path)) as connection:
        assert database.read(values) == values(connection)
    assert answers > 10
    assert last > 0


def test_all_that_a_query_asks_is_from_one_point_in_time(path: Path) -> None:
    def twice(connection: sqlite3.Connection) -> tuple[list[int], list[int]]:
        before = values(connection)
        writing.execute("UPDATE tally SET value = value + 1")
        return before, values(connection)

    with closing(sqlite3.connect(path, isolation_level=None)) as writing:
        writing.execute("UPDATE tally SET value = 1")

        assert ReadOnlyDatabase(path, SCHEMA).read(twice) == ([1], [1])


def test_a_file_that_was_written_meanwhile_is_read_again(path: Path) -> None:
    asked = []

    def meddled_with(connection: sqlite3.Connection) -> list[int]:
        asked.append(values(connection))
        if len(asked) == 1:
            with closing(sqlite3.connect(path)) as writing:
                writing.execute("UPDATE tally SET value = 1")
                writing.commit()
            msg = "a file that is written while it is read may look like anything"
            raise ValueError(msg)
        return asked[-1]

    assert ReadOnlyDatabase(path, SCHEMA).read(meddled_with) == [1]
    assert asked == [[0], [1]]


def test_two_writes_within_one_tick_of_the_kernels_clock_are_told_apart(path: Path) -> None:
    def write(value: int) -> None:
        with closing(sqlite3.connect(path)) as writing:
            writing.execute("PRAGMA synchronous = OFF")
            writing.execute("UPDATE tally SET value = ?", (value,))
            writing.commit()

    def overtaken(connection: sqlite3.Connection) -> list[int]:
        found = values(connection)
        while due:
            write(due.pop())
        return found

    due: list[int] = []
    for _ in range(10):
        write(1)
        due.append(2)
        assert ReadOnlyDatabase(path, SCHEMA).read(overtaken) == [2]


def test_an_error_of_the_query_itself_comes_out(path: Path) -> None:
    def fail(_: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    with no_trace_in(path.parent), pytest.raises(ZeroDivisionError):
        ReadOnlyDatabase(path, SCHEMA).read(fail)


def test_a_query_cannot_write(path: Path) -> None:
    def write(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM tally")

    with no_trace_in(path.parent), pytest.raises(PermissionDeniedError):
        ReadOnlyDatabase(path, SCHEMA).read(write)
    with writer(path, HOLDS_IT_OPEN), no_trace_in(path.parent), pytest.raises(PermissionDeniedError):
        ReadOnlyDatabase(path, SCHEMA).read(write)


def test_a_missing_file_reads_as_an_empty_database(tmp_path: Path) -> None:
    with no_trace_in(tmp_path):
        assert read(tmp_path / "farm.db") == []
        assert read(tmp_path / "no such folder" / "farm.db") == []


def test_a_log_without_its_database_reads_as_an_empty_database(path: Path) -> None:
    with writer(path, HOLDS_IT_OPEN) as process:
        process.kill()
    path.unlink()

    with no_trace_in(path.parent):
        assert read(path) == []


def test_a_file_in_which_nothing_was_made_yet_reads_as_an_empty_database(tmp_path: Path) -> None:
    begun = tmp_path / "begun.db"
    with closing(sqlite3.connect(begun)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        assert begun.stat().st_size > 0
        assert read(begun) == []
    (tmp_path / "none.db").touch()

    with no_trace_in(tmp_path):
        assert read(begun) == []
        assert read(tmp_path / "none.db") == []


@pytest.mark.parametrize(
    "name", ["a b.db", "50%41.db", "what?mode=rw.db", "#1.db", "größe.db", "\udcff.db", "a&b=c.db"]
)
def test_odd_names(tmp_path: Path, name: str) -> None:
    folder = tmp_path / f"in {name}"
    folder.mkdir()
    make(folder / name)

    with no_trace_in(folder):
        assert read(folder / name) == [0]
    with writer(folder / name, HOLDS_IT_OPEN), no_trace_in(folder):
        assert read(folder / name) == [1]


def test_a_relative_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)

    assert read(Path("farm.db")) == [0]


def lock_exclusively(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("UPDATE tally SET value = 1")
    return connection


def test_a_locked_database_is_worth_another_try(path: Path) -> None:
    with closing(lock_exclusively(path)):
        begun = time.monotonic()

        with pytest.raises(TryAgainError, match="busy"):
            ReadOnlyDatabase(path, SCHEMA, patience=0.2).read(values)

    assert 0.2 <= time.monotonic() - begun < 3


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    path.write_text("this is no database. " * 1000)


def make_folder_of(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [cut_short, overwrite, make_folder_of])
def test_a_damaged_database_is_an_error_that_names_it(path: Path, damage: Callable[[Path], None]) -> None:
    damage(path)

    with no_trace_in(path.parent), pytest.raises(UnreachableError, match=r"farm\.db") as caught:
        read(path)

    assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_a_part_of_the_path_that_is_no_folder_is_an_error_that_names_it(path: Path) -> None:
    with pytest.raises(UnreachableError, match="no-folder"):
        read(path / "no-folder")
