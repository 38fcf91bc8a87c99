"""The list of those whose listener was given up, beside what older releases know of."""

import sqlite3
from contextlib import closing
from pathlib import Path

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobReads, SqliteJobStore
from nommerctl.adapters.local.schema import EMPTY_SCHEMA
from nommerctl.adapters.local.store_examination import StoreExamination
from nommerctl.adapters.sqlite_read import ReadOnlyDatabase
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.moves import submitted, untaken
from tests.builders import make_job
from tests.fakes.clock import START


def given_up(number: int) -> EncodingJob:
    job = submitted(make_job(number, notify_url="http://listener.example/"), by="test")
    return untaken(job, seq=1, error="answered 410", now=START, gone=True)


def execute(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_database_of_an_older_release_has_none_until_somebody_writes(tmp_path: Path) -> None:
    file = tmp_path / "farm.db"
    database = Database(file)
    SqliteJobStore(database).submit([submitted(make_job(1), by="test")])
    database.close()
    execute(file, "DROP TABLE undelivered")

    assert list(SqliteJobReads(ReadOnlyDatabase(file, EMPTY_SCHEMA)).undelivered()) == []
    store = SqliteJobStore(Database(file))
    (job,) = store.submit([given_up(2)])
    assert list(store.undelivered()) == [job]


def test_a_job_that_an_older_release_has_changed_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "farm.db"
    store = SqliteJobStore(Database(file))
    store.submit([given_up(1), submitted(make_job(2), by="test")])
    execute(file, f"INSERT INTO undelivered VALUES (0, '{make_job(2).id}')")  # noqa: S608 - hexadecimal digits

    assert [job.id for job in store.undelivered()] == [make_job(1).id]


def test_doctor_finds_a_job_that_is_missing_in_the_list(tmp_path: Path) -> None:
    file = tmp_path / "farm.db"
    SqliteJobStore(Database(file)).submit([given_up(1)])
    examination = StoreExamination(file, lambda: None)
    assert examination.store().complaints == ()

    execute(file, "DELETE FROM undelivered")

    assert examination.store().complaints == (
        f"job {make_job(1).id} is not listed among those whose listener was given up",
    )
