"""The tables and queues of a farm, and how they are made."""

import json
from typing import TYPE_CHECKING

from nommerctl.adapters.aws.names import (
    FARM_TAG,
    changes_queue,
    dead_letters,
    jobs_table,
    ledger_table,
    new_jobs_queue,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import CreateTableInputTypeDef
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType

BY_CHANGE = "by-change"
"""Index of the jobs table: key `phase` (pending, in-work, untold or finished), range `changed`.

It has `created` and `state` besides."""

BY_ID = "by-id"
"""Index of the jobs table: key `head`, the first character of an id, range `id`."""

EXPIRES = "expires"
"""The attribute of a ledger entry, in seconds since 1970, after which DynamoDB removes it of its own accord."""

MAX_RECEIVES = 50
"""A message that was received more often goes to the dead letters."""

KEPT = 14 * 24 * 3600
"""Seconds that SQS keeps a message: the most that it can."""


def tables(farm: str) -> tuple["CreateTableInputTypeDef", "CreateTableInputTypeDef"]:
    """Return what creates the tables of jobs and of the ledger, on-demand and encrypted as DynamoDB does by default."""
    jobs: CreateTableInputTypeDef = {
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
        "Tags": [{"Key": FARM_TAG, "Value": farm}],
    }
    ledger: CreateTableInputTypeDef = {
        "TableName": ledger_table(farm),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "kind", "AttributeType": "S"},
            {"AttributeName": "key", "AttributeType": "S"},
        ],
        "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "key", "KeyType": "RANGE"}],
        "Tags": [{"Key": FARM_TAG, "Value": farm}],
    }
    return jobs, ledger


def create_tables(dynamodb: "DynamoDBClient", farm: str) -> None:
    """Create both tables and wait until they can be used."""
    made = tables(farm)
    for table in made:
        dynamodb.create_table(**table)
    waiter = dynamodb.get_waiter("table_exists")
    for table in made:
        waiter.wait(TableName=table["TableName"], WaiterConfig={"Delay": 1})
    dynamodb.update_time_to_live(
        TableName=ledger_table(farm), TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES}
    )


def create_queues(sqs: "SQSClient", farm: str, *, max_receives: int = MAX_RECEIVES) -> None:
    """Create both queues, each with the queue of its dead letters."""
    kept: dict[QueueAttributeNameType, str] = {"MessageRetentionPeriod": str(KEPT), "SqsManagedSseEnabled": "true"}
    for name in (new_jobs_queue(farm), changes_queue(farm)):
        dead = sqs.create_queue(QueueName=dead_letters(name), Attributes=kept, tags={FARM_TAG: farm})["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": max_receives})
        sqs.create_queue(QueueName=name, Attributes={**kept, "RedrivePolicy": redrive}, tags={FARM_TAG: farm})
