"""A farm's tables, queues and bucket on the servers of tests/cloud.py, and what may have befallen them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.adapters.aws.node.packages import WheelFile
from nommerctl.adapters.aws.stack.bucket import Buckets
from nommerctl.adapters.aws.stack.queues import Queues
from nommerctl.adapters.aws.stack.stack import AwsStack
from nommerctl.adapters.aws.stack.storage_blueprint import storage_parts
from nommerctl.adapters.aws.stack.tables import Tables
from nommerctl.adapters.aws.stack.wheel import Wheels
from nommerctl.domain.stack import Found, Part, Resource, called, differences, with_resolved
from tests.answering import Answer
from tests.aws_servers import CREDENTIALS, REGION
from tests.cloud import Cloud

ACCOUNT = "123456789012"
"""That of moto, which has the bucket."""


@dataclass
class StorageFarm:
    """The parts of a farm, as they are wanted and as they are. `pauses` has the seconds of each wait."""

    name: str
    cloud: Cloud
    clients: Clients
    wheel: Path
    pauses: list[float] = field(default_factory=list)

    @cached_property
    def stack(self) -> AwsStack:
        made = (kind(self.clients, self.name, self.pauses.append) for kind in (Tables, Queues, Buckets, Wheels))
        return AwsStack(self.name, tuple(made))

    @property
    def wanted(self) -> list[Resource]:
        wheel = WheelFile(self.wheel, sha256(self.wheel.read_bytes()).hexdigest())
        return storage_parts(self.name, ACCOUNT, REGION, wheel)

    def part(self, logical: str) -> Resource:
        """Return a part as it is wanted, what it refers to looked up."""
        wanted = {each.logical: each for each in self.wanted}
        properties = json.dumps(wanted[logical].properties)
        found = {
            name: there
            for name, each in wanted.items()
            if f'"{name}"' in properties and (there := self.stack.find(each)) is not None
        }
        return with_resolved(wanted[logical], found)

    def found(self, logical: str) -> Found:
        there = self.stack.find(self.part(logical))
        assert there is not None
        return there

    def bring_up(self) -> list[str]:
        """Make and change what is not as it is wanted; return what was done."""
        found: dict[str, Found] = {}
        done = []
        for each in self.wanted:
            resource = with_resolved(each, found)
            there = self.stack.find(resource)
            if there is None:
                done.append(f"create {each.logical}")
                there = self.stack.create(resource)
            elif gaps := differences(there.properties, resource.properties):
                done.append(f"update {each.logical}")
                self.stack.update(resource, there, gaps)
            found[each.logical] = there
        return done

    def take_down(self) -> None:
        for part in sorted(self.stack.parts(), key=lambda each: each.kind, reverse=True):  # the wheel before its bucket
            self.stack.delete(part)

    def gaps(self, logical: str) -> list[str]:
        """Return the paths of a part's differences to what is wanted."""
        return [each.path for each in differences(self.found(logical).properties, self.part(logical).properties)]

    def another(self) -> "StorageFarm":
        """Return a farm that has nothing yet: moto remembers the tags of a bucket that was deleted."""
        return StorageFarm(f"t{token_hex(6)}", self.cloud, self.clients, self.wheel)

    def mend(self, logical: str) -> None:
        found, resource = self.found(logical), self.part(logical)
        self.stack.update(resource, found, differences(found.properties, resource.properties))

    def names(self) -> list[str]:
        """Return what people call the parts that carry the farm's tag."""
        return sorted(called(part.kind, part.name) for part in self.stack.parts())

    def named(self, logical: str) -> Part:
        resource = next(each for each in self.wanted if each.logical == logical)
        return Part(resource.kind, resource.name)


@contextmanager
def storage_farm(
    cloud: Cloud, clients: Clients, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = ""
) -> Iterator[StorageFarm]:
    """Name a farm that has nothing yet. What botocore repeats, it repeats at once."""
    for variable, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": cloud.url}).items():
        monkeypatch.setenv(variable, value)
    assert clients.sts.meta.endpoint_url == cloud.url  # made now, if it was not before
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    wheel = folder / "nommerctl-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    farm = StorageFarm(name or f"t{token_hex(6)}", cloud, clients, wheel)
    yield farm
    cloud.heal()
    farm.take_down()


def tags(farm: str) -> Sequence[Any]:
    return [{"Key": FARM_TAG, "Value": farm}]


def described(clients: Clients, name: str, **fields: str) -> Answer:
    """Answer as DescribeTable does, with other fields."""
    table = {**clients.dynamodb.describe_table(TableName=name)["Table"], **fields}
    body = json.dumps({"Table": table}, default=lambda instant: instant.timestamp())
    return Answer(200, {"Content-Type": "application/x-amz-json-1.0"}, body.encode())
