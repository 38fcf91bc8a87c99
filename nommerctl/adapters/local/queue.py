"""The queues in `farm.db`: all of them in one table, each under its name."""

import secrets
import sqlite3
from collections.abc import Sequence

from nommerctl.adapters.local.database import Database, Reading, rows
from nommerctl.domain.fleet import Depth
from nommerctl.domain.times import AHEAD, micros
from nommerctl.ports import Clock, Message

# A damaged message is received, and judged by its text, like any other: it must not keep those behind it from anybody.
_SELECT = "SELECT id, CAST(coalesce(body, '') AS BLOB), CAST(coalesce(receives, 0) AS INTEGER)"
_IN_QUEUE = "FROM messages WHERE queue = ?"
_BY_TURN = "ORDER BY visible_at, id"


class SqliteQueueReads:
    """A ports.QueueReads over anything that can be queried; its depth is exact."""

    def __init__(self, reading: Reading, name: str, clock: Clock) -> None:
        self._reading = reading
        self._name = name
        self._clock = clock

    def depth(self) -> Depth:
        """Count the messages. None is ever delayed: a message is visible when it has been sent."""
        now = self._clock()
        statement = "SELECT count(*) FROM messages WHERE queue = ? AND dead = 0"

        def query(connection: sqlite3.Connection) -> Depth:
            (visible,) = connection.execute(f"{statement} AND visible_at <= ?", (self._name, now)).fetchone()
            (hidden,) = connection.execute(f"{statement} AND visible_at > ?", (self._name, now)).fetchone()
            return Depth(visible=visible, in_flight=hidden)

        return self._reading.read(query)

    def dead(self) -> list[Message]:
        """Return the dead letters, oldest first."""
        letters = rows(self._reading, f"{_SELECT}, receipt {_IN_QUEUE} AND dead = 1 {_BY_TURN}", (self._name,))
        return [Message(body=_text(body), receipt=receipt, receives=receives) for _, body, receives, receipt in letters]

    def dead_count(self) -> int:
        """Count the dead letters, without their texts."""
        ((count,),) = rows(self._reading, f"SELECT count(*) {_IN_QUEUE} AND dead = 1", (self._name,))
        return int(count)


class SqliteQueue(SqliteQueueReads):
    """A ports.Queue. Messages come in the order in which they became visible; instants are those of `clock`."""

    def __init__(self, database: Database, name: str, clock: Clock, max_receives: int = 50) -> None:
        super().__init__(database, name, clock)
        self._database = database
        self._max_receives = max_receives

    def send(self, bodies: Sequence[str]) -> None:
        """Add a message for each body, all in one transaction."""
        added = [(self._name, body, self._clock()) for body in bodies]
        self._write_each("INSERT INTO messages (queue, body, visible_at) VALUES (?, ?, ?)", added)

    def receive(self, limit: int, visibility: float) -> list[Message]:
        """Receive up to `limit` visible messages and put those aside that were received too often."""

        def change(connection: sqlite3.Connection) -> list[Message]:
            now = self._clock()  # now that no other writer is waited for: every second of `visibility` counts
            visible = self._next_visible(connection, now, limit)
            while dying := [row_id for row_id, _, receives in visible if receives >= self._max_receives]:
                _bury(connection, dying)
                visible = self._next_visible(connection, now, limit)
            received = []
            for row_id, body, receives in visible:
                message = Message(body=_text(body), receipt=_new_receipt(), receives=receives + 1)
                hidden = micros(visibility)
                connection.execute(
                    "UPDATE messages SET visible_at = ?, hidden = ?, receipt = ?, receives = ? WHERE id = ?",
                    (now + hidden, hidden, message.receipt, message.receives, row_id),
                )
                received.append(message)
            return received

        return self._database.write(change)

    def extend(self, messages: Sequence[Message], visibility: float) -> None:
        """Hide received messages for `visibility` seconds from now; 0 gives them back at once."""

        def change(connection: sqlite3.Connection) -> None:
            hidden = micros(visibility)
            until = self._clock() + hidden
            connection.executemany(
                "UPDATE messages SET visible_at = ?, hidden = ? WHERE queue = ? AND receipt = ? AND dead = 0",
                [(until, hidden, self._name, message.receipt) for message in messages],
            )

        self._database.write(change)

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete received messages; by an old receipt, nothing."""
        deleted = [(self._name, message.receipt) for message in messages]
        self._write_each("DELETE FROM messages WHERE queue = ? AND receipt = ? AND dead = 0", deleted)

    def revive(self, messages: Sequence[Message]) -> None:
        """Put dead letters back into the queue, visible at once, with their receives counted anew."""
        revived = [(self._clock(), self._name, message.receipt) for message in messages]
        self._write_each(
            "UPDATE messages SET dead = 0, receives = 0, receipt = NULL, hidden = 0, visible_at = ?"
            " WHERE queue = ? AND receipt = ? AND dead = 1",
            revived,
        )

    def _next_visible(self, connection: sqlite3.Connection, now: int, limit: int) -> list[tuple[int, bytes, int]]:
        alive = f"{_SELECT} {_IN_QUEUE} AND dead = 0"
        visible = f"{alive} AND visible_at <= ? {_BY_TURN} LIMIT ?"
        found = connection.execute(visible, (self._name, now, limit)).fetchall()
        if len(found) < limit:
            # hidden at an instant that is still to come: the clock has gone back, and might be long in getting there
            impossible = f"{alive} AND visible_at > ? AND visible_at - hidden > ? {_BY_TURN} LIMIT ?"
            latest = now + AHEAD
            found += connection.execute(impossible, (self._name, latest, latest, limit - len(found))).fetchall()
        return found

    def _write_each(self, statement: str, values: Sequence[tuple[str | int, ...]]) -> None:
        self._database.write(lambda connection: connection.executemany(statement, values))


def _bury(connection: sqlite3.Connection, row_ids: Sequence[int]) -> None:
    """Make messages dead letters; whoever received one last can do nothing more with it."""
    buried = [(_new_receipt(), row_id) for row_id in row_ids]
    connection.executemany("UPDATE messages SET dead = 1, receipt = ? WHERE id = ?", buried)


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _new_receipt() -> str:
    return secrets.token_hex(16)
