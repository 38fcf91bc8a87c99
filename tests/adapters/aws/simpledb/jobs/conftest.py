"""A server, and an empty deployment of media-nommer on it that a farm of ours takes over."""

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from tests.adapters.aws.simpledb.jobs.deployment import Deployment
from tests.fakes.clock import FakeClock
from tests.simpledb.server import SimpleDB
from tests.simpledb_jobs import OURS, simpledb_farm


@pytest.fixture
def server(sdb_server: SimpleDB, clients: Clients) -> SimpleDB:
    """It has both domains, which are empty."""
    simpledb_farm(sdb_server)
    clients.sdb.create_domain(DomainName=OURS)
    return sdb_server


@pytest.fixture
def deployment(server: SimpleDB, clients: Clients, clock: FakeClock) -> Deployment:
    return Deployment(server, clients, clock)


@pytest.fixture
def store(deployment: Deployment) -> SimpledbJobStore:
    return deployment.store()
