"""Orders for nodes, as EC2 is given them: one call with all its parameters, as text that can be journalled."""

from collections.abc import Mapping
from math import inf
from typing import Any, Literal

import msgspec
from msgspec import Struct

from nommerctl.adapters.aws.names import FARM_TAG, ORDER_TAG, launch_template
from nommerctl.domain.config_aws import AwsSettings, Market
from nommerctl.domain.fleet import REFUSED_FOR, Launch, Pool
from nommerctl.errors import SettingsError, UnreachableError

_ID_PREFIX = "lt-"
"""What the id of a launch template begins with; a name may not."""

_TURN = 90.0
"""Seconds that one pool is given where each pass asks one: a pass a minute, and some that do not order."""


class Order(Struct, frozen=True):
    """A call of EC2 that launches nodes. Its `ClientToken` is the order's: so it can be repeated and happens once."""

    operation: Literal["CreateFleet", "RunInstances"]
    parameters: dict[str, Any]

    @property
    def text(self) -> str:
        """The order as JSON with its keys sorted, so that the same order is the same text."""
        return msgspec.json.encode(self, order="sorted").decode()

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The pools that it asks, all of one market."""
        if self.operation == "RunInstances":
            market = self.parameters.get("InstanceMarketOptions", {}).get("MarketType", Market.ON_DEMAND.value)
            return (_pool(self.parameters, market),)
        market = self.parameters["TargetCapacitySpecification"]["DefaultTargetCapacityType"]
        (config,) = self.parameters["LaunchTemplateConfigs"]
        return tuple(_pool(override, market) for override in config["Overrides"])


_orders = msgspec.json.Decoder(Order)


def order_of(launch: Launch) -> Order:
    """Read an order out of the journal, byte for byte as it was composed."""
    try:
        return _orders.decode(launch.request)
    except msgspec.DecodeError as error:
        msg = f"order {launch.token} in the ledger is none that EC2 can be given: {error}"
        raise UnreachableError(msg) from error


def composed(
    settings: AwsSettings, farm: str, *, token: str, count: int, refused: Mapping[Pool, float], on_demand: bool
) -> Order:
    """Compose an order; SettingsError if the settings name no instance type."""
    if not settings.instance_types:
        msg = "aws.instance_types is empty: name at least one instance type"
        raise SettingsError(msg)
    template = template_of(settings, farm)
    pools = _pools(settings, refused, each_pass_asks_one=not template, on_demand=on_demand)
    tags = [
        {"Key": "Name", "Value": f"nommerctl-{farm}"},
        {"Key": FARM_TAG, "Value": farm},
        {"Key": ORDER_TAG, "Value": token},
    ]
    if template:
        return Order("CreateFleet", _fleet(template, pools, tags, token=token, count=count))
    rested = max(pools, key=lambda pool: refused.get(pool, inf))
    return Order("RunInstances", _instances(settings, rested, tags, token=token, count=count))


def template_of(settings: AwsSettings, farm: str) -> str:
    """Return the name or id of the launch template of nodes, '' if they are launched from an image alone."""
    return settings.launch_template or ("" if settings.ami else launch_template(farm))


def named_template(template: str) -> dict[str, str]:
    """Return a launch template as EC2 is told of it, by its name or its id."""
    return {"LaunchTemplateId" if template.startswith(_ID_PREFIX) else "LaunchTemplateName": template}


def templated(fleet: Order, template: str) -> Order:
    """Return an order of one instance that EC2 has to be allowed where it is given one for a fleet."""
    pool = fleet.pools[0]
    parameters: dict[str, Any] = {
        "LaunchTemplate": {**named_template(template), "Version": "$Default"},
        "MinCount": 1,
        "MaxCount": 1,
        **_where(pool),
        "TagSpecifications": [
            each for each in fleet.parameters["TagSpecifications"] if each["ResourceType"] == "instance"
        ],
    }
    if pool.market == Market.SPOT.value:
        parameters["InstanceMarketOptions"] = {"MarketType": "spot"}
    return Order("RunInstances", parameters)


def _pools(
    settings: AwsSettings, refused: Mapping[Pool, float], *, each_pass_asks_one: bool, on_demand: bool
) -> list[Pool]:
    """Return the pools to ask: those of the first market that were not refused lately, or all of the last one.

    Where an order asks one pool, a refusal is remembered until all pools of the market have had their turn: else the
    first ones would be asked again and again, and the next market never.
    """
    pools: list[Pool] = []
    for market in _markets(settings.market, on_demand=on_demand):
        pools = [
            Pool(instance_type, place, market.value)
            for instance_type in dict.fromkeys(settings.instance_types)
            for place in dict.fromkeys(settings.subnets or ("",))
        ]
        remembered = max(REFUSED_FOR, _TURN * len(pools)) if each_pass_asks_one else REFUSED_FOR
        left = [pool for pool in pools if refused.get(pool, inf) >= remembered]
        if left:
            return left
    return pools


def _markets(market: Market, *, on_demand: bool) -> tuple[Market, ...]:
    if on_demand:
        return (Market.ON_DEMAND,)
    return (Market.SPOT, Market.ON_DEMAND) if market is Market.SPOT_FIRST else (market,)


def _fleet(template: str, pools: list[Pool], tags: list[dict[str, str]], *, token: str, count: int) -> dict[str, Any]:
    return {
        "ClientToken": token,
        "Type": "instant",
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {**named_template(template), "Version": "$Default"},
                "Overrides": [_where(pool) for pool in pools],
            }
        ],
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": count,
            "DefaultTargetCapacityType": pools[0].market,
        },
        "SpotOptions": {"AllocationStrategy": "price-capacity-optimized"},
        "OnDemandOptions": {"AllocationStrategy": "lowest-price"},
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("fleet", "instance")],
    }


def _instances(
    settings: AwsSettings, pool: Pool, tags: list[dict[str, str]], *, token: str, count: int
) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "ClientToken": token,
        "ImageId": settings.ami,
        "MinCount": 1,
        "MaxCount": count,
        **_where(pool),
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
    }
    if pool.market == Market.SPOT.value:
        parameters["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
        }
    if settings.key_name:
        parameters["KeyName"] = settings.key_name
    if settings.security_groups:
        parameters["SecurityGroupIds"] = list(settings.security_groups)
    if settings.instance_profile:
        parameters["IamInstanceProfile"] = {"Name": settings.instance_profile}
    return parameters


def _where(pool: Pool) -> dict[str, str]:
    return {"InstanceType": pool.instance_type} | ({"SubnetId": pool.place} if pool.place else {})


def _pool(parameters: dict[str, Any], market: str) -> Pool:
    return Pool(parameters["InstanceType"], parameters.get("SubnetId", ""), market)
