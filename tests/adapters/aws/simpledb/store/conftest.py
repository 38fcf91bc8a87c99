import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from tests.fakes.clock import FakeClock
from tests.simpledb.server import SimpleDB
from tests.simpledb_jobs import SETTINGS, OldPrograms, simpledb_farm


@pytest.fixture
def server(sdb_server: SimpleDB) -> SimpleDB:
    simpledb_farm(sdb_server)
    return sdb_server


@pytest.fixture
def reports() -> list[str]:
    """What the store reported."""
    return []


@pytest.fixture
def store(server: SimpleDB, clients: Clients, clock: FakeClock, reports: list[str]) -> SimpledbJobStore:
    return SimpledbJobStore(clients, simpledb_farm(server), SETTINGS, clock, reports.append)


@pytest.fixture
def other(server: SimpleDB, clients: Clients, clock: FakeClock, reports: list[str]) -> SimpledbJobStore:  # noqa: ARG001 - made after the server is empty
    """The store as another process of ours has it."""
    return SimpledbJobStore(clients, "test", SETTINGS, clock, reports.append)


@pytest.fixture
def old(server: SimpleDB) -> OldPrograms:
    return OldPrograms(server)
