from collections.abc import Iterator

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from tests.fakes.clock import FakeClock
from tests.simpledb.server import SimpleDB, simpledb_server
from tests.simpledb_farm import clients_of_simpledb
from tests.simpledb_jobs import SETTINGS, OldPrograms, simpledb_farm


@pytest.fixture(scope="package")
def running() -> Iterator[tuple[SimpleDB, Clients]]:
    with simpledb_server() as server, clients_of_simpledb(server.url) as clients:
        yield server, clients


@pytest.fixture
def server(running: tuple[SimpleDB, Clients]) -> SimpleDB:
    simpledb_farm(running[0])
    return running[0]


@pytest.fixture
def clients(running: tuple[SimpleDB, Clients]) -> Clients:
    return running[1]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


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
