"""What a farm stands on in a cloud account, as data: what is wanted, what is there, and the steps between the two.

A resource is described by the type and the properties that CloudFormation knows it by, so that one description makes
the document and the calls. Source of the forms: the CloudFormation template reference.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Any, TypeAlias

from msgspec import Struct, structs

Properties: TypeAlias = Mapping[str, Any]
"""JSON. A value `{"Ref": LOGICAL}` or `{"Fn::GetAtt": [LOGICAL, NAME]}` stands for what is known once that is made.

A property that is null is one that is not to be there.
"""

SHOWN_WHOLE = 100
"""Characters of the longest value, as JSON, that a difference shows as it is."""


class Resource(Struct, frozen=True, kw_only=True):
    """One part of a farm.

    `logical` names it among the others, `kind` is CloudFormation's type of it (`AWS::SQS::Queue`), `name` what it is
    called in the account. What it refers to stands before it.
    """

    logical: str
    kind: str
    name: str
    properties: Properties


class Found(Struct, frozen=True, kw_only=True):
    """A part as it is in the account. `id` is what its `Ref` stands for, `attributes` what Fn::GetAtt can ask of it.

    `farm` is the value of its farm tag, None if it carries none; `made_by` is the CloudFormation stack that made it, ''
    if none did.
    """

    id: str
    properties: Properties
    attributes: Mapping[str, str] = {}
    farm: str | None = None
    made_by: str = ""


class Part(Struct, frozen=True, order=True):
    """Something in the account that carries the farm's tag: its kind, its name (an id where it has none of its own).

    `made_by` is the CloudFormation stack that made it, '' if none did.
    """

    kind: str
    name: str
    made_by: str = ""


class Difference(Struct, frozen=True):
    """A property that is not as it is wanted: its dotted path, and both values as JSON, '' for none.

    Of a long text there is the SHA-256, its first digits, and its size instead.
    """

    path: str
    found: str
    wanted: str


class Deed(StrEnum):
    """What is done about a part that is wanted."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"


class Step(Struct, frozen=True, kw_only=True):
    """A part that is wanted, and what is done about it: `differences` are those to what is there."""

    deed: Deed
    resource: Resource
    differences: tuple[Difference, ...] = ()


def resolved(value: Any, made: Mapping[str, Found]) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON with every reference to a part in `made` replaced; others stay as they are."""
    match value:
        case {"Ref": str(logical)} if len(value) == 1:
            return made[logical].id if logical in made else value
        case {"Fn::GetAtt": [str(logical), str(name)]} if len(value) == 1:
            return made[logical].attributes.get(name, value) if logical in made else value
        case Mapping():
            return {key: resolved(inner, made) for key, inner in value.items()}
        case str():
            return value
        case Sequence():
            return [resolved(inner, made) for inner in value]
        case _:
            return value


def differences(found: Properties, wanted: Properties) -> tuple[Difference, ...]:
    """Compare what is there with what is wanted, property by property; what nobody wants may be there."""
    return tuple(_gaps("", found, wanted))


def _gaps(path: str, found: Any, wanted: Any) -> Iterator[Difference]:  # noqa: ANN401 - any JSON
    if _text(found) == _text(wanted):
        return
    match found, wanted:
        case Mapping(), Mapping():
            for key in wanted:
                yield from _gaps(f"{path}.{key}" if path else key, found.get(key), wanted[key])
        case (list() | tuple(), list() | tuple()) if _named(found) and _named(wanted):
            there, needed = _named(found), _named(wanted)
            for name in (*needed, *(name for name in there if name not in needed)):
                yield from _gaps(f"{path}.{name}", there.get(name), needed.get(name))
        case (list() | tuple(), list() | tuple()) if len(found) == len(wanted) and _is_long(found, wanted):
            for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
                yield from _gaps(f"{path}.{place}", one, other)
        case _:
            yield Difference(path, _shortened(_text(found)), _shortened(_text(wanted)))


def _named(values: Sequence[Any]) -> Mapping[str, Any]:
    """Return a policy's statements by their names, empty for what is none of these."""
    named = {value["Sid"]: value for value in values if isinstance(value, Mapping) and "Sid" in value}
    return named if len(named) == len(values) else {}


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    from msgspec.json import encode

    return "" if value is None else encode(value, order="sorted").decode()


def _is_long(*values: Any) -> bool:  # noqa: ANN401 - any JSON
    return any(len(_text(value)) > SHOWN_WHOLE for value in values)


def _shortened(text: str) -> str:
    if len(text) <= SHOWN_WHOLE:
        return text
    content = text.encode()
    return f"sha256:{sha256(content).hexdigest()[:12]} ({len(content)} bytes)"


def present(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON without the properties that are not to be there."""
    match value:
        case Mapping():
            return {key: present(inner) for key, inner in value.items() if inner is not None}
        case list() | tuple():
            return [present(inner) for inner in value]
        case _:
            return value


def planned(wanted: Sequence[Resource], found: Mapping[str, Found]) -> tuple[Step, ...]:
    """Plan how to come from what is there, by logical name, to what is wanted, in its order."""
    return tuple(_step(resource, found) for resource in wanted)


def _step(resource: Resource, found: Mapping[str, Found]) -> Step:
    if resource.logical not in found:
        return Step(deed=Deed.CREATE, resource=resource)
    wanted = resolved(resource.properties, found)
    gaps = differences(found[resource.logical].properties, wanted)
    return Step(deed=Deed.UPDATE if gaps else Deed.KEEP, resource=resource, differences=gaps)


def with_resolved(resource: Resource, made: Mapping[str, Found]) -> Resource:
    """Return a part with every reference to what is made replaced."""
    return structs.replace(resource, properties=resolved(resource.properties, made))


KINDS = {
    "AWS::EC2::LaunchTemplate": "launch template",
    "AWS::SQS::Queue": "queue",
    "AWS::DynamoDB::Table": "table",
    "nommerctl::Wheel": "wheel",
    "AWS::S3::Bucket": "bucket",
    "AWS::IAM::InstanceProfile": "instance profile",
    "AWS::IAM::Role": "role",
    "AWS::EC2::SecurityGroup": "security group",
}
"""What people call each kind, in the order in which they are unmade.

The launch template goes first, so that no new node comes up; what others hold, or refer to, goes after them.
"""


def called(kind: str, name: str) -> str:
    """Return how a person names a part."""
    return f"{KINDS.get(kind, kind)} {name}"
