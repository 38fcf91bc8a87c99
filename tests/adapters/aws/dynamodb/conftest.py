"""Tables of a farm for each test, on a server that it shares with the others of its module, and the wire to it."""

from collections.abc import Iterator

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.adapters.aws.ledger import DynamoLedger
from tests.dynamodb import Wire, clients_of, farm_in, wire_to
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="module", params=[pytest.param("moto", marks=pytest.mark.slow), "ministack"])
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    """moto refuses a transaction that is repeated by its token, MiniStack takes it for done as DynamoDB does."""
    with clients_of(request.getfixturevalue(f"{request.param}_url")) as clients:
        yield clients


@pytest.fixture
def farm(clients: Clients) -> Iterator[str]:
    with farm_in(clients) as farm:
        yield farm


@pytest.fixture
def pauses() -> list[float]:
    """What store and ledger slept for, in seconds."""
    return []


@pytest.fixture
def store(clients: Clients, farm: str, pauses: list[float]) -> DynamoJobStore:
    return DynamoJobStore(clients, farm, pauses.append)


@pytest.fixture
def wire(clients: Clients) -> Iterator[Wire]:
    with wire_to(clients) as wire:
        yield wire


@pytest.fixture
def ledger(clients: Clients, farm: str, clock: FakeClock, pauses: list[float]) -> DynamoLedger:
    return DynamoLedger(clients, farm, clock, pauses.append)
