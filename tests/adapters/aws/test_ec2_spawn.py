"""What comes of an order: nodes, fewer nodes, pools without room, and what has to be mended first."""

import pytest
from msgspec import structs

from nommerctl.domain.config_aws import AwsSettings, Market
from nommerctl.domain.fleet import Pool, Spawned
from nommerctl.errors import ItemError, PermissionDeniedError, SettingsError, TryAgainError
from tests.adapters.aws.nodes import SPOT, TEMPLATED, UNTEMPLATED, Nodes
from tests.fakes.ec2_wire import Refused

CAPACITY = [
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientFreeAddressesInSubnet",
    "UnfulfillableCapacity",
    "SpotMaxPriceTooLow",
]
LIMITS = ["VcpuLimitExceeded", "InstanceLimitExceeded", "MaxSpotInstanceCountExceeded"]


def test_nodes_carry_the_tags_of_the_farm_and_of_the_order(nodes: Nodes) -> None:
    (node,) = nodes.spawn(token="a1").nodes
    assert nodes.ec2.instances[node].tags == {
        "Name": "nommerctl-farm",
        "nommerctl:farm": "farm",
        "nommerctl:order": "a1",
    }


def test_an_order_is_one_request(nodes: Nodes) -> None:
    nodes.spawn(10)
    assert [operation for operation, _ in nodes.ec2.calls] == ["CreateFleet"]


@pytest.mark.parametrize("code", CAPACITY)
def test_no_capacity_anywhere_is_no_fault_and_names_every_pool(nodes: Nodes, code: str) -> None:
    nodes.ec2.codes = dict.fromkeys(SPOT, code)
    assert nodes.spawn(2) == Spawned(refused=tuple(sorted(SPOT)))


def test_capacity_in_one_pool_alone_fills_the_order_and_names_the_others(nodes: Nodes) -> None:
    only = Pool("m7i.large", "subnet-b", "spot")
    nodes.ec2.codes = dict.fromkeys(SPOT - {only}, "InsufficientInstanceCapacity")
    spawned = nodes.spawn(2)
    assert [nodes.ec2.instances[node].pool for node in spawned.nodes] == [only, only]
    assert spawned.refused == tuple(sorted(SPOT - {only}))
    assert spawned.fault is None


def test_a_part_of_the_capacity_is_taken(nodes: Nodes) -> None:
    nodes.ec2.room = dict.fromkeys(SPOT, 0) | {Pool("c7i.large", "subnet-b", "spot"): 2}
    spawned = nodes.spawn(5)
    assert sorted(spawned.nodes) == nodes.alive
    assert len(spawned.nodes) == 2
    assert spawned.refused == tuple(sorted(SPOT))


@pytest.mark.parametrize("code", LIMITS)
def test_a_limit_of_the_account_is_said(nodes: Nodes, code: str) -> None:
    nodes.ec2.codes = dict.fromkeys(SPOT, code)
    spawned = nodes.spawn(1)
    assert spawned.refused == tuple(sorted(SPOT))
    assert isinstance(spawned.fault, ItemError)
    assert str(spawned.fault) == (
        f"the account has reached a limit: Nothing of c7i.large for you ({code}): have it raised in Service Quotas,"
        " or lower scale.max_nodes"
    )


TEMPLATE = "launch template 'nodes' (aws.launch_template)"


@pytest.mark.parametrize(
    ("settings", "code", "message", "check"),
    [
        (TEMPLATED, "InvalidLaunchTemplateName.NotFoundException", "There is no such template", TEMPLATE),
        (TEMPLATED, "InvalidLaunchTemplateId.Malformed", "Malformed id", TEMPLATE),
        (TEMPLATED, "InvalidAMIID.NotFound", "The image id '[ami-9]' does not exist", TEMPLATE),
        (TEMPLATED, "InvalidKeyPair.NotFound", "The key pair 'ops' does not exist", TEMPLATE),
        (UNTEMPLATED, "InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist", "aws.ami"),
        (UNTEMPLATED, "InvalidAMIID.Unavailable", "The image ID 'ami-1' is not available", "aws.ami"),
        (UNTEMPLATED, "InvalidSubnetID.NotFound", "The subnet ID 'subnet-a' does not exist", "aws.subnets"),
        (UNTEMPLATED, "InvalidGroup.NotFound", "The security group 'sg-1' does not exist", "aws.security_groups"),
        (UNTEMPLATED, "InvalidKeyPair.NotFound", "The key pair 'ops' does not exist", "aws.key_name"),
        (
            UNTEMPLATED,
            "InvalidParameterValue",
            "Value (nommer) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
            "aws.instance_profile",
        ),
        (
            UNTEMPLATED,
            "Unsupported",
            "Your requested instance type (c7i.large) is not supported in your requested Availability Zone (x)",
            "aws.instance_types",
        ),
        (UNTEMPLATED, "OptInRequired", "You are not subscribed to this service", "the settings in [aws]"),
    ],
)
def test_what_is_not_there_is_named_with_the_setting_that_names_it(
    nodes: Nodes, settings: AwsSettings, code: str, message: str, check: str
) -> None:
    farm = nodes.by(settings)
    operation = "CreateFleet" if settings.launch_template else "RunInstances"
    nodes.ec2.refusals[operation] = Refused(f"{message}.", code=code)
    spawned = farm.spawn(1)
    assert (spawned.nodes, spawned.certain) == ((), False)
    assert isinstance(spawned.fault, SettingsError)
    assert str(spawned.fault) == f"AWS launches no nodes: {message} ({code}): check {check}"


def test_a_template_name_that_ec2_cannot_be_sent_is_a_fault_of_the_settings(nodes: Nodes) -> None:
    spawned = nodes.by(structs.replace(TEMPLATED, launch_template="x")).spawn(1)
    assert isinstance(spawned.fault, SettingsError)
    assert "LaunchTemplateName, value: 1, valid min length: 3" in str(spawned.fault)
    assert nodes.ec2.calls == []


ENCODED = "You are not authorized to perform this operation. Encoded authorization failure message: 0l-KPW"
NAMED = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:y."


@pytest.mark.parametrize(
    ("code", "message", "action"),
    [
        ("UnauthorizedOperation", NAMED, "AWS refuses iam:PassRole on new nodes"),
        ("UnauthorizedOperation", ENCODED, r"ec2:CreateFleet \(or ec2:RunInstances, ec2:CreateTags, iam:PassRole\)"),
        ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", "No role.", "iam:CreateServiceLinkedRole"),
    ],
)
def test_a_permission_that_is_missing_is_named_and_the_order_waits_for_it(
    nodes: Nodes, code: str, message: str, action: str
) -> None:
    nodes.ec2.refusals["CreateFleet"] = Refused(message, code=code, status=403)
    order = nodes.order(2)
    with pytest.raises(PermissionDeniedError, match=action):
        nodes.fleet.spawn_instances(order)
    nodes.ec2.refusals.clear()
    assert len(nodes.fleet.spawn_instances(order).nodes) == 2


def test_a_permission_that_the_fleet_misses_later_settles_the_order(nodes: Nodes) -> None:
    nodes.ec2.codes = dict.fromkeys(SPOT, "UnauthorizedOperation")
    spawned = nodes.spawn(1)
    assert spawned == Spawned(fault=spawned.fault)
    assert isinstance(spawned.fault, PermissionDeniedError)


def test_an_order_that_ec2_throttles_within_the_fleet_is_settled_and_made_anew(nodes: Nodes) -> None:
    nodes.ec2.codes = dict.fromkeys(SPOT, "RequestLimitExceeded")
    spawned = nodes.spawn(1)
    assert spawned == Spawned(fault=spawned.fault)
    assert isinstance(spawned.fault, TryAgainError)


@pytest.mark.parametrize("code", CAPACITY)
def test_instances_without_a_template_find_no_capacity_in_their_one_pool(nodes: Nodes, code: str) -> None:
    farm = nodes.by(UNTEMPLATED)
    pool = Pool("c7i.large", "subnet-a", "spot")
    nodes.ec2.codes = {pool: code}
    assert farm.spawn(2) == Spawned(refused=(pool,), certain=False)


def test_instances_without_a_template_may_be_fewer_than_ordered(nodes: Nodes) -> None:
    nodes.ec2.room = {Pool("c7i.large", "subnet-a", "spot"): 2}
    assert len(nodes.by(UNTEMPLATED).spawn(5).nodes) == 2


def test_a_limit_is_said_without_a_template_too(nodes: Nodes) -> None:
    pool = Pool("c7i.large", "subnet-a", "on-demand")
    nodes.ec2.codes = {pool: "VcpuLimitExceeded"}
    spawned = nodes.by(structs.replace(UNTEMPLATED, market=Market.ON_DEMAND)).spawn(1)
    assert spawned.refused == (pool,)
    assert isinstance(spawned.fault, ItemError)
