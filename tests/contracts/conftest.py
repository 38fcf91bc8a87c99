"""Every adapter of a port, the fake one too, goes through the same suite; each fixture here is the list of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nommerctl import ports
from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.adapters.local.queue import SqliteQueue
from tests.fakes.clock import FakeClock
from tests.fakes.job_store import FakeJobStore
from tests.fakes.ledger import FakeLedger
from tests.fakes.queue import FakeQueue

ADAPTERS = ["fake", "sqlite"]

MAX_RECEIVES = 3
"""Of the queues under test."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "farm.db", busy_timeout=5.0)
    yield database
    database.close()


@pytest.fixture(params=ADAPTERS)
def job_store(request: pytest.FixtureRequest) -> ports.JobStore:
    if request.param == "fake":
        return FakeJobStore()
    return SqliteJobStore(request.getfixturevalue("database"))


@pytest.fixture(params=ADAPTERS)
def ledger(request: pytest.FixtureRequest, clock: FakeClock) -> ports.Ledger:
    if request.param == "fake":
        return FakeLedger(clock)
    return SqliteLedger(request.getfixturevalue("database"), clock)


@pytest.fixture(params=ADAPTERS)
def queue(request: pytest.FixtureRequest, clock: FakeClock) -> ports.Queue:
    if request.param == "fake":
        return FakeQueue(clock, MAX_RECEIVES)
    return SqliteQueue(request.getfixturevalue("database"), "new-jobs", clock, MAX_RECEIVES)
