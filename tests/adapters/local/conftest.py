from collections.abc import Iterator
from pathlib import Path

import pytest

from nommerctl.adapters.local.database import Database


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    """Where the database of a farm is, or will be."""
    return tmp_path / "farm.db"


@pytest.fixture
def database(farm: Path) -> Iterator[Database]:
    database = Database(farm, busy_timeout=5.0)
    yield database
    database.close()
