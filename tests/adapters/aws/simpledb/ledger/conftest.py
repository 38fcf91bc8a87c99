"""A server, and a ledger on it that nobody has written to."""

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.ledger import SimpledbLedger
from nommerctl.domain.config_aws import SimpledbSettings
from tests.fakes.clock import FakeClock
from tests.simpledb.server import SimpleDB

NEW_YORK = SimpledbSettings(old_zone="America/New_York")


@pytest.fixture
def server(sdb_server: SimpleDB, clients: Clients) -> SimpleDB:
    """It has media-nommer's domain of heartbeats alone."""
    sdb_server.clear()
    clients.sdb.create_domain(DomainName=NEW_YORK.heartbeat_domain)
    return sdb_server


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def ledger(server: SimpleDB, clients: Clients, clock: FakeClock, pauses: list[float]) -> SimpledbLedger:
    assert server.domains == [NEW_YORK.heartbeat_domain]
    return ledger_of("films", clients, clock, pauses)


def ledger_of(farm: str, clients: Clients, clock: FakeClock, pauses: list[float]) -> SimpledbLedger:
    return SimpledbLedger(clients, farm, NEW_YORK, clock, slots=2, sleep=pauses.append)
