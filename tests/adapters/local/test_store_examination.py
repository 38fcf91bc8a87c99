"""`farm.db` examined from end to end, sound and damaged."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.adapters.local.store_examination import StoreExamination
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import CheckIn, Depth, Heartbeat, Launch
from nommerctl.domain.moves import cancelled
from nommerctl.domain.outcome import Decision
from nommerctl.domain.soundness import QueueFacts, StoreFacts
from nommerctl.errors import TimeLimitError, UnreachableError
from tests.builders import job_id, make_job
from tests.fakes.clock import START, FakeClock

QUEUE = "new-jobs"


def fill(farm: Path, count: int = 100) -> None:
    """Leave a store with jobs 1 to `count`, a message for each, and a ledger with one record of each kind."""
    with closing(Database(farm)) as database:
        SqliteJobStore(database).submit([make_job(number) for number in range(1, count + 1)])
        SqliteQueue(database, QUEUE, FakeClock()).send([job_id(number) for number in range(1, count + 1)])
        ledger = SqliteLedger(database, FakeClock())
        ledger.beat(Heartbeat(node="n1", started=START, at=START, slots=1))
        ledger.check_in(CheckIn(node="n1", launched=START, at=START))
        ledger.switch(Breaker(number=1, opened=START))
        ledger.journal(Launch(token="t1", generation=0, count=1, slots=1, ordered=START, request="{}"))
        ledger.decide(Decision(at=START, launch=1, end=(), reasons=(), inputs={}))


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    fill(tmp_path / "farm.db")
    return tmp_path / "farm.db"


def examination(farm: Path) -> StoreExamination:
    return StoreExamination(farm, heed=lambda: None)


def complaints(farm: Path) -> Sequence[str]:
    return examination(farm).store().complaints


def meddle(farm: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(farm)) as connection, connection:
        assert connection.execute(statement, values).rowcount


def overwrite(farm: Path, old: bytes, new: bytes) -> None:
    data = farm.read_bytes()
    assert data.count(old) >= 1
    farm.write_bytes(data.replace(old, new, 1))


def test_a_sound_store(farm: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in [farm.parent, *farm.parent.iterdir()]}
    assert examination(farm).store() == StoreFacts(size=farm.stat().st_size, jobs=100)
    assert {path: path.stat().st_mtime_ns for path in [farm.parent, *farm.parent.iterdir()]} == before


def test_a_store_that_others_have_open_is_examined_with_what_is_in_its_log(farm: Path) -> None:
    with closing(Database(farm)) as database:
        SqliteJobStore(database).submit([make_job(101)])
        assert examination(farm).store().jobs == 101
        assert complaints(farm) == ()


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    nothing = examination(tmp_path / "farm.db")
    assert nothing.store() == StoreFacts(size=None)
    assert nothing.queue(QUEUE, START) == QueueFacts(depth=Depth())
    assert nothing.newest_change() == 0
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_told_from_none(tmp_path: Path) -> None:
    (tmp_path / "farm.db").touch()
    assert examination(tmp_path / "farm.db").store() == StoreFacts(size=0)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_store(farm: Path, kept: float) -> None:
    farm.write_bytes(farm.read_bytes()[: int(farm.stat().st_size * kept)])
    assert complaints(farm)


def test_garbage_is_no_store(farm: Path) -> None:
    farm.write_bytes(b"garbage" * 1000)
    assert complaints(farm) == ("file is not a database",)


def test_an_index_that_lost_an_entry(farm: Path) -> None:
    with closing(sqlite3.connect(farm)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages_by_turn'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(farm.read_bytes())
    at = (page - 1) * size + 4  # the lower byte of the page's number of entries
    data[at] -= 1
    farm.write_bytes(data)
    assert any("messages_by_turn" in each for each in complaints(farm))


def test_a_byte_flipped_in_a_record_is_found_by_reading_it(farm: Path) -> None:
    overwrite(farm, b'"source":"/srv/in/7.mov"', b'"source":\x02/srv/in/7.mov"')
    (complaint,) = complaints(farm)
    assert complaint.startswith(f"the record of job {job_id(7)} cannot be read: ")


def test_a_row_that_says_something_else_than_its_record(farm: Path) -> None:
    meddle(farm, "UPDATE jobs SET finished = 1 WHERE id = ?", job_id(9))
    assert complaints(farm) == (f"the record of job {job_id(9)} says something else than its row",)


@pytest.mark.parametrize("table", ["heartbeats", "launches", "decisions", "check_ins", "documents"])
def test_a_record_of_the_ledger_that_is_none(farm: Path, table: str) -> None:
    meddle(farm, f"UPDATE {table} SET body = '{{}}'")  # noqa: S608 - one of these
    (complaint,) = complaints(farm)
    assert "cannot be read: it is not as it was written" in complaint


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 99", "holds version 99"),
        ("PRAGMA application_id = 7", "is a database of another program"),
    ],
)
def test_another_database_is_not_called_damaged(farm: Path, statement: str, said: str) -> None:
    meddle(farm, statement)
    with pytest.raises(UnreachableError, match=said):
        examination(farm).store()


def test_the_queue_against_the_jobs(farm: Path) -> None:
    with closing(Database(farm)) as database:
        store, queue = SqliteJobStore(database), SqliteQueue(database, QUEUE, FakeClock(), max_receives=1)
        # five messages in work, one of them given back and so dead at the next receive, which takes another
        first, *_ = queue.receive(5, 60)
        queue.extend([first], 0)
        queue.receive(1, 60)
        # a job over, with its message there; one unknown; one waiting without a message
        store.transition(job_id(50), lambda job: cancelled(job, by="me", now=START))
        queue.send(["f" * 50])
        meddle(farm, "DELETE FROM messages WHERE body = ?", job_id(60))
    facts = examination(farm).queue(QUEUE, START)
    assert facts == QueueFacts(depth=Depth(visible=94, in_flight=5), dead=1, needless=2, unannounced=1)


def test_versions_and_the_newest_change(farm: Path) -> None:
    with closing(Database(farm)) as database:
        SqliteJobStore(database).transition(job_id(2), lambda job: cancelled(job, by="me", now=START + 10**12))
    assert examination(farm).versions([job_id(1), job_id(2), job_id(999)]) == {job_id(1): 1, job_id(2): 2}
    assert examination(farm).newest_change() == START + 10**12


def test_a_long_look_can_be_broken_off_in_the_midst_of_a_statement(farm: Path) -> None:
    fill(farm.with_name("large.db"), count=2000)
    asked: list[None] = []

    def heed() -> None:
        asked.append(None)
        if len(asked) > 1:
            raise TimeLimitError

    with pytest.raises(TimeLimitError):
        StoreExamination(farm.with_name("large.db"), heed).store()
    assert len(asked) == 3, "by SQLite twice, and once more to learn why"
