"""A server, and a ledger on it that nobody has written to."""

from collections.abc import Iterator

import pytest
from botocore.retries.standard import ExponentialBackoff

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.ledger import SimpledbLedger
from nommerctl.domain.config_aws import SimpledbSettings
from tests.fakes.clock import FakeClock
from tests.simpledb.server import SimpleDB, simpledb_server
from tests.simpledb_farm import clients_of_simpledb

NEW_YORK = SimpledbSettings(old_zone="America/New_York")


@pytest.fixture(scope="module")
def running() -> Iterator[SimpleDB]:
    with simpledb_server() as server:
        yield server


@pytest.fixture(scope="module")
def clients(running: SimpleDB) -> Iterator[Clients]:
    with clients_of_simpledb(running.url) as clients:
        yield clients


@pytest.fixture
def server(running: SimpleDB, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> SimpleDB:
    """It has media-nommer's domain of heartbeats alone; what botocore repeats, it repeats at once."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    running.clear()
    clients.sdb.create_domain(DomainName=NEW_YORK.heartbeat_domain)
    return running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def ledger(server: SimpleDB, clients: Clients, clock: FakeClock, pauses: list[float]) -> SimpledbLedger:
    assert server.domains == [NEW_YORK.heartbeat_domain]
    return ledger_of("films", clients, clock, pauses)


def ledger_of(farm: str, clients: Clients, clock: FakeClock, pauses: list[float]) -> SimpledbLedger:
    return SimpledbLedger(clients, farm, NEW_YORK, clock, slots=2, sleep=pauses.append)
