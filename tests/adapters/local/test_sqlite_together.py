"""Several writes as one step: what others see of it, and what is left of it when something fails."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nommerctl.adapters.local.database import Database, rows
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.domain.job import EncodingJob
from nommerctl.errors import IllegalMoveError, TryAgainError
from tests.builders import make_job
from tests.fakes.clock import FakeClock


class Farm:
    def __init__(self, path: Path) -> None:
        self.database = Database(path / "farm.db")
        self.store = SqliteJobStore(self.database)
        self.queue = SqliteQueue(self.database, "new-jobs", FakeClock())
        self.outside = Database(path / "farm.db", busy_timeout=0.05)

    def seen(self) -> tuple[int, int]:
        """How many jobs and messages somebody else sees."""
        (counts,) = rows(self.outside, "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM messages)")
        return counts[0], counts[1]


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    made = Farm(tmp_path)
    yield made
    made.database.close()
    made.outside.close()


def refused(_: EncodingJob) -> EncodingJob:
    msg = "no"
    raise IllegalMoveError(msg)


def test_others_see_all_of_it_at_once(farm: Farm) -> None:
    job = make_job(1)

    with farm.database.together():
        farm.store.submit([job])
        farm.queue.send([job.id])
        assert farm.seen() == (0, 0)
        assert list(farm.store.get([job.id])) == [job.id], "it sees itself what it wrote"

    assert farm.seen() == (1, 1)


def test_what_raises_leaves_nothing(farm: Farm) -> None:
    def submit_and_fail() -> None:
        with farm.database.together():
            farm.store.submit([make_job(1)])
            refused(make_job(1))

    with pytest.raises(IllegalMoveError):
        submit_and_fail()

    assert farm.seen() == (0, 0)
    farm.store.submit([make_job(2)])
    assert farm.seen() == (1, 0), "and what is written afterwards is on its own again"


def test_a_step_that_is_refused_takes_back_itself_alone(farm: Farm) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM jobs")
        refused(make_job(1))

    with farm.database.together():
        farm.store.submit([make_job(1)])
        with pytest.raises(IllegalMoveError):
            farm.database.write(half)
        farm.queue.send(["x"])

    assert farm.seen() == (1, 1)


def test_another_thread_has_no_part_in_it(farm: Farm) -> None:
    said: list[str] = []

    def elsewhere() -> None:
        try:
            farm.outside.write(lambda connection: connection.execute("DELETE FROM jobs"))
        except TryAgainError as error:
            said.append(str(error))

    with farm.database.together():
        farm.store.submit([make_job(1)])
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        reading = threading.Thread(target=lambda: said.append(str(len(farm.store.get([make_job(1).id])))))
        reading.start()
        reading.join()

    assert "is locked by another process" in said[0]
    assert said[1] == "0", "a thread that uses the same database meanwhile sees what is lasting"
    assert farm.seen() == (1, 0)


def test_a_disk_that_fills_up_midway_leaves_nothing_even_if_that_is_passed_over(farm: Farm) -> None:
    def no_more_room(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def pass_over() -> None:
        with farm.database.together():
            farm.queue.send(["before"])
            farm.database.write(no_more_room)
            with suppress(TryAgainError):
                farm.store.submit([make_job(number) for number in range(500)])
            farm.queue.send(["after"])

    with pytest.raises(TryAgainError, match="full"):
        pass_over()

    assert farm.seen() == (0, 0)


def test_one_within_another_is_a_part_of_it(farm: Farm) -> None:
    with farm.database.together():
        with farm.database.together():
            farm.store.submit([make_job(1)])
        assert farm.seen() == (0, 0)
        farm.queue.send(["x"])

    assert farm.seen() == (1, 1)
