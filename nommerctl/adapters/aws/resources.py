"""The tables and queues of a farm, described once: for the calls that make them and for CloudFormation."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nommerctl.adapters.aws.names import (
    FARM_TAG,
    changes_queue,
    dead_letters,
    jobs_table,
    ledger_table,
    new_jobs_queue,
)
from nommerctl.domain.stack import Found, Properties, Resource, with_resolved

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_sqs.client import SQSClient

TABLE = "AWS::DynamoDB::Table"
QUEUE = "AWS::SQS::Queue"

BY_CHANGE = "by-change"
"""Index of the jobs table: key `phase` (pending, in-work, untold or finished), range `changed`.

It has `created` and `state` besides."""

BY_ID = "by-id"
"""Index of the jobs table: key `head`, the first character of an id, range `id`.

Those of jobs whose listener was given up stand together under a `head` of their own."""

EXPIRES = "expires"
"""The attribute of a ledger entry, in seconds since 1970, after which DynamoDB removes it of its own accord."""

MAX_RECEIVES = 50
"""A message that was received more often goes to the dead letters."""

KEPT = 14 * 24 * 3600
"""Seconds that SQS keeps a message: the most that it can."""


_NOT_AT_CREATION = frozenset({"PointInTimeRecoverySpecification", "TimeToLiveSpecification"})
"""Properties of a table for which there are calls of their own."""

_ATTRIBUTES = ("MessageRetentionPeriod", "SqsManagedSseEnabled", "RedrivePolicy")
"""Properties of a queue that are attributes of SQS's, which takes and gives each as a text of JSON."""


def tables(farm: str) -> tuple[Resource, Resource]:
    """Return the tables of jobs and of the ledger, on-demand and encrypted as DynamoDB does by default.

    The jobs can be had back as they were at any second of the last 35 days.
    """
    jobs = {
        "TableName": jobs_table(farm),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "head", "AttributeType": "S"},
            {"AttributeName": "phase", "AttributeType": "S"},
            {"AttributeName": "changed", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": BY_CHANGE,
                "KeySchema": [
                    {"AttributeName": "phase", "KeyType": "HASH"},
                    {"AttributeName": "changed", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["created", "state"]},
            },
            {
                "IndexName": BY_ID,
                "KeySchema": [
                    {"AttributeName": "head", "KeyType": "HASH"},
                    {"AttributeName": "id", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "Tags": farm_tags(farm),
    }
    ledger = {
        "TableName": ledger_table(farm),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "kind", "AttributeType": "S"},
            {"AttributeName": "key", "AttributeType": "S"},
        ],
        "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "key", "KeyType": "RANGE"}],
        "TimeToLiveSpecification": {"AttributeName": EXPIRES, "Enabled": True},
        "Tags": farm_tags(farm),
    }
    return (
        Resource(logical="JobsTable", kind=TABLE, name=jobs_table(farm), properties=jobs),
        Resource(logical="LedgerTable", kind=TABLE, name=ledger_table(farm), properties=ledger),
    )


def queues(farm: str, *, max_receives: int = MAX_RECEIVES) -> tuple[Resource, ...]:
    """Return both queues, each after the queue of its dead letters, to which it refers."""
    return (
        *_queue_with_dead_letters("NewJobs", new_jobs_queue(farm), farm, max_receives),
        *_queue_with_dead_letters("StateChanges", changes_queue(farm), farm, max_receives),
    )


def _queue_with_dead_letters(logical: str, name: str, farm: str, max_receives: int) -> tuple[Resource, Resource]:
    common = {"MessageRetentionPeriod": KEPT, "SqsManagedSseEnabled": True, "Tags": farm_tags(farm)}
    of_dead = f"{logical}DeadLetters"
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": [of_dead, "Arn"]}, "maxReceiveCount": max_receives}
    dead: Properties = {"QueueName": dead_letters(name), **common}
    queue: Properties = {"QueueName": name, **common, "RedrivePolicy": redrive}
    return (
        Resource(logical=of_dead, kind=QUEUE, name=dead_letters(name), properties=dead),
        Resource(logical=f"{logical}Queue", kind=QUEUE, name=name, properties=queue),
    )


def farm_tags(farm: str) -> list[dict[str, str]]:
    """Return the tags of all that is the farm's, in CloudFormation's form."""
    return [{"Key": FARM_TAG, "Value": farm}]


def table_request(properties: Properties) -> dict[str, Any]:
    """Return what CreateTable takes."""
    return {name: value for name, value in properties.items() if name not in _NOT_AT_CREATION}


def queue_request(properties: Properties) -> dict[str, Any]:
    """Return what CreateQueue takes."""
    return {
        "QueueName": properties["QueueName"],
        "Attributes": queue_attributes(properties),
        "tags": {tag["Key"]: tag["Value"] for tag in properties["Tags"]},
    }


def queue_attributes(properties: Properties) -> dict[str, str]:
    """Return those properties of a queue that are attributes of SQS's, as it takes them."""
    return {name: json.dumps(properties[name]) for name in _ATTRIBUTES if name in properties}


def queue_properties(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return attributes, as SQS gives them, as properties."""
    found = {name: json.loads(attributes[name]) for name in _ATTRIBUTES if attributes.get(name)}
    if redrive := found.get("RedrivePolicy"):
        redrive["maxReceiveCount"] = int(redrive["maxReceiveCount"])  # a text, if it was given as one
    return found


def create_tables(dynamodb: "DynamoDBClient", farm: str) -> None:
    """Create both tables and wait until they can be used, by a client alone: with no look at what is there."""
    made = tables(farm)
    for table in made:
        dynamodb.create_table(**table_request(table.properties))
    waiter = dynamodb.get_waiter("table_exists")
    for table in made:
        waiter.wait(TableName=table.name, WaiterConfig={"Delay": 1})
        if expiry := table.properties.get("TimeToLiveSpecification"):
            dynamodb.update_time_to_live(TableName=table.name, TimeToLiveSpecification=expiry)


def create_queues(sqs: "SQSClient", farm: str, *, max_receives: int = MAX_RECEIVES) -> None:
    """Create both queues, each with the queue of its dead letters, by a client alone."""
    made: dict[str, Found] = {}
    for queue in queues(farm, max_receives=max_receives):
        properties = with_resolved(queue, made).properties
        url = sqs.create_queue(**queue_request(properties))["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        made[queue.logical] = Found(id=url, properties=properties, attributes={"Arn": arn})
