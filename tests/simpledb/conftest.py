from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.config import Config

from tests.simpledb.server import SimpleDB, simpledb_server

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient


@pytest.fixture(scope="package")
def running() -> Iterator[SimpleDB]:
    """A server for all tests here: each finds it empty."""
    with simpledb_server() as server:
        yield server


@pytest.fixture
def server(running: SimpleDB) -> SimpleDB:
    running.clear()
    return running


@pytest.fixture(scope="package")
def sdb(running: SimpleDB) -> "Iterator[SimpleDBClient]":
    """botocore's client of it, which repeats nothing."""
    session: Any = botocore.session.Session()
    client: SimpleDBClient = session.create_client(
        "sdb",
        region_name="eu-west-1",
        endpoint_url=running.url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )
    yield client
    client.close()
