"""What an error of SQLite means to the farm: the one place where they are translated."""

import os
import sqlite3
from pathlib import Path
from typing import TypeAlias

from nommerctl.errors import NommerctlError, PermissionDeniedError, TryAgainError, UnreachableError

ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What the Python module raises: the second one when what SQLite says quotes a damaged schema that is not text."""

_Error: TypeAlias = sqlite3.Error | UnicodeDecodeError

_PRIMARY_CODE = 0xFF
"""SQLite's extended result codes hold the primary one in their lowest byte."""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

# A writer was killed in the middle of making the database, or its file was moved: the next writer puts it right.
_HALF_WRITTEN = frozenset(
    {sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY, sqlite3.SQLITE_READONLY_CANTINIT}
)

# No statement of ours breaks a constraint, unless an index knows of rows that the table has lost, nor writes anything
# that is too big.
_DAMAGED = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_TOOBIG,
    }
)


def _extended_code(error: _Error) -> int:
    """The extended result code; SQLITE_ERROR for what the Python module raises of its own accord."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)


_UNWRITTEN = frozenset(
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
"""What it says of a full disk when the space was to be for its log, or for the index of that."""


def is_busy(error: _Error) -> bool:
    """Whether another connection holds the lock that was wanted."""
    return _extended_code(error) & _PRIMARY_CODE in _BUSY


def shows_damage(error: _Error) -> bool:
    """Whether the file is not a database, or not a whole one; never true of a locked, read-only or full disk."""
    # The Python module itself, which gives no code, finds text that is not UTF-8.
    undecodable = isinstance(error, sqlite3.OperationalError) and not hasattr(error, "sqlite_errorcode")
    return undecodable or isinstance(error, UnicodeDecodeError) or _extended_code(error) & _PRIMARY_CODE in _DAMAGED


def calls_itself_read_only(error: _Error, path: Path) -> bool:
    """Whether it is the database at `path` that forbids to write it, and not the system: its header is damaged."""
    return _extended_code(error) == sqlite3.SQLITE_READONLY and not _closed(path) and not _refused(path, os.W_OK)


def passes_by(error: _Error, path: Path) -> bool:
    """Whether a reader that looks again may find the database at `path` free, or its files in their places."""
    extended = _extended_code(error)
    code = extended & _PRIMARY_CODE
    return code in _BUSY or extended in _HALF_WRITTEN or (code == sqlite3.SQLITE_CANTOPEN and not _hidden(path))


def translated(error: _Error, path: Path) -> NommerctlError:
    """Return the project's error for what SQLite said of the database at `path`; raise it `from` the original.

    TryAgainError when it is locked or the disk is full, PermissionDeniedError when it may not be read or written,
    UnreachableError for damage and everything else.
    """
    if shows_damage(error):
        remedy = "move it away, with its -wal and -shm, and restore a backup or begin anew"
        return UnreachableError(f"{path} is damaged ({error}): {remedy}")
    extended = _extended_code(error)
    code = extended & _PRIMARY_CODE
    if code in _BUSY or extended in _HALF_WRITTEN:
        return TryAgainError(f"{path} is locked by another process: {error}")
    if code == sqlite3.SQLITE_FULL or extended in _UNWRITTEN or (code == sqlite3.SQLITE_CANTOPEN and _crowded(path)):
        return TryAgainError(f"the disk that holds {path} is full, or fails: {error}")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM} or (code == sqlite3.SQLITE_CANTOPEN and _closed(path)):
        return PermissionDeniedError(f"no permission to use {path}: {error}")
    return UnreachableError(f"{path} cannot be used: {error}")


def _hidden(path: Path) -> bool:
    """Whether this user may not read the database, or a file that belongs to it.

    Asked without opening anything: closing a descriptor of a database would drop the locks that this process holds.
    """
    files = [path, Path(f"{path}-wal"), Path(f"{path}-shm")]
    return _refused(path.parent, os.X_OK) or any(_refused(file, os.R_OK) for file in files)


def _closed(path: Path) -> bool:
    """Whether this user may not read the database, or not make the files beside it that writing takes."""
    return _hidden(path) or _refused(path.parent, os.W_OK)


def _crowded(path: Path) -> bool:
    """Whether the file system has no room for another file, of which SQLite says only that it cannot be opened."""
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return False
    return found.f_files > 0 and found.f_ffree == 0


def _refused(path: Path, mode: int) -> bool:
    return os.path.lexists(path) and not os.access(path, mode)
