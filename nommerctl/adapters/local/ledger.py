"""The ledger in `farm.db`: heartbeats, launches, the generation and what scale decided."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec
from msgspec import Struct, structs

from nommerctl.adapters.local.database import Database, Reading, has_added, rows
from nommerctl.adapters.local.ledger_rows import (
    BREAKER,
    NODE_SETTINGS,
    Text,
    beat_in,
    breaker_in,
    check_in_in,
    decision_in,
    launch_in,
    node_settings_in,
)
from nommerctl.adapters.local.records import LAUNCHES
from nommerctl.adapters.seal import sealed
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import REFUSED_FOR, CheckIn, Heartbeat, Launch, NodeId, Pool, Refusal, Spawned
from nommerctl.domain.keeping import CHECK_INS_SHOWN, DECISIONS_KEPT, LAUNCHES_SHOWN
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import ConflictError, UnreachableError
from nommerctl.ports import Clock

_REFUSALS = micros(REFUSED_FOR)

_BEATS = "SELECT node, CAST(body AS BLOB) FROM heartbeats"
_LAUNCHES = "SELECT token, CAST(body AS BLOB) FROM launches"
_SETTLED_LAUNCHES = f"{_LAUNCHES} WHERE settled = 1 AND ordered >= ?"
_CHECK_INS = "SELECT node, CAST(body AS BLOB) FROM check_ins WHERE at >= ?"
_DOCUMENTS = "SELECT name, CAST(body AS BLOB) FROM documents"
_LAST_DECISIONS = "SELECT id, CAST(body AS BLOB) FROM decisions ORDER BY at DESC, id DESC LIMIT ?"

_CONTROLLER = "controller "
"""What the name of the sign of life begins with; its instant follows, which the value repeats, so that damage shows."""

_REFUSED = "refused "
"""What the name of a refusal in the table `control` begins with; the JSON of its pool follows."""


class SqliteLedgerReads:
    """A ports.LedgerReads over anything that can be queried."""

    def __init__(self, reading: Reading, clock: Clock) -> None:
        self._reading = reading
        self._clock = clock

    def overview(self) -> Overview:
        """Return all that the ledger knows of the farm but for its older decisions, as it stood at one instant."""
        now = self._clock()
        found = self._reading.read(lambda connection: _looked_over(connection, now))
        launches = [launch_in(token, body) for token, body in found.settled]
        if found.unsettled is not None:
            launches.append(found.unsettled)
        return Overview(
            generation=found.control["generation"],
            heartbeats={node: beat_in(node, body) for node, body in found.beats},
            check_ins={node: check_in_in(node, body) for node, body in found.check_ins},
            breaker=breaker_in(found.documents),
            launches=tuple(sorted(launches, key=lambda launch: launch.ordered)),
            refusals=tuple(sorted(_refusals(found.control), key=lambda refusal: (refusal.at, refusal.pool))),
            decision=next((decision_in(number, body) for number, body in found.decisions), None),
            controller_seen=_sign(found.control),
            node_settings=node_settings_in(found.documents),
        )

    def decisions(self, limit: int) -> list[Decision]:
        """Return the last decisions, newest first."""
        return [decision_in(number, body) for number, body in rows(self._reading, _LAST_DECISIONS, (limit,))]


class SqliteLedger(SqliteLedgerReads):
    """A ports.Ledger. What is older than its reads show is deleted when the next of its kind is written."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self._database = database

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write a node's heartbeat over its last one."""
        self._database.write(lambda connection: _write_beat(connection, heartbeat))

    def mark(self, node: NodeId, at: Instant) -> None:
        """Note that a node was found silent at `at`, unless it is already marked."""

        def change(connection: sqlite3.Connection) -> None:
            row = connection.execute(f"{_BEATS} WHERE node = ?", (node,)).fetchone()
            beat = beat_in(*row) if row else Heartbeat(node=node, started=0, at=0, slots=0)
            if beat.marked is None:
                _write_beat(connection, structs.replace(beat, marked=at))

        self._database.write(change)

    def forget(self, node: NodeId) -> None:
        """Drop a node's heartbeat; no error if it has none."""
        self._database.write(lambda connection: connection.execute("DELETE FROM heartbeats WHERE node = ?", (node,)))

    def check_in(self, check_in: CheckIn) -> None:
        """Keep what a node leaves with its first heartbeat."""

        def change(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM check_ins WHERE at < ?", (check_in.at - micros(CHECK_INS_SHOWN),))
            row = check_in.node, check_in.at, sealed(check_in)
            connection.execute("REPLACE INTO check_ins (node, at, body) VALUES (?, ?, ?)", row)

        self._database.write(change)

    def journal(self, launch: Launch) -> None:
        """Write an order before it is given; ConflictError if somebody else decided at the same time."""
        now = self._clock()

        def change(connection: sqlite3.Connection) -> None:
            generation = _generation(connection)
            if launch.generation != generation:
                msg = (
                    f"order {launch.token} is for generation {launch.generation} of the farm, which is at {generation}"
                )
                raise ConflictError(msg)
            standing = _unsettled(connection)
            if standing is not None and standing.token == launch.token:
                return
            if standing is not None:
                msg = f"order {launch.token} must wait: the answer to order {standing.token} is not known yet"
                raise ConflictError(msg)
            connection.execute(
                "DELETE FROM launches WHERE settled = 1 AND ordered < ?", (now - micros(LAUNCHES_SHOWN),)
            )
            _write_launch(connection, launch)

        self._database.write(change)

    def repeat(self, token: str) -> None:
        """Note that an order is going to be given again; ConflictError if it is not unsettled any more."""

        def change(connection: sqlite3.Connection) -> None:
            launch = _unsettled(connection)
            if launch is None or launch.token != token:
                msg = f"order {token} has been settled already"
                raise ConflictError(msg)
            _write_launch(connection, structs.replace(launch, repeated=True))

        self._database.write(change)

    def settle(self, token: str, spawned: Spawned) -> None:
        """Note what came of an order and raise the generation; nothing if it is not the unsettled one."""
        now = self._clock()

        def change(connection: sqlite3.Connection) -> None:
            launch = _unsettled(connection)
            if launch is None or launch.token != token:
                return
            repeated = launch.repeated and not spawned.certain
            settled = structs.replace(launch, settled=True, repeated=repeated, answered=now, nodes=spawned.nodes)
            _write_launch(connection, settled)
            connection.execute("UPDATE control SET value = value + 1 WHERE name = 'generation'")
            connection.execute("DELETE FROM control WHERE name LIKE ? AND value < ?", (f"{_REFUSED}%", now - _REFUSALS))
            for pool in spawned.refused:
                _write_control(connection, _REFUSED + msgspec.json.encode(pool).decode(), now)

        self._database.write(change)

    def switch(self, breaker: Breaker) -> None:
        """Write the breaker's row; ConflictError if it has been switched since."""

        def change(connection: sqlite3.Connection) -> None:
            standing = breaker_in(dict(connection.execute(_DOCUMENTS).fetchall()))
            if breaker not in {standing, structs.replace(breaker, number=standing.number + 1)}:
                msg = "the breaker has been switched meanwhile"
                raise ConflictError(msg)
            _write_document(connection, BREAKER, breaker)

        self._database.write(change)

    def publish(self, text: str) -> None:
        """Write the settings that nodes read."""
        self._database.write(lambda connection: _write_document(connection, NODE_SETTINGS, Text(text)))

    def sign(self, at: Instant) -> None:
        """Leave the controller's sign of life."""
        self._database.write(lambda connection: _write_sign(connection, at))

    def decide(self, decision: Decision) -> None:
        """Keep a decision, and drop those that are a week older."""

        def change(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM decisions WHERE at < ?", (decision.at - micros(DECISIONS_KEPT),))
            connection.execute("INSERT INTO decisions (at, body) VALUES (?, ?)", (decision.at, sealed(decision)))
            _write_sign(connection, decision.at)

        self._database.write(change)


class _Rows(NamedTuple):
    """What an overview is made of, as it stands in the tables."""

    control: dict[str, int]
    beats: list[tuple[str, object]]
    settled: list[tuple[str, object]]
    unsettled: Launch | None
    decisions: list[tuple[int, object]]
    check_ins: list[tuple[str, object]]
    documents: dict[str, object]


def _looked_over(connection: sqlite3.Connection, now: Instant) -> _Rows:
    control = connection.execute("SELECT name, value FROM control").fetchall()
    added = has_added(connection)
    return _Rows(
        control={
            **{str(name): value for name, value in control if type(value) is int},
            "generation": _generation(connection),
        },
        beats=connection.execute(_BEATS).fetchall(),
        settled=connection.execute(_SETTLED_LAUNCHES, (now - micros(LAUNCHES_SHOWN),)).fetchall(),
        unsettled=_unsettled(connection),
        decisions=connection.execute(_LAST_DECISIONS, (1,)).fetchall(),
        check_ins=connection.execute(_CHECK_INS, (now - micros(CHECK_INS_SHOWN),)).fetchall() if added else [],
        documents=dict(connection.execute(_DOCUMENTS).fetchall()) if added else {},
    )


def _refusals(control: Mapping[str, int]) -> Iterator[Refusal]:
    """What the refusals in the table say; one that cannot be read is forgotten: it is a hint, for three minutes."""
    for name, at in control.items():
        if name.startswith(_REFUSED):
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                yield Refusal(msgspec.json.decode(name.removeprefix(_REFUSED), type=Pool), at)


def _write_sign(connection: sqlite3.Connection, at: Instant) -> None:
    connection.execute("DELETE FROM control WHERE name LIKE ?", (f"{_CONTROLLER}%",))
    _write_control(connection, f"{_CONTROLLER}{at}", at)


def _sign(control: Mapping[str, int]) -> Instant | None:
    """The sign of life in the table; a damaged one is none: it is a hint."""
    return next((at for name, at in control.items() if name == f"{_CONTROLLER}{at}"), None)


def _write_control(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute("REPLACE INTO control (name, value) VALUES (?, ?)", (name, value))


def _generation(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT value FROM control WHERE name = 'generation'").fetchone()
    if row is None or type(row[0]) is not int:
        msg = "the generation in the ledger is damaged: restore farm.db from a backup"
        raise UnreachableError(msg)
    return row[0]


def _unsettled(connection: sqlite3.Connection) -> Launch | None:
    row = connection.execute(f"{_LAUNCHES} WHERE settled = 0").fetchone()
    launch = launch_in(*row) if row else None
    if launch and launch.settled:
        raise LAUNCHES.damaged(launch.token, "it is settled, and stands among those that are not")
    return launch


def _write_beat(connection: sqlite3.Connection, beat: Heartbeat) -> None:
    connection.execute("REPLACE INTO heartbeats (node, body) VALUES (?, ?)", (beat.node, sealed(beat)))


def _write_launch(connection: sqlite3.Connection, launch: Launch) -> None:
    connection.execute(
        "REPLACE INTO launches (token, ordered, settled, body) VALUES (?, ?, ?, ?)",
        (launch.token, launch.ordered, launch.settled, sealed(launch)),
    )


def _write_document(connection: sqlite3.Connection, name: str, record: Struct) -> None:
    connection.execute("REPLACE INTO documents (name, body) VALUES (?, ?)", (name, sealed(record)))
