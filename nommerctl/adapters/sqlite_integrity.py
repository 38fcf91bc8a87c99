"""SQLite's own examination of a database, which may take long and can be broken off."""

import sqlite3
from collections.abc import Callable
from typing import Literal

from nommerctl.errors import NommerctlError

_STEPS = 10_000
"""Instructions of SQLite's machine between two questions whether to go on: well under a millisecond of work each."""

_MOST = 5
"""Complaints that are worth reading."""


def complaints(
    connection: sqlite3.Connection, examination: Literal["integrity_check", "quick_check"], heed: Callable[[], None]
) -> tuple[str, ...]:
    """Return what SQLite finds wrong with a database, each in a line; nothing if it is sound.

    `integrity_check` compares tables and indexes too. What `heed` raises meanwhile comes out; so does sqlite3.Error if
    the damage is such that it cannot go on.
    """

    def broken_off() -> bool:
        try:
            heed()
        except NommerctlError:
            return True
        return False

    connection.set_progress_handler(broken_off, _STEPS)
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA {examination}({_MOST})")]
    except sqlite3.OperationalError:
        heed()
        raise
    finally:
        connection.set_progress_handler(None, 0)
    return () if found == ["ok"] else tuple(" ".join(each.split()) for each in found)
