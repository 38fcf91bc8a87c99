"""What holds for every test: a home of its own, no settings from outside, no way to a real AWS account."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.retries.standard import ExponentialBackoff
from hypothesis import settings

from nommerctl.adapters.aws.clients import Clients
from tests import aws_servers
from tests.aws_farm import AwsFarm, aws_farm
from tests.cli import Cli, InProcessCli
from tests.clips import Clips
from tests.cloud import Cloud
from tests.cloud import cloud as serving_cloud
from tests.simpledb.server import SimpleDB, simpledb_server
from tests.simpledb_farm import SimpledbFarm, clients_of_simpledb, simpledb_farm

pytest.register_assert_rewrite("tests.end_to_end.aws_yard")

settings.register_profile("nommerctl", deadline=None)  # a loaded machine is no failure
settings.load_profile("nommerctl")

CLOSED_PORT = "http://127.0.0.1:9"
"""Nobody listens there: a call that escapes to AWS fails at once, and loudly."""


@pytest.fixture(autouse=True)
def _apart(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("NOMMERCTL_", "AWS_", "XDG_"))]:
        monkeypatch.delenv(name)
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_ENDPOINT_URL", CLOSED_PORT)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Clips:
    """Tiny real clips, in a folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    return Clips(shared / "clips")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that any user can reach, as pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="nommerctl-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """The command line, on a farm of its own whose workers are ended afterwards."""
    farm = Cli(tmp_path / "state", cwd=tmp_path, executable=(sys.executable, "-m", "nommerctl"))
    yield farm
    farm.end_workers()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[InProcessCli]:
    """The command line in this process, on a farm of its own."""
    farm = InProcessCli(tmp_path / "state", cwd=tmp_path, executable=(sys.executable, "-m", "nommerctl"))
    yield farm
    farm.end_workers()


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The URL of a moto server: EC2, DynamoDB, S3."""
    with aws_servers.moto() as url:
        yield url


@pytest.fixture(scope="session")
def ministack_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a MiniStack server: SQS, DynamoDB."""
    try:
        with aws_servers.ministack(tmp_path_factory.mktemp("ministack")) as url:
            yield url
    except aws_servers.NoServerError as error:
        aws_servers.skipped_unless_in_ci(error)


@pytest.fixture
def aws_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and a region, as the usual chain finds them."""
    for name, value in aws_servers.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def cloud(moto_url: str, ministack_url: str) -> Iterator[Cloud]:
    """All services of AWS at one address, on which faults can be had."""
    with serving_cloud(ministack_url, moto_url) as made:
        yield made


@pytest.fixture(scope="session")
def cloud_clients(cloud: Cloud) -> Iterator[Clients]:
    """Clients of it for the tests themselves: making them takes longer than most calls."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (aws_servers.CREDENTIALS | {"AWS_ENDPOINT_URL": cloud.url}).items():
            patch.setenv(name, value)
        clients = Clients()
        assert {each.meta.endpoint_url for each in (clients.dynamodb, clients.sqs, clients.ec2, clients.s3())} == {
            cloud.url
        }
    yield clients
    clients.close()


@pytest.fixture(scope="session")
def aws_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where farms on AWS find the copy of AWS's models that another one has made."""
    return tmp_path_factory.mktemp("aws") / "models"


@pytest.fixture
def aws(
    cloud: Cloud,
    cloud_clients: Clients,
    aws_models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[AwsFarm]:
    """The command line, on a farm of its own on AWS. What botocore repeats in this process, it repeats at once."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    given = {"AWS_ENDPOINT_URL": cloud.url, "AWS_EC2_METADATA_DISABLED": "true"}
    for name, value in (aws_servers.CREDENTIALS | given).items():
        monkeypatch.setenv(name, value)
    with aws_farm(cloud, cloud_clients, tmp_path, aws_models) as farm:
        yield farm


@pytest.fixture(scope="session")
def sdb_server() -> Iterator[SimpleDB]:
    """A SimpleDB server, for a test that clears it first."""
    with simpledb_server() as server:
        yield server


@pytest.fixture(scope="session")
def sdb_clients(sdb_server: SimpleDB) -> Iterator[Clients]:
    """Clients of it."""
    with clients_of_simpledb(sdb_server.url) as clients:
        yield clients


@pytest.fixture
def taken_over(
    *,
    cloud: Cloud,
    cloud_clients: Clients,
    sdb_server: SimpleDB,
    sdb_clients: Clients,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SimpledbFarm]:
    """The command line, on a farm of its own that goes on with what media-nommer left."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    given = {
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_ENDPOINT_URL_SIMPLEDB": sdb_server.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in (aws_servers.CREDENTIALS | given).items():
        monkeypatch.setenv(name, value)
    with simpledb_farm(cloud, sdb_server, cloud_clients, sdb_clients, tmp_path) as farm:
        yield farm
