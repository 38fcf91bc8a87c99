"""A job cache's folder from outside: what was set aside beside it, and how to meddle with it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec import structs

from nommerctl.adapters.disk_cache import open_cache
from tests.builders import make_job
from tests.fakes.clock import START


def make_cache(folder: Path) -> None:
    """Leave a sound cache of ten jobs there, closed."""
    with closing(open_cache(folder)) as cache:
        cache.update_jobs([make_job(number, version=1) for number in range(1, 11)])
        cache.set_status(lambda status: structs.replace(status, refreshed=START))


def set_aside_in(folder: Path) -> list[Path]:
    """The damaged caches that are kept beside the folder."""
    return list(folder.parent.glob(f"{folder.name}.damaged-*"))


def meddle(folder: Path, statement: str) -> None:
    """Change the cache's database by SQL."""
    with closing(sqlite3.connect(folder / "cache.db")) as connection:
        connection.execute(statement)
        connection.commit()


def change_entry(folder: Path, key: str, /, **columns: object) -> None:
    """Change columns of one entry in the cache's table."""
    with closing(sqlite3.connect(folder / "cache.db")) as connection:
        for column, value in columns.items():
            changed = connection.execute(f"UPDATE Cache SET {column} = ? WHERE key = ?", (value, key))  # noqa: S608 - ours
            assert changed.rowcount == 1
        connection.commit()
