from collections.abc import Iterator

import pytest

from tests.simpledb_farm import SimpledbFarm
from tests.taking_over.takeover import Takeover, taking_over
from tests.web import Web, reply, serving


@pytest.fixture
def takeover(taken_over: SimpledbFarm, monkeypatch: pytest.MonkeyPatch) -> Takeover:
    """A deployment of media-nommer that nommerctl has taken over, on a clock of the test."""
    return taking_over(taken_over, monkeypatch)


@pytest.fixture
def listener() -> Iterator[Web]:
    """A listener that takes whatever it is told."""
    with serving({"/told": reply()}) as web:
        yield web
