"""What a call may say, made up from botocore's own model of it: every parameter, all the way down."""

from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

_NAMED = {"Bucket": "bucket", "ChecksumAlgorithm": "CRC32", "QueueUrl": "https://sqs.example/1/queue"}
"""What botocore looks into, so that not everything will do."""

_PLAIN: dict[str, Any] = {
    "blob": b"blob",
    "boolean": True,
    "double": 1.5,
    "float": 1.5,
    "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
}


def parameters(operation: OperationModel) -> dict[str, Any]:
    """Return parameters for a call of this operation."""
    shape = operation.input_shape
    return {} if shape is None else _structure(shape, ())


def _structure(shape: StructureShape, within: tuple[str, ...]) -> dict[str, Any]:
    inside = (*within, shape.name)
    return {
        name: _NAMED.get(name) or _value(member, inside)
        for name, member in shape.members.items()
        if member.name not in inside  # a structure may hold its own kind: once is enough
    }


def _value(shape: Shape, within: tuple[str, ...]) -> Any:  # noqa: ANN401 - as many kinds as JSON has
    if isinstance(shape, StructureShape):
        return _structure(shape, within)
    if isinstance(shape, ListShape):
        return [] if shape.member.name in within else [_value(shape.member, within)]
    if isinstance(shape, MapShape):
        return {} if shape.value.name in within else {"key": _value(shape.value, within)}
    least = int(shape.metadata.get("min", 1))
    if shape.type_name in {"integer", "long"}:
        return max(1, least)
    if shape.type_name in _PLAIN:
        return _PLAIN[shape.type_name]
    return next(iter(shape.metadata.get("enum", ())), "x" * least)
