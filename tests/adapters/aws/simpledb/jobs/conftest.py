"""A server, and an empty deployment of media-nommer on it that a farm of ours takes over."""

from collections.abc import Iterator

import pytest
from botocore.retries.standard import ExponentialBackoff

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from tests.adapters.aws.simpledb.jobs.deployment import Deployment
from tests.fakes.clock import FakeClock
from tests.simpledb.server import SimpleDB, simpledb_server
from tests.simpledb_farm import clients_of_simpledb
from tests.simpledb_jobs import OURS, simpledb_farm


@pytest.fixture(scope="package")
def running() -> Iterator[SimpleDB]:
    with simpledb_server() as server:
        yield server


@pytest.fixture(scope="package")
def clients(running: SimpleDB) -> Iterator[Clients]:
    with clients_of_simpledb(running.url) as clients:
        assert clients.sqs.meta.endpoint_url == running.url  # made now
        yield clients


@pytest.fixture
def server(running: SimpleDB, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> SimpleDB:
    """It has both domains, which are empty; what botocore repeats, it repeats at once."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    simpledb_farm(running)
    clients.sdb.create_domain(DomainName=OURS)
    return running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def deployment(server: SimpleDB, clients: Clients, clock: FakeClock) -> Deployment:
    return Deployment(server, clients, clock)


@pytest.fixture
def store(deployment: Deployment) -> SimpledbJobStore:
    return deployment.store()
