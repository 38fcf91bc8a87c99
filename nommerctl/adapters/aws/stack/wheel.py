"""The wheel that nodes install, an object in the farm's own bucket."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling
from nommerctl.adapters.aws.stack.bucket import BUCKET
from nommerctl.adapters.aws.stack.own_bucket import WHEELS, OwnBucket, unless_missing
from nommerctl.adapters.aws.stack.ownership import check_ours, farm_of
from nommerctl.domain.stack import Difference, Found, Part, Resource
from nommerctl.domain.text import shown
from nommerctl.errors import ItemError

WHEEL = "nommerctl::Wheel"
"""None of CloudFormation's types: its documents cannot put an object anywhere."""


class Wheels:
    """A Kind. A wheel is called `BUCKET/wheels/FILE`, and is the farm's if the bucket carries its tag.

    Its properties are Bucket, Key, Sha256 (hexadecimal), and File, where it is on this machine.
    """

    kind = WHEEL

    def __init__(self, clients: Clients, farm: str, sleep: Callable[[float], None]) -> None:  # noqa: ARG002 - as each kind is made
        self._own = OwnBucket(clients, farm)
        self._farm = farm

    def find(self, resource: Resource) -> Found | None:
        """Return a wheel as it is by the digest that was put with it; File as it is asked."""
        bucket, key = _place(resource.name)
        tags = self._own.tags(bucket)
        if tags is None:
            return None
        with calling("s3:GetObject", _what(resource.name)):
            answer = unless_missing(lambda: self._own.s3.head_object(**self._own.asked(bucket), Key=key))
            if answer is None:
                return None
            digest = answer["Metadata"].get("sha256", "")
        properties = {"Bucket": bucket, "Key": key, "Sha256": digest, "File": resource.properties["File"]}
        return Found(id=key, properties=properties, farm=farm_of(tags))

    def create(self, resource: Resource) -> Found:
        """Put the wheel into the bucket; ItemError if the file is not what it was any more."""
        bucket, key = _place(resource.name)
        check_ours(farm_of(self._own.tags(bucket) or {}), self._farm, BUCKET, bucket)
        content, digest = _read(Path(resource.properties["File"]), resource.properties["Sha256"])
        with calling("s3:PutObject", _what(resource.name)):
            self._own.s3.put_object(**self._own.asked(bucket), Key=key, Body=content, Metadata={"sha256": digest})
        return Found(id=key, properties=resource.properties, farm=self._farm)

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:  # noqa: ARG002 - there is one way to change it
        """Put the wheel over the one that is there."""
        self.create(resource)

    def delete(self, part: Part) -> None:
        """Delete a wheel; ItemError for what is in any other bucket than the farm's own."""
        bucket, key = _place(part.name)
        if bucket != self._own.name:
            msg = f"{part.name} is not in the bucket that 'nommerctl aws bootstrap' makes for a wheel: it is left alone"
            raise ItemError(msg)
        tags = self._own.tags(bucket)
        if tags is None:
            return
        check_ours(farm_of(tags), self._farm, BUCKET, bucket)
        with calling("s3:DeleteObject", _what(part.name)):
            unless_missing(lambda: self._own.s3.delete_object(**self._own.asked(bucket), Key=key))

    def parts(self) -> list[Part]:
        """Return the wheels in the farm's bucket, if it has the farm's tag."""
        bucket = self._own.name
        tags = self._own.tags(bucket) if bucket else None
        if not bucket or not tags or farm_of(tags) != self._farm:
            return []
        with calling("s3:ListBucket", f"bucket '{bucket}'"):
            pages = self._own.s3.get_paginator("list_objects_v2").paginate(**self._own.asked(bucket), Prefix=WHEELS)
            return [Part(WHEEL, f"{bucket}/{each['Key']}") for page in pages for each in page.get("Contents", [])]


def _place(name: str) -> tuple[str, str]:
    bucket, _, key = name.partition("/")
    return bucket, key


def _what(name: str) -> str:
    return f"wheel '{name}'"


def _read(path: Path, wanted: str) -> tuple[bytes, str]:
    named = f"aws.package, '{shown(str(path))}',"
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{named} cannot be read: {error.strerror}"
        raise ItemError(msg) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != wanted:
        msg = f"{named} was changed meanwhile: run 'nommerctl aws bootstrap' again"
        raise ItemError(msg)
    return content, digest
