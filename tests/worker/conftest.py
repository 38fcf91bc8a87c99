"""What the tests of the worker share."""

import pytest

from tests.clips import Clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Clips:
    """Tiny real clips, in a folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    return Clips(shared / "clips")
