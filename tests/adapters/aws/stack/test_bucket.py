"""The farm's own bucket, on moto."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.node.packages import WheelFile
from nommerctl.adapters.aws.stack.bucket import Buckets
from nommerctl.adapters.aws.stack.own_bucket import package_bucket
from nommerctl.adapters.aws.stack.storage_blueprint import storage_parts
from nommerctl.domain.stack import Part
from nommerctl.errors import ItemError, PermissionDeniedError, SettingsError, TryAgainError
from tests.adapters.aws.stack.storage_farm import ACCOUNT, StorageFarm, storage_farm, tags
from tests.aws_farm import REGION
from tests.cloud import Cloud, Cut, Reach, refusal

pytestmark = pytest.mark.slow  # each part is made and deleted over the wire


BUSY = refusal("s3", "OperationAborted", 409)


@pytest.fixture
def farm(
    cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StorageFarm]:
    with storage_farm(cloud, cloud_clients, tmp_path, monkeypatch) as farm:
        yield farm


def bucket_of(farm: StorageFarm) -> str:
    return f"nommerctl-{farm.name}-{ACCOUNT}-{REGION}"


def make(farm: StorageFarm, *logicals: str) -> None:
    for logical in logicals or ("PackageBucket",):
        farm.stack.create(farm.part(logical))


def test_a_bucket_that_was_made_is_as_it_is_wanted(farm: StorageFarm) -> None:
    assert farm.stack.find(farm.part("PackageBucket")) is None

    made = farm.stack.create(farm.part("PackageBucket"))

    assert farm.gaps("PackageBucket") == []
    assert (made.id, made.farm, made.made_by) == (bucket_of(farm), farm.name, "")
    assert made.attributes == {"Arn": f"arn:aws:s3:::{bucket_of(farm)}"}
    assert farm.names() == [f"bucket {bucket_of(farm)}"]


def test_a_bucket_is_made_in_the_region_that_is_not_named_to_s3(farm: StorageFarm) -> None:
    clients = Clients(region="us-east-1")
    kind = Buckets(clients, farm.name, farm.pauses.append)
    name = package_bucket(farm.name, ACCOUNT, "us-east-1")
    wanted = storage_parts(farm.name, ACCOUNT, "us-east-1", WheelFile(farm.wheel, ""))
    resource = next(each for each in wanted if each.logical == "PackageBucket")

    kind.create(resource)

    assert kind.parts() == [Part("AWS::S3::Bucket", name)]
    kind.delete(Part("AWS::S3::Bucket", name))
    assert kind.find(resource) is None
    clients.close()


def without_lifecycle(farm: StorageFarm) -> None:
    farm.clients.s3().delete_bucket_lifecycle(Bucket=bucket_of(farm))


def with_another_lifecycle(farm: StorageFarm) -> None:
    rule: Any = {"ID": "mine", "Status": "Enabled", "Filter": {"Prefix": "wheels/"}, "Expiration": {"Days": 3}}
    farm.clients.s3().put_bucket_lifecycle_configuration(
        Bucket=bucket_of(farm),
        LifecycleConfiguration={"Rules": [rule]},
    )


def open_to_all(farm: StorageFarm) -> None:
    farm.clients.s3().put_public_access_block(
        Bucket=bucket_of(farm),
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "BlockPublicPolicy": False,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
    )


def with_lists(farm: StorageFarm) -> None:
    farm.clients.s3().put_bucket_ownership_controls(
        Bucket=bucket_of(farm), OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )


def with_another_key(farm: StorageFarm) -> None:
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    farm.clients.s3().put_bucket_encryption(
        Bucket=bucket_of(farm),
        ServerSideEncryptionConfiguration={"Rules": [rule]},
    )


def without_tag(farm: StorageFarm) -> None:
    farm.clients.s3().delete_bucket_tagging(Bucket=bucket_of(farm))


@pytest.mark.parametrize(
    ("tamper", "paths"),
    [
        (without_lifecycle, ["LifecycleConfiguration"]),
        (
            with_another_lifecycle,
            ["LifecycleConfiguration.Rules.0.Id", "LifecycleConfiguration.Rules.0.AbortIncompleteMultipartUpload"],
        ),
        (open_to_all, ["PublicAccessBlockConfiguration.BlockPublicPolicy"]),
        (with_lists, ["OwnershipControls.Rules"]),
        (with_another_key, ["BucketEncryption.ServerSideEncryptionConfiguration"]),
        (without_tag, ["Tags"]),
    ],
)
def test_what_was_changed_is_seen_and_mended(
    farm: StorageFarm, tamper: Callable[[StorageFarm], None], paths: list[str]
) -> None:
    make(farm)
    tamper(farm)
    assert farm.gaps("PackageBucket") == paths

    farm.mend("PackageBucket")

    assert farm.gaps("PackageBucket") == []


def test_a_tag_that_nobody_wants_may_be_there_and_stays(farm: StorageFarm) -> None:
    make(farm)
    tag: Any = {"Key": "cost", "Value": "films"}
    farm.clients.s3().put_bucket_tagging(Bucket=bucket_of(farm), Tagging={"TagSet": [tag]})

    farm.mend("PackageBucket")

    found = farm.clients.s3().get_bucket_tagging(Bucket=bucket_of(farm))["TagSet"]
    assert sorted(found, key=lambda each: each["Key"]) == [tag, *tags(farm.name)]


def test_a_bucket_that_was_made_and_not_tagged_is_completed(farm: StorageFarm) -> None:
    farm.cloud.fail("s3", "PUT tagging", refusal("s3", "AccessDenied", 403))
    with pytest.raises(PermissionDeniedError, match=r"AWS refuses s3:PutBucketTagging on bucket '"):
        make(farm)
    assert farm.found("PackageBucket").farm is None

    farm.mend("PackageBucket")

    assert farm.gaps("PackageBucket") == []


def test_an_answer_that_is_lost_does_no_harm(farm: StorageFarm) -> None:
    farm.cloud.fail("s3", "PUT", Cut.AFTER)

    make(farm)

    assert farm.gaps("PackageBucket") == []


def test_a_name_about_which_something_else_is_being_done_is_waited_for(farm: StorageFarm) -> None:
    farm.cloud.fail("s3", "PUT", BUSY, BUSY)

    make(farm)

    assert farm.gaps("PackageBucket") == []
    assert farm.pauses == [0.5, 1.0]


def test_the_wait_for_a_name_has_an_end(farm: StorageFarm) -> None:
    farm.part("PackageBucket")
    said = f"something else is being done about bucket {bucket_of(farm)}: run this again in a minute"

    with farm.cloud.trouble(BUSY, Reach.OPERATION), pytest.raises(TryAgainError, match=said):
        make(farm)


def test_every_call_says_whose_the_bucket_must_be(farm: StorageFarm) -> None:
    make(farm)
    asked: dict[str, object] = {}

    def note(params: dict[str, dict[str, object]], event_name: str, **_: object) -> None:
        asked[event_name.rpartition(".")[2]] = params["headers"].get("x-amz-expected-bucket-owner")

    events = farm.clients.s3().meta.events
    events.register("before-call.s3", note)
    farm.found("PackageBucket")
    without_tag(farm)
    farm.mend("PackageBucket")
    farm.take_down()
    events.unregister("before-call.s3", note)

    assert asked.pop("DeleteBucketTagging") is None  # the test's own
    assert set(asked.values()) == {ACCOUNT}
    assert {"HeadBucket", "GetBucketTagging", "PutBucketTagging", "DeleteBucket"} <= set(asked)


def test_a_bucket_that_another_account_has_is_said(farm: StorageFarm) -> None:
    resource = farm.part("PackageBucket")
    farm.cloud.fail("s3", "HEAD", refusal("s3", "AccessDenied", 403))
    with pytest.raises(PermissionDeniedError, match=r"lack the permission for it, or it is another account's: then"):
        farm.stack.find(resource)

    farm.cloud.fail("s3", "PUT", refusal("s3", "BucketAlreadyExists", 409))
    with pytest.raises(ItemError, match=f"another account has a bucket that is called {bucket_of(farm)}: call the"):
        farm.stack.create(resource)


def test_a_bucket_with_another_farms_tag_is_left_alone(farm: StorageFarm) -> None:
    make(farm)
    resource, wheel = farm.part("PackageBucket"), farm.part("Wheel")
    farm.clients.s3().put_bucket_tagging(Bucket=bucket_of(farm), Tagging={"TagSet": tags("theirs")})
    said = (
        f"bucket {resource.name} carries the tag nommerctl:farm = theirs, so it is another farm's: call this one"
        f" otherwise (farm.name is {farm.name})"
    )

    with pytest.raises(SettingsError, match=re.escape(said)):
        farm.stack.find(resource)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: farm.stack.create(resource),
        lambda: farm.stack.delete(farm.named("PackageBucket")),
        lambda: farm.stack.create(wheel),
    )
    for attempt in attempts:
        with pytest.raises(ItemError, match=re.escape(said)):
            attempt()
    assert farm.names() == []


def test_a_bucket_without_the_tag_is_no_part_and_is_not_deleted(farm: StorageFarm) -> None:
    make(farm)
    without_tag(farm)

    assert farm.names() == []
    with pytest.raises(ItemError, match=r"lacks the tag nommerctl:farm = .*, so it is left alone: delete it by hand"):
        farm.stack.delete(farm.named("PackageBucket"))


def test_a_bucket_of_media_is_not_deleted_even_if_it_carries_the_tag(farm: StorageFarm) -> None:
    media = f"nommerctl-{farm.name}-media"
    s3 = farm.clients.s3()
    s3.create_bucket(Bucket=media, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_tagging(Bucket=media, Tagging={"TagSet": tags(farm.name)})

    assert farm.names() == []
    with pytest.raises(ItemError, match=f"bucket {media} is not the one that 'nommerctl aws bootstrap' makes"):
        farm.stack.delete(Part("AWS::S3::Bucket", media))
    s3.head_bucket(Bucket=media)


def test_farms_whose_names_begin_alike_do_not_see_each_other(
    farm: StorageFarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage_farm(farm.cloud, farm.clients, tmp_path, monkeypatch, f"{farm.name}-b") as other:
        make(farm, "PackageBucket", "Wheel")
        make(other)

        assert farm.names() == [
            f"bucket {bucket_of(farm)}",
            f"wheel {bucket_of(farm)}/wheels/nommerctl-1.0-py3-none-any.whl",
        ]
        assert other.names() == [f"bucket {bucket_of(other)}"]


def test_a_bucket_is_deleted_with_every_version_of_what_is_in_it(farm: StorageFarm) -> None:
    make(farm)
    s3, bucket = farm.clients.s3(), bucket_of(farm)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="wheels/x", Body=content)
    s3.delete_object(Bucket=bucket, Key="wheels/x")
    farm.cloud.fail("s3", "DELETE", refusal("s3", "BucketNotEmpty", 409), Cut.AFTER)

    farm.stack.delete(farm.named("PackageBucket"))
    farm.stack.delete(farm.named("PackageBucket"))

    assert farm.stack.find(farm.part("PackageBucket")) is None
    assert farm.names() == []
    assert farm.pauses == [0.5]


def test_an_object_that_s3_does_not_delete_is_named(farm: StorageFarm) -> None:
    make(farm, "PackageBucket", "Wheel")
    denied = refusal("s3", "AccessDenied", 200)
    body = b"<DeleteResult><Error><Key>wheels/x</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    farm.cloud.fail("s3", "POST delete", denied._replace(body=body))

    with pytest.raises(
        PermissionDeniedError, match=r"S3 does not delete wheels/x from bucket .* \(AccessDenied\): see"
    ):
        farm.stack.delete(farm.named("PackageBucket"))


@pytest.mark.parametrize("name", ["a", "films-of-2026"])
def test_the_name_of_the_bucket_has_the_account_and_the_region(name: str) -> None:
    assert package_bucket(name, ACCOUNT, "ap-southeast-1") == f"nommerctl-{name}-123456789012-ap-southeast-1"


def test_a_farm_whose_name_is_too_long_for_a_bucket_is_told_so() -> None:
    said = "farm.name: '.*' is too long for a bucket to be named after it: shorten it by 7 characters, or leave"
    with pytest.raises(SettingsError, match=said):
        package_bucket("f" * 32, ACCOUNT, "ap-southeast-1")


def test_a_farm_whose_name_is_too_long_for_a_bucket_has_none(
    cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage_farm(cloud, cloud_clients, tmp_path, monkeypatch, "f" * 32) as farm:
        assert farm.names() == []
