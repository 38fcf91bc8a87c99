"""Jobs in SimpleDB for tests: an empty farm on a server, and items as media-nommer's own programs write them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from botocore.retries.standard import ExponentialBackoff

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import jobs_table
from nommerctl.domain.config_aws import SimpledbSettings
from tests import aws_servers
from tests.simpledb.server import SimpleDB

FARM = "test"
SETTINGS = SimpledbSettings()
OURS = jobs_table(FARM)


@contextmanager
def simpledb_clients(url: str) -> Iterator[Clients]:
    """Clients that speak to a server, whatever the environment is later, and repeat at once what they repeat."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
        for name, value in (aws_servers.CREDENTIALS | {"AWS_ENDPOINT_URL": url}).items():
            patch.setenv(name, value)
        clients = Clients()
        assert clients.sdb.meta.endpoint_url == url  # made now
        yield clients
        clients.close()


def simpledb_farm(server: SimpleDB) -> str:
    """The name of a farm that takes over a domain of media-nommer's which is empty."""
    server.clear()
    server.put(SETTINGS.job_domain, "x", {"x": "x"})
    server.delete(SETTINGS.job_domain, "x")
    return FARM
