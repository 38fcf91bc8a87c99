"""What EC2 is asked for: the text of an order."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import structs

from nommerctl.domain.config_aws import AwsSettings, Market
from nommerctl.domain.fleet import REFUSED_FOR, Pool
from nommerctl.errors import SettingsError, UnreachableError
from tests.adapters.aws.nodes import ON_DEMAND, SPOT, SUBNETS, TEMPLATED, UNTEMPLATED, Nodes

TAGS = [
    {"Key": "Name", "Value": "nommerctl-farm"},
    {"Key": "nommerctl:farm", "Value": "farm"},
    {"Key": "nommerctl:order", "Value": "a1"},
]


def asked(nodes: Nodes, *, refused: Mapping[Pool, float] = {}, on_demand: bool = False) -> dict[str, Any]:
    """The parameters of an order."""
    parameters: dict[str, Any] = json.loads(nodes.order(2, refused=refused, on_demand=on_demand).request)["parameters"]
    return parameters


def pools_of(parameters: dict[str, Any]) -> set[Pool]:
    market = parameters["TargetCapacitySpecification"]["DefaultTargetCapacityType"]
    overrides = parameters["LaunchTemplateConfigs"][0]["Overrides"]
    return {Pool(each["InstanceType"], each.get("SubnetId", ""), market) for each in overrides}


def test_with_a_launch_template_a_fleet_is_ordered_at_once_over_types_and_subnets(nodes: Nodes) -> None:
    assert json.loads(nodes.order(2).request) == {
        "operation": "CreateFleet",
        "parameters": {
            "ClientToken": "a1",
            "Type": "instant",
            "LaunchTemplateConfigs": [
                {
                    "LaunchTemplateSpecification": {"LaunchTemplateName": "nodes", "Version": "$Default"},
                    "Overrides": [
                        {"InstanceType": "c7i.large", "SubnetId": "subnet-a"},
                        {"InstanceType": "c7i.large", "SubnetId": "subnet-b"},
                        {"InstanceType": "m7i.large", "SubnetId": "subnet-a"},
                        {"InstanceType": "m7i.large", "SubnetId": "subnet-b"},
                    ],
                }
            ],
            "TargetCapacitySpecification": {"TotalTargetCapacity": 2, "DefaultTargetCapacityType": "spot"},
            "SpotOptions": {"AllocationStrategy": "price-capacity-optimized"},
            "OnDemandOptions": {"AllocationStrategy": "lowest-price"},
            "TagSpecifications": [
                {"ResourceType": "fleet", "Tags": TAGS},
                {"ResourceType": "instance", "Tags": TAGS},
            ],
        },
    }


def test_without_a_launch_template_instances_of_the_image_are_ordered(nodes: Nodes) -> None:
    settings = structs.replace(UNTEMPLATED, key_name="ops", security_groups=("sg-1", "sg-2"), instance_profile="nommer")
    assert json.loads(nodes.by(settings).order(2).request) == {
        "operation": "RunInstances",
        "parameters": {
            "ClientToken": "a1",
            "ImageId": "ami-1",
            "MinCount": 1,
            "MaxCount": 2,
            "InstanceType": "c7i.large",
            "SubnetId": "subnet-a",
            "KeyName": "ops",
            "SecurityGroupIds": ["sg-1", "sg-2"],
            "IamInstanceProfile": {"Name": "nommer"},
            "InstanceInitiatedShutdownBehavior": "terminate",
            "InstanceMarketOptions": {
                "MarketType": "spot",
                "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
            },
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "TagSpecifications": [{"ResourceType": "instance", "Tags": TAGS}],
        },
    }


def test_what_is_not_set_is_not_asked_for(nodes: Nodes) -> None:
    bare = AwsSettings(ami="ami-1", market=Market.ON_DEMAND)
    absent = {"SubnetId", "KeyName", "SecurityGroupIds", "IamInstanceProfile", "InstanceMarketOptions"}
    assert not absent & asked(nodes.by(bare)).keys()


def test_a_launch_template_is_known_as_an_id_by_its_prefix(nodes: Nodes) -> None:
    template = asked(nodes.by(structs.replace(TEMPLATED, launch_template="lt-0abc")))["LaunchTemplateConfigs"][0]
    assert template["LaunchTemplateSpecification"] == {"LaunchTemplateId": "lt-0abc", "Version": "$Default"}


def test_a_type_that_is_named_twice_is_one_pool(nodes: Nodes) -> None:
    twice = structs.replace(TEMPLATED, instance_types=("c7i.large", "c7i.large"), subnets=())
    assert asked(nodes.by(twice))["LaunchTemplateConfigs"][0]["Overrides"] == [{"InstanceType": "c7i.large"}]


def test_the_keys_of_an_order_are_sorted_all_the_way_down(nodes: Nodes) -> None:
    text = nodes.order(2).request
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize(
    ("market", "refused", "on_demand", "expected"),
    [
        (Market.SPOT_FIRST, frozenset(), False, SPOT),
        (
            Market.SPOT_FIRST,
            SPOT - {Pool("m7i.large", "subnet-b", "spot")},
            False,
            {Pool("m7i.large", "subnet-b", "spot")},
        ),
        (Market.SPOT_FIRST, SPOT, False, ON_DEMAND),
        (
            Market.SPOT_FIRST,
            SPOT | {Pool("c7i.large", "subnet-a", "on-demand")},
            False,
            ON_DEMAND - {Pool("c7i.large", "subnet-a", "on-demand")},
        ),
        (Market.SPOT_FIRST, SPOT | ON_DEMAND, False, ON_DEMAND),
        (Market.SPOT_FIRST, frozenset(), True, ON_DEMAND),
        (Market.SPOT_FIRST, ON_DEMAND, False, SPOT),
        (Market.SPOT, SPOT, False, SPOT),
        (Market.SPOT, frozenset(), True, ON_DEMAND),
        (Market.ON_DEMAND, SPOT, False, ON_DEMAND),
        (Market.ON_DEMAND, ON_DEMAND, False, ON_DEMAND),
    ],
)
def test_an_order_goes_around_what_was_refused_lately_as_long_as_there_is_something_else(
    nodes: Nodes, market: Market, refused: frozenset[Pool], *, on_demand: bool, expected: frozenset[Pool]
) -> None:
    settings = structs.replace(TEMPLATED, market=market)
    ago = dict.fromkeys(refused, REFUSED_FOR - 1)
    assert pools_of(asked(nodes.by(settings), refused=ago, on_demand=on_demand)) == expected


def test_a_pool_that_was_refused_three_minutes_ago_is_asked_again(nodes: Nodes) -> None:
    assert pools_of(asked(nodes, refused=dict.fromkeys(SPOT, REFUSED_FOR))) == SPOT


C_A, C_B, M_A, M_B = (Pool(kind, subnet, "spot") for kind in ("c7i.large", "m7i.large") for subnet in SUBNETS)


@pytest.mark.parametrize(
    ("market", "refused", "expected"),
    [
        (Market.SPOT_FIRST, {}, C_A),
        (Market.SPOT_FIRST, {C_A: 1.0, C_B: 1.0}, M_A),
        (Market.SPOT_FIRST, {C_A: 3000.0}, C_B),
        (Market.SPOT_FIRST, {C_A: 200.0, C_B: 359.0, M_A: 100.0, M_B: 60.0}, structs.replace(C_A, market="on-demand")),
        (Market.SPOT_FIRST, {C_A: 200.0, C_B: 360.0, M_A: 100.0, M_B: 60.0}, C_B),
        (Market.SPOT, {C_A: 200.0, C_B: 100.0, M_A: 300.0, M_B: 60.0}, M_A),
    ],
)
def test_instances_are_ordered_from_a_pool_that_never_refused_or_else_from_the_one_that_did_longest_ago(
    nodes: Nodes, market: Market, refused: dict[Pool, float], expected: Pool
) -> None:
    parameters = asked(nodes.by(structs.replace(UNTEMPLATED, market=market)), refused=refused)
    bought = parameters.get("InstanceMarketOptions", {}).get("MarketType", "on-demand")
    assert Pool(parameters["InstanceType"], parameters["SubnetId"], bought) == expected


@pytest.mark.parametrize(("seconds", "market"), [(179.0, "on-demand"), (180.0, "spot")])
def test_a_market_of_one_pool_is_taken_for_exhausted_for_three_minutes(
    nodes: Nodes, seconds: float, market: str
) -> None:
    one = structs.replace(UNTEMPLATED, instance_types=("c7i.large",), subnets=("subnet-a",))
    parameters = asked(nodes.by(one), refused={C_A: seconds})
    assert parameters.get("InstanceMarketOptions", {}).get("MarketType", "on-demand") == market


def test_without_a_template_and_an_image_the_farms_own_template_is_used(nodes: Nodes) -> None:
    (config,) = asked(nodes.by(AwsSettings()))["LaunchTemplateConfigs"]
    assert config["LaunchTemplateSpecification"] == {"LaunchTemplateName": "nommerctl-farm", "Version": "$Default"}


def test_settings_that_name_no_instance_type_are_refused(nodes: Nodes) -> None:
    with pytest.raises(SettingsError) as refused:
        nodes.by(AwsSettings(ami="ami-1", instance_types=())).order()
    assert str(refused.value) == "aws.instance_types is empty: name at least one instance type"
    assert nodes.ec2.calls == []


@pytest.mark.parametrize("text", ["", '["nommerctl", "worker"]', '{"operation": "StopInstances", "parameters": {}}'])
def test_an_order_of_something_else_than_ec2_is_not_given(nodes: Nodes, text: str) -> None:
    with pytest.raises(UnreachableError, match="order a1 in the ledger is none that EC2 can be given"):
        nodes.fleet.spawn_instances(structs.replace(nodes.order(), request=text))
    assert nodes.ec2.calls == []
