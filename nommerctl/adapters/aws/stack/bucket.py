"""The farm's own bucket as a part of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.stack.own_bucket import Asked, OwnBucket, unless_missing, what
from nommerctl.adapters.aws.stack.ownership import (
    check_not_foreign,
    check_ours,
    farm_of,
    maker_of,
    shown_tags,
    tags_of,
)
from nommerctl.adapters.aws.stack.waiting import shown_at_last
from nommerctl.domain.stack import Difference, Found, Part, Resource, differences
from nommerctl.errors import ItemError, PermissionDeniedError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

BUCKET = "AWS::S3::Bucket"

_LONGEST = 60.0
"""Seconds that S3 is waited for: it shows buckets, and frees names, in its own time."""

_WITHOUT_CONSTRAINT = "us-east-1"
"""The region that CreateBucket must not name."""

_BUSY = frozenset({"OperationAborted"})
"""S3's word for a name of which something else is being made, or deleted, at this time."""


class _Aspect(NamedTuple):
    """A property of a bucket for which S3 has calls of its own. `lacking` is its word for one that has none."""

    name: str
    reads: str
    read: Callable[["S3Client", Asked], Any]
    lacking: str
    writes: str
    write: Callable[["S3Client", Asked, Any], object]


def _encryption(answer: Mapping[str, Any]) -> dict[str, Any]:
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    defaults = [{"ServerSideEncryptionByDefault": rule["ApplyServerSideEncryptionByDefault"]} for rule in rules]
    return {"ServerSideEncryptionConfiguration": defaults}


def _as_s3_has_encryption(wanted: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a form of S3's
    rules = wanted["ServerSideEncryptionConfiguration"]
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]} for rule in rules]}


def _lifecycle(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules, without the empty filter by which S3 says that one is for the whole bucket."""
    return {
        "Rules": [
            {"Id" if key == "ID" else key: value for key, value in rule.items() if key not in {"Filter", "Prefix"}}
            | ({"Filter": rule["Filter"]} if any(rule.get("Filter", {}).values()) else {})
            | ({"Prefix": rule["Prefix"]} if rule.get("Prefix") else {})
            for rule in answer["Rules"]
        ]
    }


def _as_s3_has_lifecycle(wanted: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a form of S3's
    return {
        "Rules": [
            {"ID" if key == "Id" else key: value for key, value in rule.items()} | {"Filter": {"Prefix": ""}}
            for rule in wanted["Rules"]
        ]
    }


_ASPECTS = (
    _Aspect(
        "BucketEncryption",
        "s3:GetEncryptionConfiguration",
        lambda s3, asked: _encryption(s3.get_bucket_encryption(**asked)),
        "ServerSideEncryptionConfigurationNotFoundError",
        "s3:PutEncryptionConfiguration",
        lambda s3, asked, wanted: s3.put_bucket_encryption(
            **asked, ServerSideEncryptionConfiguration=_as_s3_has_encryption(wanted)
        ),
    ),
    _Aspect(
        "PublicAccessBlockConfiguration",
        "s3:GetBucketPublicAccessBlock",
        lambda s3, asked: s3.get_public_access_block(**asked)["PublicAccessBlockConfiguration"],
        "NoSuchPublicAccessBlockConfiguration",
        "s3:PutBucketPublicAccessBlock",
        lambda s3, asked, wanted: s3.put_public_access_block(**asked, PublicAccessBlockConfiguration=wanted),
    ),
    _Aspect(
        "OwnershipControls",
        "s3:GetBucketOwnershipControls",
        lambda s3, asked: s3.get_bucket_ownership_controls(**asked)["OwnershipControls"],
        "OwnershipControlsNotFoundError",
        "s3:PutBucketOwnershipControls",
        lambda s3, asked, wanted: s3.put_bucket_ownership_controls(**asked, OwnershipControls=wanted),
    ),
    _Aspect(
        "LifecycleConfiguration",
        "s3:GetLifecycleConfiguration",
        lambda s3, asked: _lifecycle(s3.get_bucket_lifecycle_configuration(**asked)),
        "NoSuchLifecycleConfiguration",
        "s3:PutLifecycleConfiguration",
        lambda s3, asked, wanted: s3.put_bucket_lifecycle_configuration(
            **asked, LifecycleConfiguration=_as_s3_has_lifecycle(wanted)
        ),
    ),
)


class Buckets:
    """A Kind. `sleep` takes seconds.

    S3 makes a bucket in one call and tags it in the next. One that lacks the tag is completed all the same: its name
    has the account and the region, and S3 is asked to refuse every call if another account has it.
    """

    kind = BUCKET

    def __init__(self, clients: Clients, farm: str, sleep: Callable[[float], None]) -> None:
        self._own = OwnBucket(clients, farm)
        self._farm = farm
        self._sleep = sleep

    def find(self, resource: Resource) -> Found | None:
        """Return the bucket as it is; PermissionDeniedError for one that may not be looked at, or is another's."""
        name = resource.name
        if not self._is_there(name):
            return None
        tags = self._own.tags(name)
        if tags is None:
            return None
        properties = {
            "BucketName": name,
            **{each.name: self._read(each, name) for each in _ASPECTS if each.name in resource.properties},
            "Tags": shown_tags(tags, resource.properties),
        }
        arn = f"arn:{self._own.s3.meta.partition}:s3:::{name}"
        return Found(
            id=name, properties=properties, attributes={"Arn": arn}, farm=farm_of(tags), made_by=maker_of(tags)
        )

    def create(self, resource: Resource) -> Found:
        """Make the bucket, and set what S3 does not set by itself."""
        name = resource.name
        self._awaited(lambda: self._make(name), f"something else is being done about bucket {name}")
        found = self._awaited(lambda: self.find(resource), f"S3 does not show bucket {name} yet, which was just made")
        gaps = differences(found.properties, resource.properties)
        self.update(resource, found, gaps)
        return self.find(resource) or found

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:
        """Change the bucket, its tags first: by them a later run knows it."""
        name, wanted = resource.name, resource.properties
        check_not_foreign(found.farm, self._farm, self.kind, name)
        changed = {each.path.partition(".")[0] for each in differences}
        asked = self._own.asked(name)
        if "Tags" in changed:
            tags = (self._own.tags(name) or {}) | tags_of(wanted["Tags"])  # S3 replaces them all
            with calling("s3:PutBucketTagging", what(name)):
                self._own.s3.put_bucket_tagging(
                    **asked, Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}
                )
        for each in _ASPECTS:
            if each.name in changed:
                with calling(each.writes, what(name)):
                    each.write(self._own.s3, asked, wanted[each.name])

    def delete(self, part: Part) -> None:
        """Delete the bucket with all that is in it, in every version. ItemError for any other bucket than this one."""
        name = part.name
        if name != self._own.name:
            msg = f"bucket {name} is not the one that 'nommerctl aws bootstrap' makes for a wheel: it is left alone"
            raise ItemError(msg)
        tags = self._own.tags(name)
        if tags is None:
            return
        check_ours(farm_of(tags), self._farm, self.kind, name)
        self._awaited(lambda: self._deleted(name), f"bucket {name} is being written to, or is not gone yet")

    def parts(self) -> list[Part]:
        """Return the bucket, if it is there and has the farm's tag."""
        name = self._own.name
        tags = self._own.tags(name) if name else None
        return [Part(self.kind, name, maker_of(tags))] if name and tags and farm_of(tags) == self._farm else []

    def _awaited(self, look: Callable[[], Any], late: str) -> Any:  # noqa: ANN401 - what `look` returns
        return shown_at_last(look, self._sleep, _LONGEST, f"{late}: run this again in a minute")

    def _is_there(self, name: str) -> bool:
        try:
            with calling("s3:ListBucket", what(name)):
                return unless_missing(lambda: self._own.s3.head_bucket(**self._own.asked(name))) is not None
        except PermissionDeniedError as error:
            msg = f"{error}, or it is another account's: then call the farm otherwise (farm.name is {self._farm})"
            raise PermissionDeniedError(msg) from error

    def _read(self, aspect: _Aspect, name: str) -> Any:  # noqa: ANN401 - any JSON
        with calling(aspect.reads, what(name)):
            try:
                return aspect.read(self._own.s3, self._own.asked(name))
            except ClientError as error:
                if code_of(error) != aspect.lacking:
                    raise
                return None

    def _make(self, name: str) -> bool | None:
        """Return whether it was made; None if its name cannot be used for now."""
        region: Any = self._own.s3.meta.region_name
        where: Any = (
            {} if region == _WITHOUT_CONSTRAINT else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        with calling("s3:CreateBucket", what(name)):
            try:
                self._own.s3.create_bucket(Bucket=name, **where)
            except ClientError as error:
                match code_of(error):
                    case "BucketAlreadyOwnedByYou":
                        return False
                    case "BucketAlreadyExists":
                        msg = (
                            f"another account has a bucket that is called {name}: call the farm otherwise (farm.name is"
                            f" {self._farm}), or leave aws.package empty"
                        )
                        raise ItemError(msg) from error
                    case code if code in _BUSY:
                        return None
                    case _:
                        raise
        return True

    def _deleted(self, name: str) -> bool | None:
        """Empty the bucket and delete it; None unless it is gone then."""
        asked = self._own.asked(name)
        with calling("s3:ListBucketVersions", what(name)):
            pages = unless_missing(lambda: list(self._own.s3.get_paginator("list_object_versions").paginate(**asked)))
        for page in pages or ():
            self._delete_objects(name, [*page.get("Versions", []), *page.get("DeleteMarkers", [])])
        with calling("s3:DeleteBucket", what(name)):
            try:
                unless_missing(lambda: self._own.s3.delete_bucket(**asked))
            except ClientError as error:
                if code_of(error) not in _BUSY | {"BucketNotEmpty"}:
                    raise
                return None
        return None if self._is_there(name) else True

    def _delete_objects(self, name: str, objects: Sequence[Any]) -> None:
        if not objects:
            return
        keys: Any = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in objects]
        with calling("s3:DeleteObject, s3:DeleteObjectVersion", what(name)):
            answer = self._own.s3.delete_objects(**self._own.asked(name), Delete={"Objects": keys, "Quiet": True})
        for error in answer.get("Errors", [])[:1]:
            msg = (
                f"S3 does not delete {error.get('Key')} from bucket {name} ({error.get('Code')}): see that the"
                " credentials may do s3:DeleteObject and s3:DeleteObjectVersion there"
            )
            raise PermissionDeniedError(msg)
