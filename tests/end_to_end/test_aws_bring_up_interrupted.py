"""Bringing a farm up and taking it down, broken off at each of their changes: run again, both end right."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
from botocore.retries.standard import ExponentialBackoff

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ec2 import EC2InstanceManager
from nommerctl.adapters.aws.job_reads import DynamoJobReads
from nommerctl.adapters.aws.node.packages import wheel_file
from nommerctl.adapters.aws.stack.blueprint import node_parts
from nommerctl.adapters.aws.stack.facts import account_facts
from nommerctl.adapters.aws.stack.stack import AwsStack
from nommerctl.adapters.aws.stack.storage_blueprint import storage_parts
from nommerctl.domain.config import FarmSettings, Settings
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.outcome import Outcome
from nommerctl.domain.stack import Resource
from nommerctl.errors import NommerctlError
from nommerctl.passes.bring_up import bring_up
from nommerctl.passes.means import AccountReads, AccountWrites
from nommerctl.passes.performing import DoerOf
from nommerctl.passes.tear_down import tear_down
from nommerctl.wiring import process
from nommerctl.wiring.account import KINDS
from tests import aws_servers
from tests.aws_bring_up import AMI
from tests.cloud import Call, Cloud, Cut, Reach
from tests.passes.farm import nothing
from tests.wheels import empty_wheel

PARTS = 12

PARTED = 2
"""How many tests share the places, to be run side by side."""


class Account:
    """The parts of a farm on the wire, without the command line, whose start takes longer than all its calls."""

    def __init__(self, clients: Clients, folder: Path) -> None:
        self.name = f"t{token_hex(4)}"
        self._clients = clients
        self._settings = Settings(
            farm=FarmSettings(name=self.name), aws=AwsSettings(instance_types=("c6i.large",), buckets=("films",))
        )
        self._wheel = empty_wheel(folder, "1.0")
        self._fleet = EC2InstanceManager(lambda: clients.ec2, self.name, self._settings.aws, process.clock)
        kinds = [kind(clients, self.name, lambda _: None) for kind in KINDS]
        self.stack = AwsStack(self.name, kinds)

    def brought_up(self) -> Outcome:
        return bring_up(self.stack, self._doer(), self._wanted())

    def torn_down(self) -> Outcome:
        store = DynamoJobReads(self._clients, self.name, lambda _: None)
        reads = AccountReads(self.stack, self._fleet, store)
        return tear_down(reads, self._doer(), force=False, pause=lambda: time.sleep(0.01))

    def launch(self) -> None:
        tags = [{"Key": "nommerctl:farm", "Value": self.name}]
        self._clients.ec2.run_instances(
            ImageId=AMI,
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],  # type: ignore[misc,list-item]
        )

    def _doer(self) -> DoerOf[AccountWrites]:
        return DoerOf(AccountWrites(self.stack, self._fleet), heed=nothing)

    def _wanted(self) -> list[Resource]:
        facts = account_facts(self._clients, self._settings.aws)
        wheel = wheel_file(self._wheel, "1.0")
        storage = storage_parts(self.name, facts.account, facts.region, wheel)
        return [*storage, *node_parts(self._settings, facts, "#!/usr/bin/python3\n")]


@pytest.fixture
def account(cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    for name, value in (aws_servers.CREDENTIALS | {"AWS_ENDPOINT_URL": cloud.url}).items():
        monkeypatch.setenv(name, value)
    made = Account(cloud_clients, tmp_path)
    yield made
    cloud.heal()
    made.torn_down()


READS = ("Describe", "Get", "List", "HEAD", "GET", "BatchGet", "Query")
"""How the operations begin that change nothing: broken off at one of them, things stand as after the change before."""

EVERY = 7
"""Of those that only read each so-and-so-many-th is broken off, for how the program takes it."""


def places(calls: Sequence[Call]) -> list[tuple[Cut, int]]:
    """Where to break off: after each call that changes something, and before some of the others."""
    return [
        (Cut.BEFORE, number) if call.operation.startswith(READS) else (Cut.AFTER, number)
        for number, call in enumerate(calls)
        if number % EVERY == 0 or not call.operation.startswith(READS)
    ]


@contextmanager
def broken_off(cloud: Cloud, cut: Cut, served: int) -> Iterator[None]:
    """Break every call off once so many have been served, as if the process had died."""
    with cloud.trouble(cut, Reach.ALL, served=served) as trouble:
        try:
            yield
        except NommerctlError:
            assert trouble.met


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTED))
def test_bringing_up_is_completed_wherever_it_was_broken_off(account: Account, cloud: Cloud, part: int) -> None:
    cloud.heal()
    account.brought_up()
    calls = list(cloud.calls)
    account.torn_down()
    for cut, served in places(calls)[part::PARTED]:
        # given a farm that was half made
        with broken_off(cloud, cut, served):
            account.brought_up()
        # when, then
        completed = account.brought_up()
        assert completed.failed == (), served
        assert len(account.stack.parts()) == PARTS, served
        assert account.brought_up().changed == (), served
        assert account.torn_down().facts == {"left": 0}, served


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTED))
def test_taking_down_is_completed_wherever_it_was_broken_off(account: Account, cloud: Cloud, part: int) -> None:
    account.brought_up()
    account.launch()
    cloud.heal()
    account.torn_down()
    for cut, served in places(list(cloud.calls))[part::PARTED]:
        # given a farm with a node that was half taken down
        account.brought_up()
        account.launch()
        with broken_off(cloud, cut, served):
            account.torn_down()
        # when, then
        completed = account.torn_down()
        assert (completed.failed, completed.facts) == ((), {"left": 0}), served
        assert account.stack.parts() == []
