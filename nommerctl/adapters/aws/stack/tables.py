"""Tables of DynamoDB as parts of a farm."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.resources import TABLE, table_request
from nommerctl.adapters.aws.stack.ownership import (
    check_not_foreign,
    check_ours,
    farm_of,
    maker_of,
    prefix_of,
    shown_tags,
    tags_of,
)
from nommerctl.adapters.aws.stack.table_forms import missing_indexes, new_index, shape
from nommerctl.adapters.aws.stack.waiting import shown_at_last
from nommerctl.domain.stack import Difference, Found, Part, Properties, Resource, differences
from nommerctl.errors import ItemError

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

T = TypeVar("T")

_LONGEST = 600.0
"""Seconds that a table is waited for. One is made in some ten; an index on many jobs takes its minutes."""

_MISSING = "ResourceNotFoundException"
_IN_USE = "ResourceInUseException"
_NOT_YET = "ContinuousBackupsUnavailableException"
"""DynamoDB's word for a table that is so new that its backups are still being arranged."""


class Tables:
    """A Kind. `sleep` takes seconds."""

    kind = TABLE

    def __init__(self, clients: Clients, farm: str, sleep: Callable[[float], None]) -> None:
        self._clients = clients
        self._farm = farm
        self._sleep = sleep

    @property
    def _dynamodb(self) -> "DynamoDBClient":
        return self._clients.dynamodb

    def find(self, resource: Resource) -> Found | None:
        """Return a table as it is; one that is being made is waited for, one that is being deleted is none."""
        name = resource.name
        there = self._described(name)
        if there is not None and there["TableStatus"] == "CREATING":
            there = self._settled(name)
        if there is None or there["TableStatus"] == "DELETING":
            return None
        arn = there["TableArn"]
        tags = self._tags(name, arn)
        properties = {
            **shape(there, resource.properties),
            "TimeToLiveSpecification": self._expiry(name),
            "PointInTimeRecoverySpecification": self._recovery(name),
            "Tags": shown_tags(tags, resource.properties),
        }
        return Found(
            id=name, properties=properties, attributes={"Arn": arn}, farm=farm_of(tags), made_by=maker_of(tags)
        )

    def create(self, resource: Resource) -> Found:
        """Make a table. One that is there, ours, is completed: it may be from a try whose answer was lost."""
        name = resource.name
        self._await_end_of_deletion(name)
        made = self._make(name, resource.properties)
        self._settled(name)
        found = self._found(resource)
        check_not_foreign(found.farm, self._farm, self.kind, name)
        gaps = differences(found.properties, resource.properties)
        if not gaps or not (made or found.farm):  # its tags may be shown a little later
            return found
        self.update(resource, found, gaps)
        return self._found(resource)

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:
        """Change a table, one step after the other: DynamoDB takes one index at a time.

        ItemError for keys, and for an index that is there otherwise than it is wanted.
        """
        name, wanted = resource.name, resource.properties
        check_not_foreign(found.farm, self._farm, self.kind, name)
        changed = {each.path.partition(".")[0] for each in differences}
        indexes = missing_indexes(name, found.properties, wanted, changed)
        if "BillingMode" in changed:
            self._change(name, {"BillingMode": wanted["BillingMode"]})
        for index in indexes:
            self._change(name, new_index(index, wanted))
        if "TimeToLiveSpecification" in changed:
            self._set_expiry(name, found.properties["TimeToLiveSpecification"], wanted["TimeToLiveSpecification"])
        if "PointInTimeRecoverySpecification" in changed:
            self._set_recovery(name, wanted["PointInTimeRecoverySpecification"])
        if "Tags" in changed:
            with calling("dynamodb:TagResource", _what(name)):
                self._dynamodb.tag_resource(ResourceArn=found.attributes["Arn"], Tags=wanted["Tags"])

    def delete(self, part: Part) -> None:
        """Delete a table with all that is in it."""
        name = part.name
        there = self._described(name)
        if there is not None and there["TableStatus"] != "DELETING":
            if there["TableStatus"] != "ACTIVE":
                there = self._settled(name)
            check_ours(farm_of(self._tags(name, there["TableArn"])), self._farm, self.kind, name)
            if there.get("DeletionProtectionEnabled"):
                msg = f"table {name} is protected against deletion: turn that off in DynamoDB, then delete it again"
                raise ItemError(msg)
            with calling("dynamodb:DeleteTable", _what(name)):
                try:
                    self._dynamodb.delete_table(TableName=name)
                except ClientError as error:
                    if code_of(error) not in {_MISSING, _IN_USE}:  # gone, or being deleted, by another's hand
                        raise
        self._await_end_of_deletion(name)

    def parts(self) -> list[Part]:
        """Return the tables with the farm's tag, but for those that are being deleted."""
        return [
            Part(self.kind, name, maker_of(tags))
            for name in self._names()
            if name.startswith(prefix_of(self._farm))
            and (there := self._described(name)) is not None
            and there["TableStatus"] != "DELETING"
            and farm_of(tags := self._tags(name, there["TableArn"])) == self._farm
        ]

    # --- what is there

    def _found(self, resource: Resource) -> Found:
        found = self.find(resource)
        if found is None:
            msg = f"table {resource.name} was deleted while it was being made: run 'nommerctl aws bootstrap' again"
            raise ItemError(msg)
        return found

    def _names(self) -> Iterator[str]:
        asked: dict[str, Any] = {}
        while True:
            with calling("dynamodb:ListTables", "the tables"):
                page = self._dynamodb.list_tables(**asked)
                names, last = page["TableNames"], page.get("LastEvaluatedTableName")
            yield from names
            if not last:
                return
            asked = {"ExclusiveStartTableName": last}

    def _described(self, name: str) -> "TableDescriptionTypeDef | None":
        with calling("dynamodb:DescribeTable", _what(name)):
            try:
                return self._dynamodb.describe_table(TableName=name)["Table"]
            except ClientError as error:
                if code_of(error) != _MISSING:
                    raise
                return None

    def _tags(self, name: str, arn: str) -> dict[str, str]:
        tags: dict[str, str] = {}
        asked: dict[str, Any] = {"ResourceArn": arn}
        while True:
            with calling("dynamodb:ListTagsOfResource", _what(name)):
                page = self._dynamodb.list_tags_of_resource(**asked)
                tags |= tags_of(page.get("Tags", []))
            if not page.get("NextToken"):
                return tags
            asked["NextToken"] = page["NextToken"]

    def _expiry(self, name: str) -> dict[str, Any]:
        with calling("dynamodb:DescribeTimeToLive", _what(name)):
            found = self._dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if found.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}:
            return {"AttributeName": found.get("AttributeName", ""), "Enabled": True}
        return {"Enabled": False}

    def _recovery(self, name: str) -> dict[str, Any]:
        with calling("dynamodb:DescribeContinuousBackups", _what(name)):
            found = self._dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        status = found.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
        return {"PointInTimeRecoveryEnabled": status == "ENABLED"}

    # --- waiting

    def _settled(self, name: str) -> "TableDescriptionTypeDef":
        """Return a table when neither it nor one of its indexes is being made or changed."""

        def look() -> "TableDescriptionTypeDef | None":
            there = self._described(name)
            if there is None:
                return None  # DynamoDB may take a moment until it shows a new one
            if there["TableStatus"] == "DELETING":
                return there
            indexes = there.get("GlobalSecondaryIndexes", [])
            statuses = {there["TableStatus"], *(each.get("IndexStatus") for each in indexes)}
            return None if statuses & {"CREATING", "UPDATING", "DELETING"} else there

        return self._awaited(look, f"table {name} is still being made or changed")

    def _await_end_of_deletion(self, name: str) -> None:
        def look() -> bool | None:
            there = self._described(name)
            return True if there is None or there["TableStatus"] != "DELETING" else None

        self._awaited(look, f"table {name} is still being deleted")

    def _awaited(self, look: Callable[[], T | None], late: str) -> T:
        return shown_at_last(look, self._sleep, _LONGEST, f"{late} after {_LONGEST:.0f} s: run this again later")

    # --- changing

    def _make(self, name: str, properties: Properties) -> bool:
        """Return whether it was made: it may be there."""
        with calling("dynamodb:CreateTable", _what(name)):
            try:
                self._dynamodb.create_table(**table_request(properties))
            except ClientError as error:
                if code_of(error) != _IN_USE:
                    raise
                return False
        return True

    def _change(self, name: str, what: Mapping[str, Any]) -> None:
        self._settled(name)
        with calling("dynamodb:UpdateTable", _what(name)):
            self._dynamodb.update_table(TableName=name, **what)
        self._settled(name)

    def _set_expiry(self, name: str, found: Properties, wanted: Properties) -> None:
        if found["Enabled"] and wanted["Enabled"]:
            msg = (
                f"table {name} removes items by the attribute '{found['AttributeName']}' instead of"
                f" '{wanted['AttributeName']}': turn its time to live off in DynamoDB, and run this again an hour later"
            )
            raise ItemError(msg)
        with calling("dynamodb:UpdateTimeToLive", _what(name)):
            try:
                self._dynamodb.update_time_to_live(
                    TableName=name,
                    TimeToLiveSpecification={"AttributeName": wanted["AttributeName"], "Enabled": wanted["Enabled"]},
                )
            except ClientError as error:
                if code_of(error) != "ValidationException" or differences(self._expiry(name), wanted):
                    raise  # else it was done already, in a try whose answer was lost

    def _set_recovery(self, name: str, wanted: Properties) -> None:
        def look() -> bool | None:
            with calling("dynamodb:UpdateContinuousBackups", _what(name)):
                try:
                    self._dynamodb.update_continuous_backups(
                        TableName=name,
                        PointInTimeRecoverySpecification={
                            "PointInTimeRecoveryEnabled": wanted["PointInTimeRecoveryEnabled"]
                        },
                    )
                except ClientError as error:
                    if code_of(error) != _NOT_YET:
                        raise
                    return None
            return True

        self._awaited(look, f"the backups of table {name} are still being arranged")


def _what(name: str) -> str:
    return f"table '{name}'"
