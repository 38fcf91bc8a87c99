"""The fleet on EC2 over a socket: every call as a server that others wrote takes it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ec2 import EC2InstanceManager
from nommerctl.domain.config_aws import AwsSettings, Market
from nommerctl.domain.fleet import Launch, Spawned
from nommerctl.errors import SettingsError
from tests.fakes.clock import START, FakeClock

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

pytestmark = pytest.mark.slow


IMAGE = "ami-03cf127a"
"""One that moto knows."""


@pytest.fixture
def client(moto_url: str, aws_account: None, monkeypatch: pytest.MonkeyPatch) -> Iterator["EC2Client"]:  # noqa: ARG001
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    clients = Clients()
    yield clients.ec2
    clients.close()


@pytest.fixture
def subnet(client: "EC2Client") -> str:
    return client.describe_subnets()["Subnets"][0]["SubnetId"]


@pytest.fixture
def template(client: "EC2Client") -> Iterator[str]:
    client.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData={"ImageId": IMAGE})
    yield "nodes"
    client.delete_launch_template(LaunchTemplateName="nodes")


def fleet_of(client: "EC2Client", farm: str, settings: AwsSettings) -> EC2InstanceManager:
    return EC2InstanceManager(lambda: client, farm, settings, FakeClock())


def spawn(fleet: EC2InstanceManager, count: int, token: str = "a1") -> Spawned:
    request = fleet.request(token=token, count=count, slots=1)
    return fleet.spawn_instances(
        Launch(token=token, generation=0, count=count, slots=1, ordered=START, request=request)
    )


@pytest.mark.parametrize("market", list(Market))
def test_a_fleet_is_launched_shown_and_ended(client: "EC2Client", template: str, subnet: str, market: Market) -> None:
    settings = AwsSettings(launch_template=template, subnets=(subnet,), market=market)
    fleet = fleet_of(client, f"fleet-{market}", settings)
    spawned = spawn(fleet, 2)
    assert len(spawned.nodes) == 2
    assert [(each.id, each.alive) for each in fleet.get_instances()] == [(node, True) for node in spawned.nodes]
    fleet.end_instances(spawned.nodes)
    assert [(each.id, each.gone) for each in fleet.get_instances()] == [(node, True) for node in spawned.nodes]


@pytest.mark.parametrize("market", list(Market))
def test_instances_without_a_template_are_launched_shown_and_ended(
    client: "EC2Client", subnet: str, market: Market
) -> None:
    key = client.create_key_pair(KeyName=f"ops-{market}")["KeyName"]
    group = client.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    settings = AwsSettings(ami=IMAGE, subnets=(subnet,), market=market, key_name=key, security_groups=(group,))
    fleet = fleet_of(client, f"single-{market}", settings)
    spawned = spawn(fleet, 2)
    (reservation,) = client.describe_instances(InstanceIds=list(spawned.nodes))["Reservations"]
    assert {(each["ImageId"], each["KeyName"], each["SubnetId"]) for each in reservation["Instances"]} == {
        (IMAGE, key, subnet)
    }
    fleet.end_instances(spawned.nodes)
    assert {each.id for each in fleet.get_instances() if each.gone} >= set(spawned.nodes)


def test_a_node_is_counted_by_its_image_as_well_as_by_its_tag(client: "EC2Client") -> None:
    started = client.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    by_tag, by_image = AwsSettings(launch_template="nodes"), AwsSettings(launch_template="nodes", ami=IMAGE)
    assert fleet_of(client, "by-image", by_tag).get_instances() == []
    assert started in {each.id for each in fleet_of(client, "by-image", by_image).get_instances() if each.alive}
    client.terminate_instances(InstanceIds=[started])


def test_ending_what_never_was_is_no_error(client: "EC2Client") -> None:
    fleet_of(client, "empty", AwsSettings(launch_template="nodes")).end_instances(["i-00000000000000000", "never-was"])


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"launch_template": "nowhere"}, "launch template 'nowhere' (aws.launch_template)"),
        ({"launch_template": "lt-00000000000000000"}, "launch template 'lt-00000000000000000' (aws.launch_template)"),
        ({"subnets": ("subnet-00000000",)}, "aws.subnets"),
        ({"security_groups": ("sg-00000000",)}, "aws.security_groups"),
    ],
)
def test_what_is_not_there_is_named_with_its_setting(
    client: "EC2Client", change: dict[str, str | tuple[str, ...]], check: str
) -> None:
    settings = structs.replace(AwsSettings(ami=IMAGE, market=Market.ON_DEMAND), **change)
    spawned = spawn(fleet_of(client, "missing", settings), 1)
    assert (spawned.nodes, spawned.certain) == ((), False)
    assert isinstance(spawned.fault, SettingsError)
    assert str(spawned.fault).endswith(f": check {check}")
