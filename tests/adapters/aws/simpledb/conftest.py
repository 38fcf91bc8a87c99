import pytest
from botocore.retries.standard import ExponentialBackoff

from nommerctl.adapters.aws.clients import Clients
from tests.fakes.clock import FakeClock


@pytest.fixture
def clients(sdb_clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Clients:
    """Of the SimpleDB server of this run; what botocore repeats, it repeats at once."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    return sdb_clients


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
