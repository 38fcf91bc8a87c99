"""A node of a farm on AWS that takes its settings from the ledger."""

import json
from collections.abc import Iterator

import pytest

from nommerctl.adapters.aws.names import ledger_table
from nommerctl.wiring import machine, process
from tests import metadata
from tests.aws_farm import AwsFarm
from tests.cli import InProcessCli
from tests.metadata import INSTANCE, Metadata

pytestmark = pytest.mark.slow


@pytest.fixture
def service() -> Iterator[Metadata]:
    with metadata.serving() as running:
        yield running


@pytest.fixture
def node(aws: AwsFarm, service: Metadata, monkeypatch: pytest.MonkeyPatch) -> InProcessCli:
    """The command line on an instance: of the farm it knows no settings."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
    monkeypatch.setattr(machine, "PAUSE", 0.01)
    return InProcessCli(aws.here.state_dir, cwd=aws.here.cwd, executable=())


def working(node: InProcessCli, aws: AwsFarm, *flags: str, code: int = 0) -> str:
    """Run a worker until it has nothing to do; return its log."""
    return node.run("worker", "--ledger", ledger_table(aws.name), *flags, code=code).stderr


@pytest.mark.slow
def test_a_node_takes_the_settings_that_scale_published(aws: AwsFarm, node: InProcessCli) -> None:
    # given
    aws.here.settings |= {"SCALE_JOBS_PER_NODE": "3", "WORKER_IDLE_EXIT": "0.1s", "SCALE_MAX_NODES": "0"}
    aws.here.run("refresh")
    aws.here.run("scale")
    # when
    log = working(node, aws)
    # then
    assert f"worker {INSTANCE} starts with 3 slots" in log
    assert f"worker {INSTANCE} ends: no work" in log
    check_in = aws.ledger.overview().check_ins[INSTANCE]
    assert (check_in.instance_type, check_in.market) == ("c7i.large", "spot")
    assert check_in.launched == 1_767_258_000_000_000
    assert check_in.lag > 0


def test_what_is_published_is_what_a_worker_goes_by_and_nothing_else(aws: AwsFarm) -> None:
    aws.here.settings |= {"AWS_PRICES": "c7i.large=0.1", "UPKEEP_RETENTION": "9d", "NOTIFY_TIMEOUT": "3s"}
    aws.here.run("scale")
    published = json.loads(aws.ledger.overview().node_settings)
    assert published.keys() == {"farm", "scale", "worker", "ffmpeg", "storage", "aws"}
    assert published["farm"] == {"name": aws.name, "backend": "aws"}
    assert published["aws"] == {"region": "", "market": "spot-first", "prices": ["c7i.large=0.1"]}


def test_a_key_of_a_newer_controller_is_left_out_with_a_line_in_the_log(aws: AwsFarm, node: InProcessCli) -> None:
    text = {"farm": {"name": aws.name, "backend": "aws"}, "worker": {"idle_exit": 0.1, "mood": "good"}}
    aws.ledger.publish(json.dumps(text))
    log = working(node, aws)
    table = ledger_table(aws.name)
    assert (
        f"nommerctl: worker.mood in table '{table}' is left out: no worker of this version takes it from there\n" in log
    )
    assert "ends: no work" in log


def test_a_table_that_is_not_there_is_told_with_what_to_do(aws: AwsFarm, node: InProcessCli) -> None:
    assert node.run("worker", "--ledger", "nommerctl-no-ledger", code=78).stderr == (
        "nommerctl: there is no table 'nommerctl-no-ledger' in this account and region: --ledger and AWS_REGION must"
        " name that which 'nommerctl aws bootstrap' made\n"
    )
    assert working(node, aws, code=78) == (
        f"nommerctl: table '{ledger_table(aws.name)}' holds no settings for nodes: run 'nommerctl scale' where the farm"
        " is controlled\n"
    )


def test_a_machine_that_is_no_instance_takes_no_job_by_it(
    aws: AwsFarm, node: InProcessCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.here.run("scale")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "this node does not know which instance it is" in working(node, aws, code=69)


def test_it_leaves_shutting_down_to_what_started_it(node: InProcessCli) -> None:
    refused = node.run("worker", "--ledger", "table", "--power-off", code=2)
    assert "leave --power-off out" in refused.stderr


def test_an_empty_name_of_a_ledger_is_refused(node: InProcessCli) -> None:
    refused = node.run("worker", "--ledger", "", code=2)
    assert refused.stderr == "nommerctl: --ledger is empty: name the table, such as nommerctl-films-ledger\n"


@pytest.mark.parametrize(("disabled", "calls"), [("false", 1), ("true", 0)], ids=["instance", "somebody's own"])
def test_an_instance_whose_settings_cannot_be_loaded_is_shut_down(
    node: InProcessCli, monkeypatch: pytest.MonkeyPatch, disabled: str, calls: int
) -> None:
    shut_down: list[bool] = []
    monkeypatch.setattr(process, "power_off", lambda: shut_down.append(True))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", disabled)
    refused = node.run("worker", "--power-off", env={"NOMMERCTL_WORKER_LEASE": "soon"}, code=78)
    assert "NOMMERCTL_WORKER_LEASE must be a duration" in refused.stderr
    assert len(shut_down) == calls
