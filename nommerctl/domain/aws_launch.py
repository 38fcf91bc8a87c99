"""What nodes on AWS are launched from, and how many the account may have: what is said of it."""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from nommerctl.domain.aws_parts import BOOTSTRAP
from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.config_aws import Market
from nommerctl.domain.text import counted

_TEMPLATE, _IMAGE, _TYPES, _QUOTA = "launch template", "image", "instance types", "vCPU quota"


class TemplateFacts(Struct, frozen=True, kw_only=True):
    """The default version of a launch template. `image` is an id, or `resolve:ssm:PARAMETER`; '' for what it lacks."""

    version: int
    image: str
    tokens: str
    shutdown: str
    has_user_data: bool


class ImageFacts(Struct, frozen=True, kw_only=True):
    """An image: its id, its state and its architecture, as EC2 names them."""

    id: str
    state: str
    architecture: str


class TypeFacts(Struct, frozen=True, kw_only=True):
    """An instance type: its vCPUs and the architectures that it runs."""

    vcpus: int
    architectures: tuple[str, ...]


def judge_template(name: str, found: TemplateFacts | None, *, is_set: bool) -> Iterator[Finding]:
    """Judge the launch template; `is_set` is whether aws.launch_template names it, and bootstrap does not make it."""
    if found is None:
        advice = "see aws.launch_template; left out, it is the one that 'nommerctl aws bootstrap' makes"
        said = f"launch template '{name}' is not there in this account and region"
        yield Finding(_TEMPLATE, Verdict.FAILED, said, advice if is_set else BOOTSTRAP)
        return
    called = f"'{name}', version {found.version}"
    mend = "make another version of it the default one" if is_set else BOOTSTRAP
    troubles = list(_troubles_of_template(found))
    for verdict, trouble in troubles:
        yield Finding(_TEMPLATE, verdict, f"{called}: {trouble}", mend)
    if not troubles:
        said = f"{called}: metadata by tokens only, a shutdown terminates, user data is there"
        yield Finding(_TEMPLATE, Verdict.OK, said)


def _troubles_of_template(found: TemplateFacts) -> Iterator[tuple[Verdict, str]]:
    if found.shutdown != "terminate":
        yield Verdict.FAILED, "a node that shuts itself down is stopped, not terminated, and its disk costs on"
    if found.tokens != "required":
        yield Verdict.WARNING, "the metadata of a node may be asked without a token (IMDSv1)"
    if not found.has_user_data:
        yield Verdict.WARNING, "there is no user data: no worker starts unless the image starts one by itself"


def judge_types(asked: Sequence[str], found: Mapping[str, TypeFacts]) -> Iterator[Finding]:
    """Yield a finding if EC2 does not have all of aws.instance_types in this region."""
    missing = [each for each in asked if each not in found]
    if not asked:
        yield Finding(_TYPES, Verdict.FAILED, "aws.instance_types is empty", "name at least one instance type")
    elif missing:
        verdict = Verdict.WARNING if found else Verdict.FAILED
        said = f"EC2 has no {', '.join(missing)} in this region"
        yield Finding(_TYPES, verdict, said, "take such types out of aws.instance_types")


def no_image(named: str, where: str) -> Finding:
    """Return what is said of an image that is not there, or not for this account; `where` is what should name it."""
    said = f"image '{named}' ({where}) is not there for this account and region" if named else f"{where} names no image"
    return Finding(_IMAGE, Verdict.FAILED, said, "see aws.ami, or run 'nommerctl aws bootstrap'")


def judge_image(found: ImageFacts, where: str, types: Mapping[str, TypeFacts]) -> Finding:
    """Judge an image by itself, and by the instance types that it is to run on."""
    if found.state != "available":
        return Finding(_IMAGE, Verdict.FAILED, f"{found.id} ({where}) is {found.state}", "wait for it, or take another")
    others = [name for name, facts in types.items() if found.architecture not in facts.architectures]
    if others:
        verdict = Verdict.FAILED if len(others) == len(types) else Verdict.WARNING
        said = f"{found.id} ({where}) is for {found.architecture}, which {', '.join(others)} cannot run"
        return Finding(_IMAGE, verdict, said, "take such types out of aws.instance_types, or another image")
    return Finding(_IMAGE, Verdict.OK, f"{found.id} ({where}) is available, for {found.architecture}")


class Quota(Struct, frozen=True):
    """A limit of vCPUs in an account and a region, by its code in Service Quotas."""

    code: str
    name: str


_STANDARD = "standard"

_FAMILIES = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), _STANDARD),
    **dict.fromkeys(("g", "gr", "vt"), "G and VT"),
    "f": "F",
    "inf": "Inf",
    "p": "P",
    "x": "X",
}
"""The class of quotas that an instance type counts for, by the letters that its name begins with (EC2 User Guide, "EC2
On-Demand Instance quotas" and "Spot Instance quotas"). P5 has a spot quota of its own in some regions."""

_CODES = {
    _STANDARD: {"on-demand": "L-1216C47A", "spot": "L-34B43A08"},
    "G and VT": {"on-demand": "L-DB2E81BA", "spot": "L-3819A6DF"},
    "F": {"on-demand": "L-74FC7D96", "spot": "L-88CF9481"},
    "Inf": {"on-demand": "L-1945791B", "spot": "L-B5D1601B"},
    "P": {"on-demand": "L-417A185B", "spot": "L-7212CCBC"},
    "X": {"on-demand": "L-7295265B", "spot": "L-E3A00192"},
}
"""Codes of Service Quotas (service code `ec2`)."""

_LETTERS = re.compile(r"[a-z]+")


class Need(Struct, frozen=True, kw_only=True):
    """The vCPUs that nodes may come to, all of them of the largest instance type that counts for a quota.

    `quota` is None if that of the type is not known.
    """

    quota: Quota | None
    instance_type: str
    vcpus: int
    nodes: int

    @property
    def total(self) -> int:
        """All of them together."""
        return self.vcpus * self.nodes


def needs(types: Mapping[str, TypeFacts], market: Market, max_nodes: int) -> list[Need]:
    """Return what max_nodes nodes may need of each quota, if all of them are of the largest type that counts for it."""
    markets = {Market.SPOT_FIRST: ("spot", "on-demand"), Market.SPOT: ("spot",), Market.ON_DEMAND: ("on-demand",)}
    largest: dict[Quota | None, str] = {}
    for bought in markets[market]:
        for name in types:
            quota = _quota(name, bought)
            if quota not in largest or types[name].vcpus > types[largest[quota]].vcpus:
                largest[quota] = name
    return [
        Need(quota=quota, instance_type=name, vcpus=types[name].vcpus, nodes=max_nodes)
        for quota, name in largest.items()
    ]


def _quota(instance_type: str, bought: str) -> Quota | None:
    letters = _LETTERS.match(instance_type)
    family = _FAMILIES.get(letters[0]) if letters else None
    return None if family is None else Quota(_CODES[family][bought], f"{family} {bought} instances")


def judge_quota(need: Need, limit: float | None) -> Finding:
    """Judge a quota by what the farm may need of it; `limit` is None if Service Quotas does not tell it."""
    nodes = f"{counted(need.nodes, 'node')} (scale.max_nodes) of {need.instance_type}"
    if need.quota is None:
        said = f"which quota {need.instance_type} counts for is not known here"
        return Finding(_QUOTA, Verdict.OK, said, f"see in Service Quotas whether it has {need.total} vCPUs")
    if limit is None:
        said = f"Service Quotas does not tell {need.quota.code}, of {need.quota.name}"
        return Finding(_QUOTA, Verdict.WARNING, said, f"see that it has {need.total} vCPUs, for {nodes}")
    if need.total > limit:
        said = f"{nodes} may need {need.total} vCPUs; of {need.quota.name} this account may have {limit:g}"
        advice = (
            f"lower scale.max_nodes, or: aws service-quotas request-service-quota-increase --service-code ec2"
            f" --quota-code {need.quota.code} --desired-value {need.total}"
        )
        return Finding(_QUOTA, Verdict.WARNING, said, advice)
    said = f"{nodes} may need {need.total} of the {limit:g} vCPUs of {need.quota.name}"
    return Finding(_QUOTA, Verdict.OK, said)
