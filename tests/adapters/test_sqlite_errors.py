"""What SQLite really says, and what it means to the farm."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nommerctl.adapters.sqlite_errors import ERRORS, shows_damage, translated
from nommerctl.errors import NommerctlError, PermissionDeniedError, TryAgainError, UnreachableError


def fill_the_disk(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE full (value)")
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("INSERT INTO full VALUES (zeroblob(100000))")


def wait_for_another(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other, closing(sqlite3.connect(path, timeout=0)) as connection:
        other.execute("BEGIN IMMEDIATE")
        connection.execute("BEGIN IMMEDIATE")


def write_read_only(path: Path) -> None:
    sqlite3.connect(path).close()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("PRAGMA user_version = 7")


def read_garbage(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM sqlite_master")


def read_broken_text(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()


def read_a_broken_schema(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs (name)")
    path.write_bytes(path.read_bytes().replace(b"jobs(", b"jo\xffs(").replace(b"jobs (", b"jo\xffs "))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master")


def break_a_constraint(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs (name UNIQUE)")
        for _ in range(2):
            connection.execute("INSERT INTO jobs VALUES (1)")


def open_a_folder(path: Path) -> None:
    path.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master")


def ask_nonsense(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT nonsense")


@pytest.mark.parametrize(
    ("provoke", "meaning", "damage"),
    [
        (fill_the_disk, TryAgainError, False),
        (wait_for_another, TryAgainError, False),
        (write_read_only, PermissionDeniedError, False),
        (read_garbage, UnreachableError, True),
        (read_broken_text, UnreachableError, True),
        (read_a_broken_schema, UnreachableError, True),
        (break_a_constraint, UnreachableError, True),
        (open_a_folder, UnreachableError, False),
        (ask_nonsense, UnreachableError, False),
    ],
)
def test_meaning(
    tmp_path: Path, provoke: Callable[[Path], None], meaning: type[NommerctlError], *, damage: bool
) -> None:
    path = tmp_path / "farm.db"

    with pytest.raises(ERRORS) as caught:
        provoke(path)

    said = caught.value
    assert isinstance(said, ERRORS)
    error = translated(said, path)
    assert type(error) is meaning
    assert str(path) in str(error)
    assert shows_damage(said) is damage
