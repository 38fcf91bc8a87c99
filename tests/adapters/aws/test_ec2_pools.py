"""Which pools an order goes around, and how that leads from one market to the next."""

from collections.abc import Sequence

import pytest
from msgspec import structs

from nommerctl.adapters.aws.orders import order_of
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.fleet import Launch, Pool, Spawned
from nommerctl.errors import PermissionDeniedError, SettingsError
from tests.adapters.aws.nodes import ON_DEMAND, SPOT, TEMPLATED, TYPES, UNTEMPLATED, Nodes, pools
from tests.fakes.ledger import FakeLedger


def test_spot_first_goes_on_demand_when_the_refused_pools_are_avoided(nodes: Nodes) -> None:
    nodes.ec2.codes = dict.fromkeys(SPOT, "InsufficientInstanceCapacity")
    first = nodes.spawn(1, "a1")
    (node,) = nodes.fleet.spawn_instances(nodes.order(1, "b2", refused=dict.fromkeys(first.refused, 60.0))).nodes
    assert nodes.ec2.instances[node].pool in ON_DEMAND


def test_without_subnets_a_pool_has_no_place(nodes: Nodes) -> None:
    anywhere = nodes.by(structs.replace(TEMPLATED, subnets=()))
    pool = Pool("c7i.large", "", "spot")
    nodes.ec2.codes = {pool: "InsufficientInstanceCapacity"}
    spawned = anywhere.spawn(1)
    assert spawned.refused == (pool,)
    assert nodes.ec2.instances[spawned.nodes[0]].pool == Pool("m7i.large", "", "spot")


@pytest.mark.parametrize(
    ("settings", "asked"), [(TEMPLATED, [6, 6]), (UNTEMPLATED, [1] * 7)], ids=["CreateFleet", "RunInstances"]
)
def test_six_spot_pools_without_capacity_lead_to_on_demand_when_each_was_asked_once(
    nodes: Nodes, settings: AwsSettings, asked: list[int]
) -> None:
    types = (*TYPES, "c6i.large")
    farm = nodes.by(structs.replace(settings, instance_types=types))
    nodes.ec2.codes = dict.fromkeys(pools("spot", types), "InsufficientInstanceCapacity")

    orders = by_passes_a_minute_apart(farm, FakeLedger(nodes.clock), len(asked))

    assert [len(order_of(order).pools) for order in orders] == asked
    assert {pool for order in orders[:-1] for pool in order_of(order).pools} == pools("spot", types)
    assert [len(order.nodes) for order in orders] == [0] * (len(asked) - 1) + [1]
    (node,) = orders[-1].nodes
    assert nodes.ec2.instances[node].pool == Pool("c7i.large", "subnet-a", "on-demand")


def by_passes_a_minute_apart(farm: Nodes, ledger: FakeLedger, passes: int) -> Sequence[Launch]:
    """Order a node in each pass as scale does; return the orders as the ledger has them."""
    for generation in range(passes):
        order = farm.order(1, f"t{generation}", refused=ledger.overview().refused(farm.clock()))
        ledger.journal(structs.replace(order, generation=generation))
        ledger.settle(order.token, farm.fleet.spawn_instances(order))
        farm.clock.advance(60)
    return ledger.overview().launches


def test_without_subnets_the_subnet_that_an_error_names_is_that_of_the_pool_of_its_type(nodes: Nodes) -> None:
    anywhere = nodes.by(structs.replace(TEMPLATED, subnets=()))
    nodes.ec2.answers["CreateFleet"] = (
        b"<Answer><fleetId>f</fleetId><errorSet><item><launchTemplateAndOverrides><overrides>"
        b"<instanceType>c7i.large</instanceType><subnetId>subnet-of-the-vpc</subnetId></overrides>"
        b"</launchTemplateAndOverrides><errorCode>InsufficientInstanceCapacity</errorCode></item></errorSet></Answer>"
    )
    assert anywhere.spawn(1) == Spawned(refused=(Pool("c7i.large", "", "spot"),))


def test_the_limit_of_spot_instances_is_that_of_every_pool(nodes: Nodes) -> None:
    nodes.ec2.codes = {Pool("c7i.large", "subnet-a", "spot"): "MaxSpotInstanceCountExceeded"}
    assert nodes.spawn(1).refused == tuple(sorted(SPOT))


def test_an_error_that_names_no_pool_is_that_of_every_pool(nodes: Nodes) -> None:
    error = "<item><errorCode>UnfulfillableCapacity</errorCode></item>"
    nodes.ec2.answers["CreateFleet"] = f"<Answer><fleetId>f</fleetId><errorSet>{error}</errorSet></Answer>".encode()
    assert nodes.spawn(1) == Spawned(refused=tuple(sorted(SPOT)))


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "Unsupported", "InvalidSubnetID.NotFound"])
def test_a_pool_that_fails_is_gone_around_while_others_do(nodes: Nodes, code: str) -> None:
    fails = Pool("c7i.large", "subnet-a", "spot")
    nodes.ec2.codes = {fails: code}
    spawned = nodes.spawn(1)
    assert len(spawned.nodes) == 1
    assert spawned.refused == (fails,)
    assert spawned.fault is None


def test_what_has_to_be_mended_is_said_when_no_node_comes_up_and_the_pools_are_gone_around_all_the_same(
    nodes: Nodes,
) -> None:
    short = Pool("m7i.large", "subnet-a", "spot")
    nodes.ec2.codes = dict.fromkeys(SPOT, "InvalidSubnetID.NotFound") | {short: "InsufficientInstanceCapacity"}
    spawned = nodes.spawn(1)
    assert spawned.refused == tuple(sorted(SPOT))
    assert isinstance(spawned.fault, SettingsError)
    assert str(spawned.fault) == (
        "AWS launches no nodes: Nothing of c7i.large for you (InvalidSubnetID.NotFound): check aws.subnets"
    )


@pytest.mark.parametrize("code", ["InvalidFleetConfiguration", "Unsupported", "UnauthorizedOperation", "InvalidAMIID"])
def test_one_pool_that_fails_otherwise_than_the_rest_does_not_keep_spot_first_from_on_demand(
    nodes: Nodes, code: str
) -> None:
    fails = Pool("m7i.large", "subnet-b", "spot")
    nodes.ec2.codes = dict.fromkeys(SPOT, "InsufficientInstanceCapacity") | {fails: code}
    spawned = nodes.spawn(1)
    assert code in str(spawned.fault) or isinstance(spawned.fault, PermissionDeniedError)
    (node,) = nodes.fleet.spawn_instances(nodes.order(1, "b2", refused=dict.fromkeys(spawned.refused, 60.0))).nodes
    assert nodes.ec2.instances[node].pool in ON_DEMAND


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "Throttling"])
def test_a_pool_that_ec2_throttles_is_asked_again(nodes: Nodes, code: str) -> None:
    throttled = Pool("m7i.large", "subnet-a", "spot")
    nodes.ec2.codes = dict.fromkeys(SPOT, "InsufficientInstanceCapacity") | {throttled: code}
    assert nodes.spawn(1).refused == tuple(sorted(SPOT - {throttled}))


def test_what_is_wrong_with_the_launch_template_is_no_matter_of_its_pools(nodes: Nodes) -> None:
    nodes.ec2.codes = dict.fromkeys(SPOT, "InvalidAMIID.NotFound")
    spawned = nodes.spawn(1)
    assert spawned == Spawned(fault=spawned.fault)
    assert isinstance(spawned.fault, SettingsError)


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("Unsupported", True),
        ("InvalidParameterCombination", True),
        ("InvalidSubnetID.NotFound", True),
        ("InvalidAMIID.NotFound", False),
        ("InvalidGroup.NotFound", False),
    ],
)
def test_without_a_template_the_one_pool_is_gone_around_unless_others_would_fail_too(
    nodes: Nodes, code: str, *, refused: bool
) -> None:
    pool = Pool("c7i.large", "subnet-a", "spot")
    nodes.ec2.codes = {pool: code}
    spawned = nodes.by(UNTEMPLATED).spawn(1)
    assert spawned == Spawned(refused=(pool,) if refused else (), fault=spawned.fault, certain=False)
    assert isinstance(spawned.fault, SettingsError)
