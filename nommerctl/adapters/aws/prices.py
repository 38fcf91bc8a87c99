"""What an instance costs by the hour, asked of AWS once, when its worker starts.

Linux, in US dollars: the instance as it was bought, its public IPv4 address and its root volume. Transfers, requests
and what else the account has are not in it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling
from nommerctl.adapters.aws.imds import NodeIdentity
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant
from nommerctl.errors import AWAY, SettingsError, UnreachableError

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client
    from types_boto3_pricing.client import PricingClient

PUBLIC_IPV4 = 0.005
"""Dollars an hour for a public IPv4 address in use, in every region (Amazon VPC pricing, since February 2024)."""

GP3_GB_MONTH = 0.08
"""Dollars a month for a GB of a gp3 volume (Amazon EBS pricing, us-east-1, 2025); a tenth to a fifth more elsewhere."""

HOURS_A_MONTH = 730
"""What AWS reckons a month has."""

_DIGITS = 6
_LINUX = "Linux/UNIX"
_HIGHEST = 1000.0
"""Dollars an hour that no instance costs: what is above is no price."""


class _Dimension(Struct, frozen=True, rename="camel"):
    unit: str
    price_per_unit: dict[str, str]


class _Term(Struct, frozen=True, rename="camel"):
    price_dimensions: dict[str, _Dimension]


class _Terms(Struct, frozen=True):
    on_demand: dict[str, _Term] = msgspec.field(default_factory=dict, name="OnDemand")


class _Product(Struct, frozen=True):
    """What is read of a product in the price list."""

    terms: _Terms


def listed_prices(words: Sequence[str]) -> Mapping[str, float]:
    """Return the setting aws.prices as dollars an hour by type; SettingsError for what is no `TYPE=DOLLARS`."""
    prices = {}
    for word in words:
        kind, _, amount = word.partition("=")
        price = _price(amount)
        if not kind or price is None:
            msg = f"aws.prices: '{shown(word)}' is to be TYPE=DOLLARS_AN_HOUR, such as c7i.large=0.0893"
            raise SettingsError(msg)
        prices[kind] = price
    return prices


def hourly_price(
    clients: Clients,
    node: NodeIdentity,
    *,
    listed: Mapping[str, float],
    disk_gb: float,
    now: Instant,
    log: Callable[[str], None],
) -> float | None:
    """Return what an instance costs by the hour; None, and a line in the log, if that cannot be learnt.

    `listed` are on-demand prices by type that need not be asked for, `disk_gb` is the size of the root volume.
    """
    try:
        instance = _instance_price(clients, node, listed, now)
    except (*AWAY, SettingsError) as error:
        log(f"the price of this node is not known: {error}")
        return None
    return round(instance + PUBLIC_IPV4 * node.public_ipv4 + GP3_GB_MONTH * disk_gb / HOURS_A_MONTH, _DIGITS)


def _instance_price(clients: Clients, node: NodeIdentity, listed: Mapping[str, float], now: Instant) -> float:
    match node.market:
        case "spot":
            price = _spot_price(clients.ec2, node, now)
        case "on-demand":
            price = listed.get(node.instance_type) or _on_demand_price(clients.pricing, node)
        case _:
            price = None
    if price is None:
        msg = f"AWS lists none for {node.instance_type}, {node.market or 'bought in another way'}, in {node.zone}"
        raise UnreachableError(msg)
    return price


def _spot_price(ec2: "EC2Client", node: NodeIdentity, now: Instant) -> float | None:
    """The price that is in force: the history from now on begins with it."""
    pages = ec2.get_paginator("describe_spot_price_history").paginate(
        Filters=[{"Name": "instance-type", "Values": [node.instance_type]}],
        AvailabilityZone=node.zone,
        ProductDescriptions=[_LINUX],
        StartTime=datetime.fromtimestamp(now / 1_000_000, UTC),
    )
    with calling("ec2:DescribeSpotPriceHistory", f"the spot price of {node.instance_type}"):
        found = [entry for page in pages for entry in page["SpotPriceHistory"]]
    newest = max(found, key=lambda entry: entry["Timestamp"], default=None)
    return None if newest is None else _price(newest["SpotPrice"])


def _on_demand_price(pricing: "PricingClient", node: NodeIdentity) -> float | None:
    wanted = {
        "instanceType": node.instance_type,
        "regionCode": node.region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    with calling("pricing:GetProducts", f"the on-demand price of {node.instance_type}"):
        answer = pricing.get_products(
            ServiceCode="AmazonEC2",
            Filters=[{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()],
        )
    prices = [price for product in answer["PriceList"] for price in _hourly_prices(product)]
    return max(prices, default=None)


def _hourly_prices(product: str) -> list[float]:
    """The prices above 0 in a product of the price list: those at 0 are capacity that was paid for beforehand."""
    try:
        terms = msgspec.json.decode(product, type=_Product).terms
    except msgspec.MsgspecError:
        return []
    dimensions = [each for term in terms.on_demand.values() for each in term.price_dimensions.values()]
    prices = [_price(each.price_per_unit.get("USD", "")) for each in dimensions if each.unit == "Hrs"]
    return [price for price in prices if price is not None]


def _price(text: str) -> float | None:
    """Return a price above 0, None for what is none."""
    try:
        price = float(text)
    except ValueError:
        return None
    return price if 0 < price < _HIGHEST else None
