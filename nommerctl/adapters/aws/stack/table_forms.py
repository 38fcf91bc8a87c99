"""The form of a table: as DynamoDB describes it, as CloudFormation has it, and what can be changed about it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nommerctl.domain.stack import Properties
from nommerctl.errors import ItemError

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef


def shape(there: "TableDescriptionTypeDef", wanted: Properties) -> dict[str, Any]:
    """Return what a description says, as properties, its lists in the order of those that are wanted.

    Indexes that nobody wants, and the attributes of their keys, are left out: they may be there.
    """
    found = {
        "TableName": there["TableName"],
        "BillingMode": there.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "AttributeDefinitions": _in_order(
            there.get("AttributeDefinitions", []), wanted["AttributeDefinitions"], "AttributeName"
        ),
        "KeySchema": [dict(each) for each in there["KeySchema"]],
    }
    if "GlobalSecondaryIndexes" in wanted:
        indexes = [_index(each) for each in there.get("GlobalSecondaryIndexes", [])]
        found["GlobalSecondaryIndexes"] = _in_order(indexes, wanted["GlobalSecondaryIndexes"], "IndexName")
    return found


def _index(there: Mapping[str, Any]) -> dict[str, Any]:
    projection = dict(there["Projection"])
    if "NonKeyAttributes" in projection:
        projection["NonKeyAttributes"] = sorted(projection["NonKeyAttributes"])
    return {"IndexName": there["IndexName"], "KeySchema": there["KeySchema"], "Projection": projection}


def _in_order(found: Sequence[Mapping[str, Any]], wanted: Sequence[Properties], key: str) -> list[dict[str, Any]]:
    by_key = {each[key]: dict(each) for each in found}
    return [by_key[each[key]] for each in wanted if each[key] in by_key]


def missing_indexes(name: str, found: Properties, wanted: Properties, changed: set[str]) -> list[Properties]:
    """Return the indexes to be made of a table; ItemError for keys and indexes that cannot be changed."""
    types = {each["AttributeName"]: each for each in found["AttributeDefinitions"]}
    retyped = any(types.get(each["AttributeName"], each) != each for each in wanted["AttributeDefinitions"])
    if "KeySchema" in changed or retyped:
        msg = (
            f"the keys of table {name} are not those that are wanted, and DynamoDB cannot change keys: save what is in"
            " it, delete it, and run 'nommerctl aws bootstrap' again"
        )
        raise ItemError(msg)
    there = {each["IndexName"]: each for each in found.get("GlobalSecondaryIndexes", ())}
    indexes = wanted.get("GlobalSecondaryIndexes", ())
    for each in indexes:
        if there.get(each["IndexName"], each) != each:
            msg = (
                f"index {each['IndexName']} of table {name} is not as it is wanted, and DynamoDB cannot change an"
                " index: delete the index (jobs stay), and run 'nommerctl aws bootstrap' again"
            )
            raise ItemError(msg)
    return [each for each in indexes if each["IndexName"] not in there]


def new_index(index: Properties, wanted: Properties) -> dict[str, Any]:
    """Return what UpdateTable takes to make an index: with its own keys' attributes, and no others."""
    keys = {each["AttributeName"] for each in index["KeySchema"]}
    return {
        "AttributeDefinitions": [each for each in wanted["AttributeDefinitions"] if each["AttributeName"] in keys],
        "GlobalSecondaryIndexUpdates": [{"Create": index}],
    }
