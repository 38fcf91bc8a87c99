"""Every adapter of a port, the fake one too, goes through the same suite; each fixture here is the list of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

import pytest
from msgspec import Struct

from nommerctl import ports
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.coded_queue import CodedQueue
from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.adapters.aws.ledger import DynamoLedger
from nommerctl.adapters.aws.outbox import Outbox
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.adapters.aws.simpledb.ledger import SimpledbLedger
from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.domain.config_aws import SimpledbSettings
from tests.adapters.aws.sqs_farm import SqsFarm, sqs_farm
from tests.dynamodb import clients_of, farm_in
from tests.fakes.clock import FakeClock
from tests.fakes.job_store import FakeJobStore
from tests.fakes.ledger import FakeLedger
from tests.fakes.queue import FakeQueue
from tests.simpledb_jobs import SETTINGS, simpledb_farm

if TYPE_CHECKING:
    from tests.simpledb.server import SimpleDB

ADAPTERS = ["fake", "sqlite"]

DYNAMODB = [pytest.param("dynamodb-moto", marks=pytest.mark.slow), "dynamodb-ministack"]

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


@pytest.fixture(scope="session")
def dynamodb_moto(moto_url: str) -> Iterator[Clients]:
    with clients_of(moto_url) as clients:
        yield clients


@pytest.fixture(scope="session")
def dynamodb_ministack(ministack_url: str) -> Iterator[Clients]:
    with clients_of(ministack_url) as clients:
        yield clients


def _job_store(request: pytest.FixtureRequest) -> Iterator[ports.JobStore]:
    if request.param == "fake":
        yield FakeJobStore()
    elif request.param == "simpledb":
        farm = simpledb_farm(request.getfixturevalue("sdb_server"))
        of_simpledb: Clients = request.getfixturevalue("sdb_clients")
        yield SimpledbJobStore(of_simpledb, farm, SETTINGS, request.getfixturevalue("clock"))
    elif request.param == "sqlite":
        yield SqliteJobStore(request.getfixturevalue("database"))
    else:
        clients: Clients = request.getfixturevalue(request.param.replace("-", "_"))
        with farm_in(clients) as farm:
            yield DynamoJobStore(clients, farm, sleep)


job_store = pytest.fixture(_job_store, params=[*ADAPTERS, *DYNAMODB, "simpledb"], name="job_store")

roomy_job_store = pytest.fixture(
    _job_store,
    params=[*ADAPTERS, *(pytest.param(name, marks=pytest.mark.slow) for name in ("dynamodb-ministack", "simpledb"))],
    name="roomy_job_store",
)
"""For a thousand jobs: moto copies all that it holds at every transaction, and takes seconds for the last of them."""


@pytest.fixture(params=[*ADAPTERS, *DYNAMODB, "simpledb"])
def ledger(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[ports.Ledger]:
    if request.param == "fake":
        yield FakeLedger(clock)
    elif request.param == "sqlite":
        yield SqliteLedger(request.getfixturevalue("database"), clock)
    elif request.param == "simpledb":
        server: SimpleDB = request.getfixturevalue("sdb_server")
        server.clear()
        clients: Clients = request.getfixturevalue("sdb_clients")
        clients.sdb.create_domain(DomainName=SimpledbSettings().heartbeat_domain)
        yield SimpledbLedger(clients, "films", SimpledbSettings(), clock, slots=2, sleep=sleep)
    else:
        clients = request.getfixturevalue(request.param.replace("-", "_"))
        with farm_in(clients) as farm:
            yield DynamoLedger(clients, farm, clock, sleep)


class Pace(Struct, frozen=True):
    """For how long a test hides a message when it wants to see it come back, and how that time is let pass."""

    visibility: float
    let_pass: Callable[[], object]


@pytest.fixture(params=[*ADAPTERS, "sqs", "sqs-coded"])
def kind_of_queue(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def queue(kind_of_queue: str, request: pytest.FixtureRequest, clock: FakeClock) -> ports.Queue:
    if kind_of_queue.startswith("sqs"):
        sqs: SqsFarm = request.getfixturevalue("sqs")
        return sqs.queue if kind_of_queue == "sqs" else CodedQueue(sqs.clients, sqs.name, sqs.urls, Outbox())
    return queue_of_ours(kind_of_queue, request, clock)


@pytest.fixture
def pace(kind_of_queue: str, clock: FakeClock) -> Pace:
    if kind_of_queue.startswith("sqs"):
        return Pace(1, lambda: sleep(1.05))  # SQS's clock is its own, and has whole seconds
    return Pace(90, lambda: clock.advance(90))


@pytest.fixture(params=ADAPTERS)
def own_queue(request: pytest.FixtureRequest, clock: FakeClock) -> ports.Queue:
    """A queue that goes by our clock, to the microsecond, and counts receives alone: SQS does neither."""
    return queue_of_ours(request.param, request, clock)


def queue_of_ours(kind: str, request: pytest.FixtureRequest, clock: FakeClock) -> ports.Queue:
    if kind == "fake":
        return FakeQueue(clock, MAX_RECEIVES)
    return SqliteQueue(request.getfixturevalue("database"), "new-jobs", clock, MAX_RECEIVES)


@pytest.fixture
def sqs(ministack_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsFarm]:
    with sqs_farm(ministack_url, tmp_path, monkeypatch, max_receives=MAX_RECEIVES) as farm:
        yield farm
