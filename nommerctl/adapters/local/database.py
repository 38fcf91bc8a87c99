"""`farm.db`: one SQLite file, shared by every process of the farm on this machine."""

import os
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nommerctl.adapters import os_errors
from nommerctl.adapters.local.schema import ADDED, APPLICATION_ID, SCHEMA_VERSION, STATEMENTS
from nommerctl.adapters.sqlite_errors import ERRORS, is_busy, translated
from nommerctl.errors import TryAgainError, UnreachableError

T = TypeVar("T")

_FILE_MODE = 0o600
_PATIENCE_OF_SQLITE = 500
"""Milliseconds that SQLite waits by itself: a signal that comes meanwhile is heard that much later."""

_PAUSE = (0.001, 0.01)
"""Seconds from one try to write to the next."""
_creating = threading.Lock()


class Reading(Protocol):
    """A database that can be queried: what the read sides of job store, queue and ledger stand on."""

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query against one consistent state of the database and return its result.

        The query may run more than once, and its connection is gone when it returns: it hands out rows, not a cursor.
        """


def rows(reading: Reading, statement: str, parameters: Sequence[str | int] = ()) -> list[Any]:
    """Return all rows, as tuples, that one SELECT finds."""
    return reading.read(lambda connection: connection.execute(statement, parameters).fetchall())


class Database:
    """A `Reading` that can also write; it may be used by several threads, and by several processes at once.

    Every transaction has a connection to itself, taken from those that are idle. A commit reaches the disk before
    it returns (`synchronous=FULL`), so what was answered survives a power cut.
    """

    def __init__(self, path: Path, busy_timeout: float = 10.0, *, keep_on: Callable[[], None] = lambda: None) -> None:
        """Open `path`, making file and tables if need be; wait up to `busy_timeout` seconds for other writers.

        They are made here and not later: UnreachableError if they have gone, or others stand in their place.
        """
        self._path = path
        self._busy_timeout = busy_timeout
        self._keep_on = keep_on
        self._idle: deque[sqlite3.Connection] = deque()
        self._own = threading.local()
        self._file: tuple[int, int] | None = None
        self.read(lambda _: None)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query against one consistent state of the database; writers do not wait for it, nor it for them."""
        own = self._joined()
        with nullcontext(own) if own else self._transaction("BEGIN") as connection:
            return query(connection)

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run `change` as the only writer, commit, and return its result; if it raises, nothing was written."""
        own = self._joined()
        with self._step(own) if own else self._transaction("BEGIN IMMEDIATE") as connection:
            return change(connection)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make one transaction of all that this thread reads and writes in here (ports.Together).

        It is committed when this is left, and if that raises nothing was written. What a single write in here raises
        takes back that write alone. Everybody else who wants to write waits meanwhile. One within another
        is a part of it.
        """
        if self._joined():
            yield
            return
        with self._transaction("BEGIN IMMEDIATE") as connection:
            self._own.transaction = connection
            try:
                yield
            finally:
                self._own.transaction = None

    def close(self) -> None:
        """Let go of the file, once no thread is at work in here; the next use opens it again."""
        while self._idle:
            self._idle.pop().close()

    def _joined(self) -> sqlite3.Connection | None:
        """The connection of this thread's own transaction, None if it has none."""
        connection: sqlite3.Connection | None = getattr(self._own, "transaction", None)
        if connection:
            self._check_goes_on(connection)
        return connection

    def _check_goes_on(self, connection: sqlite3.Connection) -> None:
        """TryAgainError if SQLite took a whole transaction back of its own accord, as it does on a full disk."""
        if not connection.in_transaction:
            msg = f"the disk that holds {self._path} is full, or fails: nothing was written"
            raise TryAgainError(msg)

    @contextmanager
    def _step(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        try:
            connection.execute("SAVEPOINT step")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK TO step")
                raise
            finally:
                if connection.in_transaction:
                    connection.execute("RELEASE step")
        except ERRORS as error:
            raise translated(error, self._path) from error

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._take()
            try:
                self._patiently(connection, begin)
                yield connection
                self._check_goes_on(connection)
                connection.commit()
            finally:
                connection.rollback()  # what was not committed; nothing after a commit
                self._idle.append(connection)
        except ERRORS as error:
            raise translated(error, self._path) from error

    def _check_file(self) -> None:
        """UnreachableError if the file is not the one that was opened: what is written there would be lost with it."""
        if self._file is not None and self._file != self._identity():
            msg = f"{self._path} was removed or replaced while it was in use: start again when the right one is there"
            raise UnreachableError(msg)

    def _identity(self) -> tuple[int, int] | None:
        """Device and inode of the file, None if there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise os_errors.translated(error, f"{self._path} cannot be looked at") from error
        return found.st_dev, found.st_ino

    def _take(self) -> sqlite3.Connection:
        self._check_file()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _open(self) -> sqlite3.Connection:
        if self._file is None:
            _create(self._path)
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self._busy_timeout,
            isolation_level=None,  # transactions begin where this module says so, and nowhere else
            check_same_thread=False,  # one thread at a time has it, but not always the same one
        )
        try:
            self._meet_schema(connection)
            self._patiently(connection, "PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")  # tokens of removed jobs do not stay in free pages
            connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_OF_SQLITE}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _meet_schema(self, connection: sqlite3.Connection) -> None:
        """Make the tables the first time; later they are there, or somebody took them away."""
        if self._file is None:
            _make_schema(connection, self._path)
            self._file = self._identity()
            return
        connection.execute("BEGIN")
        if not is_ours(connection, self._path):
            msg = (
                f"{self._path} was emptied while it was in use:"
                " move its -wal and -shm away, and restore it from a backup"
            )
            raise UnreachableError(msg)
        connection.commit()

    def _patiently(self, connection: sqlite3.Connection, statement: str) -> None:
        """Execute a statement that has to wait for others; what `keep_on` raises meanwhile comes out.

        Waits here and not in SQLite, where no signal would be heard, and where nothing waits for the change to the
        write-ahead log.
        """
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                connection.execute(statement)
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                self._keep_on()
                time.sleep(random.uniform(*_PAUSE))  # noqa: S311 - so that two that wait do not meet again
            else:
                return


def _create(path: Path) -> None:
    """Make an empty file that only its owner can read, if there is none; SQLite gives its log the same mode.

    A process that opens and closes an SQLite file by itself loses the locks of all its connections to it. So the file
    is only opened here when it is new, and no other thread comes to connect to it before it is closed again.
    """
    with _creating:
        try:
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _FILE_MODE))
        except FileExistsError:
            return  # another process was first
        except OSError as error:
            raise os_errors.translated(error, f"{path} cannot be made") from error


def _make_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables in an empty file, and those that an older release did not make.

    UnreachableError if the file holds something else.
    """
    connection.execute("BEGIN")
    made = is_ours(connection, path) and has_added(connection)
    connection.commit()
    if made:
        return
    connection.execute("BEGIN IMMEDIATE")
    for statement in ADDED if is_ours(connection, path) else STATEMENTS:  # another process may have been first
        connection.execute(statement)
    connection.commit()


def has_added(connection: sqlite3.Connection) -> bool:
    """Whether the tables that younger releases brought are there."""
    found = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name IN ('check_ins', 'documents', 'undelivered')"
    )
    return bool(found.fetchone()[0] == len(ADDED))


def is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are there; False for an empty file, UnreachableError for anything but our own schema.

    To be asked within a transaction, or the answers may be from before and after another process made the tables.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version) == (APPLICATION_ID, SCHEMA_VERSION):
        return True
    if application == APPLICATION_ID:
        msg = (
            f"{path} holds version {version} of the tables and this nommerctl knows version {SCHEMA_VERSION}:"
            " use the nommerctl that made it, or a newer one"
        )
        raise UnreachableError(msg)
    if application or version or tables:
        msg = f"{path} is a database of another program: move it away, or choose another state folder"
        raise UnreachableError(msg)
    return False
