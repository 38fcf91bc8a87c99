"""Records in farm.db that are not as they were written: each is named, with what to do, and keeps no other back."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.adapters.local.schema import STATEMENTS
from nommerctl.domain.fleet import Depth, Heartbeat, Launch, Spawned
from nommerctl.domain.outcome import Decision
from nommerctl.errors import UnreachableError
from tests.builders import job_id, make_job
from tests.fakes.clock import START, FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(database: Database) -> SqliteJobStore:
    return SqliteJobStore(database)


def damage(database: Database, statement: str, *values: str | bytes) -> None:
    database.write(lambda connection: connection.execute(statement, values))


@pytest.mark.parametrize("body", ["", "{", "[]", '{"id": 7}', '{"state": "NAPPING"}', b"\xff\xfe"])
def test_a_damaged_record_is_named(database: Database, store: SqliteJobStore, body: str | bytes) -> None:
    store.submit([make_job(1), make_job(2)])
    damage(database, "UPDATE jobs SET body = CAST(? AS TEXT) WHERE id = ?", body, job_id(2))

    for read in (
        lambda: store.get([job_id(2)]),
        lambda: store.find(job_id(2), limit=1),
        lambda: list(store.unfinished()),
        lambda: store.transition(job_id(2), lambda job: job),
        lambda: store.submit([make_job(2)]),
    ):
        with pytest.raises(
            UnreachableError,
            match=f"record of job {job_id(2)} in farm.db is damaged",
        ):
            read()
    assert list(store.get([job_id(1)])) == [job_id(1)]


def test_the_record_of_another_job_is_damage(database: Database, store: SqliteJobStore) -> None:
    store.submit([make_job(1), make_job(2)])
    damage(database, "UPDATE jobs SET body = (SELECT body FROM jobs WHERE id = ?) WHERE id = ?", job_id(1), job_id(2))

    with pytest.raises(UnreachableError, match=f"job {job_id(2)} in .*that of job {job_id(1)}"):
        store.get([job_id(2)])


@pytest.mark.parametrize("column", ["created", "changed"])
def test_a_job_in_a_place_that_is_not_its_own_is_damage(database: Database, store: SqliteJobStore, column: str) -> None:
    store.submit([make_job(1), make_job(2)])
    damage(database, f"UPDATE jobs SET {column} = {column} + 1 WHERE id = ?", job_id(1))  # noqa: S608 - of this test

    silent = store.silent(in_work_before=START * 2, pending_before=START * 2)
    with pytest.raises(UnreachableError, match=f"job {job_id(1)} in .*its place in jobs_"):
        list(store.unfinished() if column == "created" else silent)


def test_a_damaged_record_can_be_taken_out_as_the_sentence_says(database: Database, store: SqliteJobStore) -> None:
    store.submit([make_job(1), make_job(2)])
    damage(database, "UPDATE jobs SET body = '{}' WHERE id = ?", job_id(1))
    with pytest.raises(UnreachableError) as refusal:
        list(store.unfinished())

    damage(database, str(refusal.value).split('"')[1])

    assert [job.id for job in store.unfinished()] == [job_id(2)]


LEDGER_DAMAGE = {
    "UPDATE heartbeats SET body = '{}'": "record of the heartbeat of node node-1",
    "UPDATE heartbeats SET node = 'node-2'": "the heartbeat of node node-2 in .*that of another node",
    "UPDATE launches SET token = 'other'": "record of order other in .*that of another order",
    "UPDATE launches SET settled = 0 WHERE token = '0'": "record of order 0 in .*it is settled",
    "UPDATE decisions SET body = 7": "record of decision 1 in .*it is not as it was written",
    "UPDATE control SET value = 'many'": "generation in the ledger is damaged",
    "DELETE FROM control": "generation in the ledger is damaged",
}


@pytest.mark.parametrize("statement", LEDGER_DAMAGE)
def test_a_damaged_record_of_the_ledger_is_named(database: Database, clock: FakeClock, statement: str) -> None:
    ledger = SqliteLedger(database, clock)
    ledger.beat(Heartbeat(node="node-1", started=START, at=START, slots=1))
    ledger.journal(Launch(token="0", generation=0, count=1, slots=1, ordered=START, request="{}"))
    ledger.settle("0", Spawned(("node-1",)))
    ledger.decide(Decision(at=START, launch=0, end=(), reasons=(), inputs={}))
    damage(database, statement)

    def read_all() -> None:
        ledger.overview()
        ledger.decisions(limit=1)

    with pytest.raises(UnreachableError, match=LEDGER_DAMAGE[statement]):
        read_all()


@pytest.mark.parametrize("column", ["body", "receives"])
@pytest.mark.parametrize("value", ["NULL", "7", "1.5", "x'ff00'", "CAST(x'ff' AS TEXT)", "'many'"])
def test_a_damaged_message_keeps_no_other_from_being_received(
    tmp_path: Path, clock: FakeClock, column: str, value: str
) -> None:
    loose = [statement.replace(" NOT NULL", "") for statement in STATEMENTS]  # what damage does not ask
    with closing(sqlite3.connect(tmp_path / "farm.db", isolation_level=None)) as connection:
        for statement in loose:
            connection.execute(statement)
    with closing(Database(tmp_path / "farm.db")) as database:
        queue = SqliteQueue(database, "q", clock)
        queue.send(["damaged", "sound"])
        damage(database, f"UPDATE messages SET {column} = {value} WHERE body = 'damaged'")  # noqa: S608 - of this test

        received = queue.receive(10, visibility=90)

        assert received[-1].body == "sound"
        assert all(type(message.body) is str and type(message.receives) is int for message in received)
        queue.delete(received)
        assert queue.depth() == Depth()
