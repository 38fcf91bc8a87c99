"""What an instance costs by the hour, as AWS answers over the wire."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.imds import NodeIdentity
from nommerctl.adapters.aws.prices import hourly_price, listed_prices
from nommerctl.errors import SettingsError
from tests.aws_servers import REGION
from tests.conftest import CLOSED_PORT
from tests.fakes.clock import START
from tests.web import Exchange, Web, serving

pytestmark = pytest.mark.usefixtures("aws_account")

SPOT = NodeIdentity(
    instance="i-0a1b2c3d4e5f67890",
    instance_type="c6i.large",
    zone=f"{REGION}b",
    region=REGION,
    market="spot",
    public_ipv4=False,
)
ON_DEMAND = structs.replace(SPOT, market="on-demand")


def price_of(
    node: NodeIdentity, *, listed: Mapping[str, float] | None = None, disk_gb: float = 0
) -> tuple[float | None, list[str]]:
    """The price, and what was logged."""
    log: list[str] = []
    clients = Clients(region=REGION)
    price = hourly_price(clients, node, listed=listed or {}, disk_gb=disk_gb, now=START, log=log.append)
    clients.close()
    return price, log


def answering(text: str, content_type: str, status: int = 200) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        body = text.encode()
        exchange.begin(status, content_type=content_type, content_length=len(body))
        exchange.send(body)

    return answer


def product(*dimensions: tuple[str, str, str]) -> str:
    """A product of the price list, with an on-demand term of these units, currencies and prices."""
    priced = {
        f"JRTCKXETXF.{number}": {"unit": unit, "pricePerUnit": {currency: usd}, "appliesTo": []}
        for number, (unit, currency, usd) in enumerate(dimensions)
    }
    terms = {"OnDemand": {"SKU.JRTCKXETXF": {"priceDimensions": priced, "termAttributes": {}}}, "Reserved": {}}
    return json.dumps({"product": {"sku": "SKU"}, "serviceCode": "AmazonEC2", "terms": terms})


def pricing(*products: str) -> Callable[[Exchange], None]:
    return answering(json.dumps({"FormatVersion": "aws_v1", "PriceList": products}), "application/x-amz-json-1.1")


def history(*entries: tuple[str, str]) -> Callable[[Exchange], None]:
    """A spot price history, of times and prices."""
    items = "".join(
        f"<item><instanceType>c6i.large</instanceType><productDescription>Linux/UNIX</productDescription>"
        f"<spotPrice>{price}</spotPrice><timestamp>{at}</timestamp><availabilityZone>{SPOT.zone}</availabilityZone>"
        f"</item>"
        for at, price in entries
    )
    return answering(
        f"<DescribeSpotPriceHistoryResponse><spotPriceHistorySet>{items}</spotPriceHistorySet><nextToken/>"
        "</DescribeSpotPriceHistoryResponse>",
        "text/xml",
    )


def asked(web: Web) -> dict[str, Any]:
    """The one request that was made of the Pricing API."""
    (request,) = web.asked
    assert request.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
    found: dict[str, Any] = json.loads(request.body)
    return found


# --- on-demand


def test_an_on_demand_price_is_asked_of_the_pricing_api(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/": pricing(product(("Hrs", "USD", "0.0970000000")))}) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", web.origin)
        assert price_of(ON_DEMAND) == (0.097, [])
        request = asked(web)
    assert request["ServiceCode"] == "AmazonEC2"
    assert {each["Field"]: each["Value"] for each in request["Filters"]} == {
        "instanceType": "c6i.large",
        "regionCode": REGION,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }


def test_a_price_in_the_settings_need_not_be_asked_for() -> None:
    assert price_of(ON_DEMAND, listed={"c6i.large": 0.05}) == (0.05, [])


def test_an_address_and_a_volume_are_counted() -> None:
    node = structs.replace(ON_DEMAND, public_ipv4=True)
    price, _ = price_of(node, listed={"c6i.large": 0.05}, disk_gb=73)
    assert price == 0.063


@pytest.mark.parametrize(
    "products",
    [
        (),
        ("{",),
        ('{"terms": {}}',),
        (product(("Hrs", "USD", "0.0000000000")),),
        (product(("Quantity", "USD", "12")),),
        (product(("Hrs", "CNY", "1")),),
        (product(("Hrs", "USD", "nan")),),
        (product(("Hrs", "USD", "1e9")),),
    ],
)
def test_a_list_without_a_price_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch, products: tuple[str, ...]) -> None:
    with serving({"/": pricing(*products)}) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", web.origin)
        price, log = price_of(ON_DEMAND)
    assert price is None
    assert log == [
        f"the price of this node is not known: AWS lists none for c6i.large, on-demand, in {REGION}b",
    ]


@pytest.mark.parametrize("word", ["c6i.large", "c6i.large=", "=0.1", "c6i.large=much", "c6i.large=-1", "c6i.large=inf"])
def test_a_price_in_the_settings_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(SettingsError, match=r"aws\.prices: '.*' is to be TYPE=DOLLARS_AN_HOUR"):
        listed_prices([word])


def test_prices_in_the_settings_are_by_type() -> None:
    assert listed_prices(["c6i.large=0.05", "m7i.large=0.12"]) == {"c6i.large": 0.05, "m7i.large": 0.12}


# --- spot


def test_the_newest_spot_price_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = history(("2026-01-01T03:00:00Z", "0.05"), ("2026-01-01T08:00:00Z", "0.04"))
    with serving({"/": prices}) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", web.origin)
        assert price_of(SPOT) == (0.04, [])
        (request,) = web.asked
    assert b"AvailabilityZone=eu-central-1b" in request.body
    assert b"StartTime=2026-01-01T09%3A00%3A00" in request.body
    assert b"ProductDescription.1=Linux%2FUNIX" in request.body


def test_a_spot_price_is_asked_for_as_a_server_understands_it(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    assert price_of(SPOT) == (0.00001, [])


def test_a_zone_without_a_spot_price_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/": history()}) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", web.origin)
        price, (line,) = price_of(SPOT)
    assert price is None
    assert "AWS lists none for c6i.large, spot" in line


# --- what cannot be asked


def test_a_node_that_may_not_ask_works_without_knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = '{"__type": "AccessDeniedException", "Message": "no"}'
    with serving({"/": answering(denied, "application/x-amz-json-1.1", 400)}) as web:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", web.origin)
        price, (line,) = price_of(ON_DEMAND)
    assert price is None
    assert "AWS refuses pricing:GetProducts on the on-demand price of c6i.large" in line


def test_so_does_one_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", CLOSED_PORT)
    monkeypatch.setattr("nommerctl.adapters.aws.clients.ATTEMPTS", 1)
    price, (line,) = price_of(SPOT)
    assert price is None
    assert "AWS cannot be reached for ec2:DescribeSpotPriceHistory" in line


def test_one_that_was_bought_in_another_way_is_not_guessed_at() -> None:
    price, (line,) = price_of(structs.replace(SPOT, market=""))
    assert price is None
    assert "bought in another way" in line
