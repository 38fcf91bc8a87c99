from typing import TYPE_CHECKING

import pytest

from tests.fakes.ec2 import ec2_client

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client


@pytest.fixture(scope="session")
def client() -> "EC2Client":
    """A client of EC2 that tries each call once."""
    return ec2_client()
