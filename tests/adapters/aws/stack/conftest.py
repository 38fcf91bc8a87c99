"""What the tests of the parts of nodes share."""

from collections.abc import Iterator

import pytest

from tests.adapters.aws.stack.node_account import NodeAccount, node_account


@pytest.fixture(scope="session")
def account(moto_url: str) -> Iterator[NodeAccount]:
    """An account in which each farm has its own name."""
    with node_account(moto_url) as made:
        yield made
