"""Tables as parts of a farm, on MiniStack."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import jobs_table, ledger_table
from nommerctl.adapters.aws.resources import BY_CHANGE, BY_ID
from nommerctl.domain.stack import Part, differences
from nommerctl.errors import PermissionDeniedError, TryAgainError
from tests.adapters.aws.stack.storage_farm import StorageFarm, described, storage_farm
from tests.answering import Answer
from tests.cloud import Cloud, Cut, Reach, refusal

pytestmark = pytest.mark.slow  # each part is made and deleted over the wire


@pytest.fixture
def farm(
    cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StorageFarm]:
    with storage_farm(cloud, cloud_clients, tmp_path, monkeypatch) as farm:
        yield farm


def make(farm: StorageFarm, *logicals: str) -> None:
    for logical in logicals or ("JobsTable", "LedgerTable"):
        farm.stack.create(farm.part(logical))


@pytest.mark.parametrize("logical", ["JobsTable", "LedgerTable"])
def test_a_table_that_was_made_is_as_it_is_wanted(farm: StorageFarm, logical: str) -> None:
    assert farm.stack.find(farm.part(logical)) is None

    made = farm.stack.create(farm.part(logical))

    assert farm.gaps(logical) == []
    assert (made.id, made.farm, made.made_by) == (farm.named(logical).name, farm.name, "")
    assert made.attributes["Arn"].endswith(f":table/{made.id}")


def without_expiry(farm: StorageFarm) -> None:
    farm.clients.dynamodb.update_time_to_live(
        TableName=ledger_table(farm.name), TimeToLiveSpecification={"AttributeName": "expires", "Enabled": False}
    )


def without_recovery(farm: StorageFarm) -> None:
    farm.clients.dynamodb.update_continuous_backups(
        TableName=jobs_table(farm.name), PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def without_tag(farm: StorageFarm) -> None:
    arn = farm.found("JobsTable").attributes["Arn"]
    farm.clients.dynamodb.untag_resource(ResourceArn=arn, TagKeys=["nommerctl:farm"])


def without_indexes(farm: StorageFarm) -> None:
    for index in (BY_ID, BY_CHANGE):
        farm.clients.dynamodb.update_table(
            TableName=jobs_table(farm.name), GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": index}}]
        )


def provisioned(farm: StorageFarm) -> None:
    farm.clients.dynamodb.update_table(
        TableName=ledger_table(farm.name),
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )


@pytest.mark.parametrize(
    ("logical", "tamper", "paths"),
    [
        ("LedgerTable", without_expiry, ["TimeToLiveSpecification.AttributeName", "TimeToLiveSpecification.Enabled"]),
        ("JobsTable", without_recovery, ["PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"]),
        ("JobsTable", without_tag, ["Tags"]),
        ("LedgerTable", provisioned, ["BillingMode"]),
        ("JobsTable", without_indexes, ["AttributeDefinitions", "GlobalSecondaryIndexes"]),
    ],
)
def test_what_was_changed_is_seen_and_mended(
    farm: StorageFarm, logical: str, tamper: Callable[[StorageFarm], None], paths: list[str]
) -> None:
    make(farm, logical)
    tamper(farm)
    assert farm.gaps(logical) == paths

    farm.mend(logical)

    assert farm.gaps(logical) == []


def test_an_index_and_a_tag_that_nobody_wants_may_be_there(farm: StorageFarm) -> None:
    make(farm, "JobsTable")
    farm.clients.dynamodb.update_table(
        TableName=jobs_table(farm.name),
        AttributeDefinitions=[{"AttributeName": "preset", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "a-mine",
                    "KeySchema": [{"AttributeName": "preset", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    farm.clients.dynamodb.tag_resource(
        ResourceArn=farm.found("JobsTable").attributes["Arn"], Tags=[{"Key": "cost", "Value": "films"}]
    )

    assert farm.gaps("JobsTable") == []


def test_a_table_that_lacks_what_is_set_after_its_creation_is_completed(farm: StorageFarm) -> None:
    farm.cloud.fail("dynamodb", "UpdateTimeToLive", refusal("dynamodb", "AccessDeniedException"))
    with pytest.raises(PermissionDeniedError, match=r"AWS refuses dynamodb:UpdateTimeToLive on table '"):
        make(farm, "LedgerTable")
    assert farm.found("LedgerTable").farm == farm.name

    farm.mend("LedgerTable")

    assert farm.gaps("LedgerTable") == []


def test_a_table_whose_tags_are_shown_a_little_later_is_completed_at_once(farm: StorageFarm) -> None:
    none_yet = Answer(200, {"Content-Type": "application/x-amz-json-1.0"}, b'{"Tags": []}')
    farm.cloud.fail("dynamodb", "ListTagsOfResource", none_yet)

    make(farm, "LedgerTable")

    assert farm.gaps("LedgerTable") == []


def test_a_table_that_another_run_makes_at_the_same_time_is_taken_as_it_is(farm: StorageFarm) -> None:
    make(farm, "LedgerTable")
    farm.cloud.fail("dynamodb", "CreateTable", refusal("dynamodb", "ResourceInUseException"))

    assert farm.stack.create(farm.part("LedgerTable")) == farm.found("LedgerTable")


def test_an_answer_that_is_lost_does_no_harm(farm: StorageFarm) -> None:
    for operation in ("CreateTable", "UpdateTimeToLive"):
        farm.cloud.fail("dynamodb", operation, Cut.AFTER)

    make(farm, "LedgerTable")

    assert farm.gaps("LedgerTable") == []


def test_a_time_to_live_that_somebody_else_has_set_meanwhile_is_no_error(farm: StorageFarm) -> None:
    make(farm, "LedgerTable")
    without_expiry(farm)
    found, resource = farm.found("LedgerTable"), farm.part("LedgerTable")
    farm.mend("LedgerTable")
    farm.cloud.fail("dynamodb", "UpdateTimeToLive", refusal("dynamodb", "ValidationException"))

    farm.stack.update(resource, found, differences(found.properties, resource.properties))

    assert farm.gaps("LedgerTable") == []


def test_a_table_that_is_being_made_is_waited_for(farm: StorageFarm) -> None:
    make(farm, "LedgerTable")
    creating = described(farm.clients, ledger_table(farm.name), TableStatus="CREATING")
    farm.cloud.fail("dynamodb", "DescribeTable", creating, creating, creating)

    assert farm.found("LedgerTable").farm == farm.name

    assert farm.pauses == [0.5, 1.0]


def test_a_table_that_is_never_made_is_given_up_with_a_sentence(farm: StorageFarm) -> None:
    make(farm, "LedgerTable")
    name = ledger_table(farm.name)
    creating = described(farm.clients, name, TableStatus="CREATING")

    with (
        farm.cloud.trouble(creating, Reach.OPERATION),
        pytest.raises(TryAgainError, match=f"table {name} is still being made or changed after 600 s: run this again"),
    ):
        farm.stack.find(farm.part("LedgerTable"))


def test_a_table_that_is_being_deleted_is_none_and_is_waited_for_before_it_is_made_anew(farm: StorageFarm) -> None:
    make(farm, "LedgerTable")
    name = ledger_table(farm.name)
    deleting = described(farm.clients, name, TableStatus="DELETING")
    farm.cloud.fail("dynamodb", "DescribeTable", deleting)
    assert farm.stack.find(farm.part("LedgerTable")) is None
    farm.cloud.fail("dynamodb", "DescribeTable", deleting)
    assert Part("AWS::DynamoDB::Table", name) not in farm.stack.parts()

    farm.cloud.fail("dynamodb", "DescribeTable", deleting, deleting)
    make(farm, "LedgerTable")

    assert farm.pauses == [0.5, 1.0]


def test_backups_that_are_still_being_arranged_are_waited_for(farm: StorageFarm) -> None:
    busy = refusal("dynamodb", "ContinuousBackupsUnavailableException")
    farm.cloud.fail("dynamodb", "UpdateContinuousBackups", busy, busy)

    make(farm, "JobsTable")

    assert farm.gaps("JobsTable") == []
    assert farm.pauses == [0.5, 1.0]


# --- several farms, and the end


def test_farms_whose_names_begin_alike_do_not_see_each_other(
    farm: StorageFarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage_farm(farm.cloud, farm.clients, tmp_path, monkeypatch, f"{farm.name}-b") as other:
        make(farm)
        make(other)

        assert farm.names() == [f"table {jobs_table(farm.name)}", f"table {ledger_table(farm.name)}"]
        assert other.names() == [f"table {jobs_table(other.name)}", f"table {ledger_table(other.name)}"]


def test_all_pages_of_tables_are_read(farm: StorageFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    make(farm)
    list_tables = farm.clients.dynamodb.list_tables
    monkeypatch.setattr(farm.clients.dynamodb, "list_tables", lambda **asked: list_tables(Limit=1, **asked))

    assert len(farm.names()) == 2


def test_a_table_that_is_deleted_is_gone_and_may_be_deleted_again(farm: StorageFarm) -> None:
    make(farm, "LedgerTable")
    farm.cloud.fail("dynamodb", "DeleteTable", Cut.AFTER)

    farm.stack.delete(farm.named("LedgerTable"))
    farm.stack.delete(farm.named("LedgerTable"))

    assert farm.stack.find(farm.part("LedgerTable")) is None
    assert farm.names() == []


def test_a_table_that_cloudformation_made_says_so(farm: StorageFarm) -> None:
    make(farm, "LedgerTable")
    arn = farm.found("LedgerTable").attributes["Arn"]
    farm.clients.dynamodb.tag_resource(
        ResourceArn=arn, Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "films"}]
    )

    assert farm.found("LedgerTable").made_by == "films"
    assert farm.stack.parts() == [Part("AWS::DynamoDB::Table", ledger_table(farm.name), "films")]
