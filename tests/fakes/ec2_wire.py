"""How EC2 is asked and how it answers: forms there, XML back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from nommerctl.domain.fleet import Pool
from nommerctl.domain.times import Instant, micros, rfc3339

Parameters: TypeAlias = dict[str, str]
"""As they are sent: `Filter.1.Name` and the like."""

_ENDED_SHOWN = micros(3600)


class Refused(Exception):  # noqa: N818 - it is an answer
    """What EC2 answers when it does not do what it was asked."""

    def __init__(self, message: str, *, code: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass
class FakeInstance:
    """An instance. `missed` is how many more looks it is missing from, `ended` when it was terminated, `reason` why."""

    id: str
    pool: Pool
    image: str
    tags: dict[str, str]
    launched: Instant
    shown_from: Instant
    missed: int
    ended: Instant | None = None
    stopped: bool = False
    reason: str = ""

    def is_shown(self, now: Instant) -> bool:
        """Whether this look shows it."""
        if self.missed:
            self.missed -= 1
            return False
        return self.shown_from <= now and (self.ended is None or now < self.ended + _ENDED_SHOWN)

    def state(self, now: Instant) -> str:
        """Its state, as EC2 calls it: a second each for pending and for shutting-down."""
        if self.ended is not None:
            return "shutting-down" if now <= self.ended else "terminated"
        return "stopped" if self.stopped else "pending" if now <= self.launched else "running"


class _Raw:
    """What botocore reads an answer from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body


def response(request: AWSPreparedRequest, body: bytes, status: int = 200) -> AWSResponse:
    return AWSResponse(request.url, status, HTTPHeaders(), _Raw(body))


def error(request: AWSPreparedRequest, refused: Refused) -> AWSResponse:
    body = (
        f"<Response><Errors><Error><Code>{refused.code}</Code><Message>{escape(str(refused))}</Message></Error>"
        "</Errors><RequestID>r</RequestID></Response>"
    )
    return response(request, body.encode(), refused.status)


def parameters_of(request: AWSPreparedRequest) -> Parameters:
    body = request.body
    return dict(parse_qsl(body.decode() if isinstance(body, bytes) else str(body), keep_blank_values=True))


def listed(parameters: Parameters, name: str) -> list[str]:
    """The values of `name.1`, `name.2` and so on."""
    values: list[str] = []
    while (key := f"{name}.{len(values) + 1}") in parameters:
        values.append(parameters[key])
    return values


def pools_of(parameters: Parameters) -> list[Pool]:
    """The pools that an order for a fleet asks."""
    market = parameters["TargetCapacitySpecification.DefaultTargetCapacityType"]
    override = "LaunchTemplateConfigs.1.Overrides"
    pools: list[Pool] = []
    while (instance_type := parameters.get(f"{override}.{len(pools) + 1}.InstanceType")) is not None:
        place = parameters.get(f"{override}.{len(pools) + 1}.SubnetId", "")
        pools.append(Pool(instance_type, place, market))
    return pools


def pool_of(parameters: Parameters) -> Pool:
    """The pool that an order for instances asks."""
    market = parameters.get("InstanceMarketOptions.MarketType", "on-demand")
    return Pool(parameters["InstanceType"], parameters.get("SubnetId", ""), market)


def tags_of(parameters: Parameters) -> dict[str, str]:
    """The tags that an order gives to instances."""
    for number in range(1, 3):
        if parameters.get(f"TagSpecification.{number}.ResourceType") == "instance":
            tag = f"TagSpecification.{number}.Tag"
            keys = (number for number in range(1, 51) if f"{tag}.{number}.Key" in parameters)
            return {parameters[f"{tag}.{each}.Key"]: parameters[f"{tag}.{each}.Value"] for each in keys}
    return {}


def passes(instance: FakeInstance, parameters: Parameters) -> bool:
    """Whether an instance passes the filters of a look."""
    number = 1
    while (name := parameters.get(f"Filter.{number}.Name")) is not None:
        values = listed(parameters, f"Filter.{number}.Value")
        if _property(instance, name) not in values:
            return False
        number += 1
    return True


def _property(instance: FakeInstance, name: str) -> str | None:
    if name.startswith("tag:"):
        return instance.tags.get(name.removeprefix("tag:"))
    return {"image-id": instance.image, "instance-id": instance.id}[name]


def fleet(launched: Sequence[FakeInstance], errors: Sequence[tuple[Pool, str]]) -> bytes:
    items = "".join(
        f"<item>{_where(each.pool)}<instanceIds><item>{each.id}</item></instanceIds></item>" for each in launched
    )
    refused = "".join(
        f"<item>{_where(pool)}<errorCode>{code}</errorCode><errorMessage>Nothing of {pool.instance_type} for you."
        "</errorMessage></item>"
        for pool, code in errors
    )
    return (
        f"<CreateFleetResponse><fleetId>fleet-1</fleetId><fleetInstanceSet>{items}</fleetInstanceSet>"
        f"<errorSet>{refused}</errorSet></CreateFleetResponse>"
    ).encode()


def _where(pool: Pool) -> str:
    subnet = f"<subnetId>{pool.place}</subnetId>" if pool.place else ""
    return (
        f"<launchTemplateAndOverrides><overrides><instanceType>{pool.instance_type}</instanceType>{subnet}</overrides>"
        f"</launchTemplateAndOverrides><lifecycle>{pool.market}</lifecycle>"
    )


def reservation(instances: Sequence[FakeInstance], now: Instant) -> bytes:
    return f"<RunInstancesResponse>{_instances(instances, now)}</RunInstancesResponse>".encode()


def described(instances: Sequence[FakeInstance], now: Instant, *, more: str) -> bytes:
    next_token = f"<nextToken>{more}</nextToken>" if more else ""
    return (
        f"<DescribeInstancesResponse><reservationSet><item>{_instances(instances, now)}</item></reservationSet>"
        f"{next_token}</DescribeInstancesResponse>"
    ).encode()


def terminated(nodes: Sequence[str]) -> bytes:
    items = "".join(f"<item><instanceId>{node}</instanceId></item>" for node in nodes)
    return f"<TerminateInstancesResponse><instancesSet>{items}</instancesSet></TerminateInstancesResponse>".encode()


def _instances(instances: Sequence[FakeInstance], now: Instant) -> str:
    return f"<instancesSet>{''.join(_instance(each, now) for each in instances)}</instancesSet>"


def _instance(instance: FakeInstance, now: Instant) -> str:
    return (
        f"<item><instanceId>{instance.id}</instanceId><imageId>{instance.image}</imageId>"
        f"<instanceState><name>{instance.state(now)}</name></instanceState>"
        f"<instanceType>{instance.pool.instance_type}</instanceType><launchTime>{rfc3339(instance.launched)}</launchTime>"
        f"{_reason(instance.reason)}{_tags(instance.tags)}</item>"
    )


def _reason(code: str) -> str:
    return f"<stateReason><code>{code}</code><message>{code}: it is over</message></stateReason>" if code else ""


def _tags(tags: Mapping[str, str]) -> str:
    items = "".join(f"<item><key>{escape(key)}</key><value>{escape(tags[key])}</value></item>" for key in tags)
    return f"<tagSet>{items}</tagSet>"
