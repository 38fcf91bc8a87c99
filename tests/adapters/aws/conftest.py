"""What the tests of the adapters for AWS share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.adapters.aws.nodes import Nodes
from tests.fakes.clock import FakeClock
from tests.fakes.ec2 import FakeEc2, ec2_client

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client


@pytest.fixture(scope="session")
def ec2_once() -> "EC2Client":
    """A client of EC2 that tries each call once."""
    return ec2_client()


@pytest.fixture
def nodes(ec2_once: "EC2Client") -> Iterator[Nodes]:
    """A farm of nodes with a launch template, on an EC2 in memory."""
    clock = FakeClock()
    ec2 = FakeEc2(clock)
    with ec2.behind(ec2_once) as client:
        yield Nodes(ec2, client, clock)
