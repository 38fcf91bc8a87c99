"""Tables that are not made, changed or deleted, on MiniStack."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import jobs_table, ledger_table
from nommerctl.adapters.aws.resources import BY_ID
from nommerctl.errors import ItemError, SettingsError
from tests.adapters.aws.stack.storage_farm import StorageFarm, storage_farm, tags
from tests.adapters.aws.stack.test_tables import make, without_expiry, without_tag
from tests.cloud import Cloud

pytestmark = pytest.mark.slow  # each part is made and deleted over the wire


@pytest.fixture
def farm(
    cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StorageFarm]:
    with storage_farm(cloud, cloud_clients, tmp_path, monkeypatch) as farm:
        yield farm


def other_keys(farm: StorageFarm) -> None:
    farm.clients.dynamodb.create_table(
        TableName=jobs_table(farm.name),
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
        Tags=tags(farm.name),
    )


def test_keys_cannot_be_changed(farm: StorageFarm) -> None:
    other_keys(farm)
    said = (
        f"the keys of table {jobs_table(farm.name)} are not those that are wanted, and DynamoDB cannot change keys:"
        " save what is in it, delete it, and run 'nommerctl aws bootstrap' again"
    )

    with pytest.raises(ItemError, match=re.escape(said)):
        farm.mend("JobsTable")
    with pytest.raises(ItemError, match=re.escape(said)):
        farm.stack.create(farm.part("JobsTable"))


def test_an_index_cannot_be_changed(farm: StorageFarm) -> None:
    make(farm, "JobsTable")
    name = jobs_table(farm.name)
    farm.clients.dynamodb.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": BY_ID}}])
    index: Any = {
        "IndexName": BY_ID,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    farm.clients.dynamodb.update_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )

    with pytest.raises(ItemError, match=f"index by-id of table {name} is not as it is wanted, and DynamoDB cannot"):
        farm.mend("JobsTable")


def test_the_attribute_of_the_time_to_live_cannot_be_changed_at_once(farm: StorageFarm) -> None:
    make(farm, "LedgerTable")
    without_expiry(farm)
    farm.clients.dynamodb.update_time_to_live(
        TableName=ledger_table(farm.name), TimeToLiveSpecification={"AttributeName": "until", "Enabled": True}
    )

    with pytest.raises(ItemError, match="removes items by the attribute 'until' instead of 'expires': turn its time"):
        farm.mend("LedgerTable")


def test_a_table_with_another_farms_tag_is_left_alone(farm: StorageFarm) -> None:
    make(farm, "LedgerTable")
    found = farm.found("LedgerTable")
    resource = farm.part("LedgerTable")
    farm.clients.dynamodb.tag_resource(ResourceArn=found.attributes["Arn"], Tags=tags("theirs"))
    said = (
        f"table {resource.name} carries the tag nommerctl:farm = theirs, so it is another farm's: call this one"
        f" otherwise (farm.name is {farm.name})"
    )

    with pytest.raises(SettingsError, match=re.escape(said)):
        farm.stack.find(resource)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: farm.stack.create(resource),
        lambda: farm.stack.delete(farm.named("LedgerTable")),
    )
    for attempt in attempts:
        with pytest.raises(ItemError, match=re.escape(said)):
            attempt()
    assert farm.names() == []
    farm.clients.dynamodb.delete_table(TableName=resource.name)


def test_a_table_without_the_tag_is_no_part_and_is_not_deleted(farm: StorageFarm) -> None:
    make(farm, "JobsTable")
    without_tag(farm)

    assert farm.found("JobsTable").farm is None
    assert farm.names() == []
    with pytest.raises(ItemError, match=r"lacks the tag nommerctl:farm = .*, so it is left alone: delete it by hand"):
        farm.stack.delete(farm.named("JobsTable"))
    farm.mend("JobsTable")


def test_a_protected_table_is_not_deleted(farm: StorageFarm) -> None:
    make(farm, "JobsTable")
    farm.clients.dynamodb.update_table(TableName=jobs_table(farm.name), DeletionProtectionEnabled=True)

    with pytest.raises(ItemError, match="is protected against deletion: turn that off in DynamoDB, then delete it"):
        farm.stack.delete(farm.named("JobsTable"))
    farm.clients.dynamodb.update_table(TableName=jobs_table(farm.name), DeletionProtectionEnabled=False)
