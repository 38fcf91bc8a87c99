"""Reading a SQLite database without leaving a trace, while others may be writing it.

SQLite's `mode=ro` is not enough: on a database in WAL mode that nobody has open it makes the files `-wal` and `-shm`
and leaves them behind. So a database is read in one of three ways, by what is found beside it:

- something in a `-wal`, because somebody has the database open or was killed: with `readonly_shm=1`, which takes part
  in SQLite's locking but writes nothing, and sees what a killed writer left;
- nothing in a `-wal`: as `immutable=1`, which takes no lock. What was read then counts only if the file was not written
  meanwhile, else it is read again;
- no database yet, or none with a table in it: as an empty one, in memory.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from nommerctl.adapters import os_errors
from nommerctl.adapters.sqlite_errors import ERRORS, passes_by, translated
from nommerctl.errors import TryAgainError

T = TypeVar("T")

_PAUSE = 0.002

_WAL_HEADER = 32
"""Bytes of a `-wal` file before its first frame. SQLite cannot read-only open one that ends there, but need not."""

_TICK = 0.01
"""The longest tick, in seconds, of the clock by which kernels date files (100 Hz)."""


class _LookAgainError(Exception):
    """Others opened, closed or wrote the database meanwhile; the cause, if SQLite said so, is its error."""


class _Stamp(NamedTuple):
    """What shows that a database file was replaced or written."""

    inode: int
    size: int
    written: int


def size_of(path: Path) -> int | None:
    """Return the size of a file in bytes, None if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise os_errors.translated(error, f"{path} cannot be looked at") from error


class ReadOnlyDatabase:
    """A database that is only read: no byte of it, and no file in its folder, is changed by that.

    `empty_schema` is the SQL script that makes the empty database which is read when there is none at `path`, or
    none with a table in it. `check` may raise if the database is not what it should be. `patience` is how many seconds
    it tries again for, while others lock, open, write and close the database.
    """

    def __init__(
        self,
        path: Path,
        empty_schema: str,
        *,
        check: Callable[[sqlite3.Connection], object] = lambda _: None,
        patience: float = 5.0,
    ) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._shm = path.with_name(f"{path.name}-shm")
        self._journal = path.with_name(f"{path.name}-journal")
        self._empty_schema = empty_schema
        self._check = check
        self._patience = patience

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `query` makes of a connection, on which all it asks is answered from one point in time.

        `query` may run more than once and must not keep the connection. Errors of SQLite are raised as TryAgainError
        (locked), PermissionDeniedError, or UnreachableError (damaged, and all else); others come out as they are.
        """
        try:
            return self._read_patiently(query)
        except ERRORS as error:
            raise translated(error, self._path) from error
        except _LookAgainError as error:
            msg = f"{self._path} is busy, or was left by a killed process: the next pass that writes takes it up"
            raise TryAgainError(msg) from error

    def _read_patiently(self, query: Callable[[sqlite3.Connection], T]) -> T:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._read_as_found(query)
            except _LookAgainError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE)

    def _read_as_found(self, query: Callable[[sqlite3.Connection], T]) -> T:
        size = size_of(self._path)
        if size is not None and self._has_frames():
            return self._read_shared(query)
        return self._read_immutable(query) if size else self._read_empty(query)

    def _read_empty(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.executescript(self._empty_schema)
            return query(connection)

    def _read_shared(self, query: Callable[[sqlite3.Connection], T]) -> T:
        before = self._stamp()
        with self._connection("mode=ro&readonly_shm=1") as connection:
            connection.execute("BEGIN")
            try:
                # Were the files gone by the time SQLite locks the database, it would make a -wal. They go in the last
                # moments of a writer that closes, under its lock; so they are looked for just before, without waiting.
                if not self._has_frames() or size_of(self._shm) is None:
                    raise _LookAgainError
                empty = _has_no_table(connection)
            except ERRORS as error:
                if passes_by(error, self._path):
                    raise _LookAgainError from error
                raise
            if self._stamp().inode != before.inode:
                raise _LookAgainError  # the folder was renamed meanwhile: this may be the -wal of another database
            return self._read_empty(query) if empty else self._answer(query, connection)

    def _answer(self, query: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
        self._check(connection)
        return query(connection)

    def _read_immutable(self, query: Callable[[sqlite3.Connection], T]) -> T:
        before = self._settled_stamp()
        if not self._untouched_since(before):
            raise _LookAgainError
        try:
            with self._connection("mode=ro&immutable=1") as connection:
                empty = _has_no_table(connection)
                result = self._read_empty(query) if empty else self._answer(query, connection)
        except Exception as error:
            # A file that is written while it is read may look like anything, a damaged one included.
            if not self._untouched_since(before):
                raise _LookAgainError from error
            raise
        if not self._untouched_since(before):
            raise _LookAgainError
        return result

    def _untouched_since(self, before: _Stamp) -> bool:
        return self._stamp() == before and not self._has_frames() and not size_of(self._journal)

    def _has_frames(self) -> bool:
        return (size_of(self._wal) or 0) > _WAL_HEADER

    @contextmanager
    def _connection(self, options: str) -> Iterator[sqlite3.Connection]:
        uri = f"{self._path.absolute().as_uri()}?{options}"
        with closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as connection:
            yield connection

    def _stamp(self) -> _Stamp:
        try:
            found = self._path.stat()
        except OSError as error:
            raise _LookAgainError from error
        return _Stamp(found.st_ino, found.st_size, found.st_mtime_ns)

    def _settled_stamp(self) -> _Stamp:
        """A stamp that any later write changes: the kernel dates two writes within one tick of its clock alike."""
        stamp = self._stamp()
        if time.clock_gettime_ns(time.CLOCK_REALTIME) - stamp.written <= _TICK * 1e9:
            time.sleep(_TICK)
            return self._stamp()
        return stamp


def _has_no_table(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
