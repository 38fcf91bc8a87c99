"""The tables and queues of a farm, looked at: what there is, in the words of domain/aws_parts.py."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.names import ledger_table
from nommerctl.adapters.aws.resources import EXPIRES, tables
from nommerctl.domain.aws_parts import Key, QueueForm, TableFacts

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

_NO_TABLE = frozenset({"ResourceNotFoundException", "TableNotFoundException"})
_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_ON = frozenset({"ENABLED", "ENABLING"})

_COUNTS: "tuple[QueueAttributeNameType, ...]" = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def wanted_table(farm: str, name: str) -> TableFacts:
    """Return how a table of the farm should be."""
    (wanted,) = (each.properties for each in tables(farm) if each.name == name)
    return _facts(wanted, expires=EXPIRES if name == ledger_table(farm) else "")


def table_facts(clients: Clients, name: str) -> TableFacts | None:
    """Return how a table is, None if there is none."""
    with calling("dynamodb:DescribeTable", f"table '{name}'"):
        try:
            found = clients.dynamodb.describe_table(TableName=name)["Table"]
        except ClientError as error:
            if code_of(error) in _NO_TABLE:
                return None
            raise
    if found.get("TableStatus") != "ACTIVE":
        return _facts(found)
    with calling("dynamodb:DescribeTimeToLive", f"table '{name}'"):
        expiry = clients.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    on = expiry.get("TimeToLiveStatus") in _ON
    return _facts(found, expires=expiry.get("AttributeName", "") if on else "")


def _facts(found: Mapping[str, Any], expires: str = "") -> TableFacts:
    types = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
    indexes: Sequence[Mapping[str, Any]] = found.get("GlobalSecondaryIndexes", ())
    return TableFacts(
        key=Key(_attributes(found["KeySchema"], types)),
        indexes={
            each["IndexName"]: Key(_attributes(each["KeySchema"], types), _shows(each["Projection"]))
            for each in indexes
        },
        expires=expires,
        state=found.get("TableStatus", "ACTIVE"),
        unusable=tuple(each["IndexName"] for each in indexes if each.get("IndexStatus", "ACTIVE") == "CREATING"),
    )


def _attributes(schema: Iterable[Mapping[str, str]], types: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    ordered = sorted(schema, key=lambda each: each["KeyType"])  # HASH before RANGE
    return tuple((each["AttributeName"], types.get(each["AttributeName"], "")) for each in ordered)


def _shows(projection: Mapping[str, Any]) -> tuple[str, ...]:
    if projection["ProjectionType"] == "INCLUDE":
        return tuple(sorted(projection["NonKeyAttributes"]))
    return () if projection["ProjectionType"] == "KEYS_ONLY" else ("ALL",)


def queue_form(clients: Clients, name: str) -> QueueForm | None:
    """Return how a queue is, None if there is none."""
    found = _attributes_of(clients, name, ("RedrivePolicy",))
    if found is None:
        return None
    target = _target(found.get("RedrivePolicy", "{}"))
    return QueueForm(dead_letters=target, dead=queue_length(clients, target) if target else None)


def queue_length(clients: Clients, name: str) -> int | None:
    """Return how many messages a queue holds, in whatever state; None if there is no such queue."""
    found = _attributes_of(clients, name, _COUNTS)
    return None if found is None else sum(int(found.get(each, "0")) for each in _COUNTS)


def _attributes_of(clients: Clients, name: str, wanted: "Sequence[QueueAttributeNameType]") -> Mapping[str, str] | None:
    with calling("sqs:GetQueueUrl", f"queue '{name}'"):
        try:
            url = clients.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        except ClientError as error:
            if code_of(error) in _NO_QUEUE:
                return None
            raise
    with calling("sqs:GetQueueAttributes", f"queue '{name}'"):
        try:
            found = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted).get("Attributes", {})
            return {str(name): value for name, value in found.items()}
        except ClientError as error:
            if code_of(error) in _NO_QUEUE:  # the URL of one that was deleted is given out for a minute
                return None
            raise


def _target(policy: str) -> str:
    """Return the name of the queue of dead letters, '' if none is named."""
    try:
        arn: str = msgspec.json.decode(policy, type=dict[str, Any]).get("deadLetterTargetArn", "")
    except msgspec.MsgspecError:
        return ""
    return arn.rpartition(":")[2]
