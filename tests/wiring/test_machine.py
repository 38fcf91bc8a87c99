"""What a worker learns of its machine, and how that is shut down."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from nommerctl.domain.config_aws import AwsSettings, Market
from nommerctl.errors import UnreachableError
from nommerctl.wiring import machine, process
from nommerctl.wiring.farm import Farm, Invocation, load
from nommerctl.wiring.machine import DISABLED_VARIABLE, ENDPOINT_VARIABLE, Machine, this_machine
from nommerctl.wiring.working import node_name
from tests import metadata
from tests.cli import InProcessCli
from tests.conftest import CLOSED_PORT
from tests.metadata import GIVES_TOKENS, INSTANCE, Metadata


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    with metadata.serving() as running:
        monkeypatch.setenv(ENDPOINT_VARIABLE, running.url)
        yield running


def farm(backend: str, folder: Path) -> Farm:
    return Farm(load(Invocation(backend=backend, state_dir=str(folder))))


def bought_as(service: Metadata, life_cycle: bytes) -> None:
    service.answers["/latest/meta-data/instance-life-cycle"] = (200, life_cycle)


# --- who it is


@pytest.mark.usefixtures("service")
def test_a_node_of_a_farm_on_aws_goes_by_the_id_of_its_instance(tmp_path: Path) -> None:
    farm_on_aws = farm("aws", tmp_path)
    assert node_name(farm_on_aws, this_machine(farm_on_aws)) == INSTANCE
    assert node_name(farm_on_aws, Machine()).endswith("-hand")


@pytest.mark.usefixtures("service")
def test_a_node_of_a_local_farm_does_not_wherever_it_runs(tmp_path: Path) -> None:
    local = farm("local", tmp_path)
    assert node_name(local, this_machine(local)).endswith("-hand")


def test_a_local_farm_asks_no_metadata_service(
    service: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nommerctl.adapters.aws.imds.ENDPOINT", service.url)
    monkeypatch.delenv(ENDPOINT_VARIABLE)
    assert this_machine(farm("local", tmp_path)) == Machine()
    assert service.asked == []
    assert this_machine(farm("aws", tmp_path)).identity is not None, "as one on AWS does without being told"


def test_nor_does_one_for_which_a_variable_forbids_it(
    service: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(DISABLED_VARIABLE, "True")
    assert this_machine(farm("aws", tmp_path)) == Machine()
    assert service.asked == []


@pytest.mark.parametrize(("life_cycle", "watched"), [(b"spot", True), (b"on-demand", False)])
def test_only_a_spot_instance_is_watched_for_notices(
    service: Metadata, tmp_path: Path, *, life_cycle: bytes, watched: bool
) -> None:
    bought_as(service, life_cycle)
    assert (this_machine(farm("aws", tmp_path)).notices is not None) is watched


@pytest.mark.parametrize(
    ("life_cycle", "market", "leaves"),
    [
        (b"spot", Market.SPOT_FIRST, True),
        (b"spot", Market.SPOT, False),
        (b"on-demand", Market.SPOT_FIRST, False),
    ],
)
def test_only_where_there_are_others_a_spot_instance_leaves_jobs_to_them(
    service: Metadata, tmp_path: Path, *, life_cycle: bytes, market: Market, leaves: bool
) -> None:
    bought_as(service, life_cycle)
    found = this_machine(farm("aws", tmp_path))
    assert found.leaves_to_on_demand(AwsSettings(market=market)) is leaves


def test_a_node_that_comes_up_before_the_service_answers_asks_again(
    service: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "PAUSE", 0.01)
    said = iter([(503, b""), (503, b""), (200, b"token")])

    def comes_up(request: BaseHTTPRequestHandler) -> None:
        status, body = next(said)
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    service.answers[GIVES_TOKENS] = comes_up
    service.tokens.append("token")
    assert this_machine(farm("aws", tmp_path)).identity is None, "as a person's laptop, which is not to wait"
    assert this_machine(farm("aws", tmp_path), must_know=True).identity is not None


def test_a_node_that_cannot_know_who_it_is_takes_no_job(here: InProcessCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PAUSE", 0.01)
    failed = here.run("--backend", "aws", "worker", "--power-off", env={ENDPOINT_VARIABLE: CLOSED_PORT}, code=69)
    assert failed.stderr == (
        "nommerctl: this node does not know which instance it is: EC2's metadata service does not answer\n"
    )


# --- how it is shut down


def test_a_machine_without_the_program_for_it_cannot_be_shut_down() -> None:
    with pytest.raises(UnreachableError, match="cannot be shut down, and goes on to cost money: there is no 'no-such-"):
        process.power_off(("no-such-program", "now"))


def test_nor_one_whose_program_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "halts").write_text("#!/no/such/interpreter\n")
    (tmp_path / "halts").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreachableError, match="cannot be shut down, and goes on to cost money: "):
        process.power_off(("halts", "now"))
