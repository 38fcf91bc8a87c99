"""What the tests of death share: a farm to die on, and chance that can be repeated."""

import os
import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clips import Clips
from tests.death.yard import Yard, yard


@pytest.fixture
def open_yard(clips: Clips, tmp_path: Path) -> Iterator[Callable[..., Yard]]:
    """Makes a farm with these settings."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(yard(tmp_path, clips, settings))


@pytest.fixture
def chance() -> random.Random:
    """Chance; what a failed test prints makes it the same again."""
    seed = os.environ.get("DEATH_SEED") or secrets.token_hex(4)
    print(f"the same points again: DEATH_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    return random.Random(seed)  # noqa: S311 - it keeps no secret
