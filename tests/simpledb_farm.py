"""A farm of backend simpledb, as the command line has it, on servers of this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from botocore.retries.standard import ExponentialBackoff

from nommerctl.adapters.aws.clients import Clients
from tests import aws_servers


@contextmanager
def clients_of_simpledb(url: str) -> Iterator[Clients]:
    """Clients that speak to a SimpleDB server, whatever the environment is later, and repeat at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
        for name, value in (aws_servers.CREDENTIALS | {"AWS_ENDPOINT_URL": url}).items():
            patch.setenv(name, value)
        clients = Clients()
        assert clients.sdb.meta.endpoint_url == url  # made now
        yield clients
        clients.close()
