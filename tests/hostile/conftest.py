"""What the hostile tests share: canaries, and a farm with a real worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import InProcessCli
from tests.clips import Clips, ffmpeg
from tests.hostile.canaries import Canaries, canaries_in
from tests.hostile.farm import HostileFarm


@pytest.fixture
def canaries(tmp_path: Path, clips: Clips) -> Iterator[Canaries]:
    with canaries_in(tmp_path / "canary", clips["plain.ts"]) as canaries:
        yield canaries


@pytest.fixture
def farm(here: InProcessCli, tmp_path: Path) -> HostileFarm:
    here.settings["FFMPEG_PATH"] = str(ffmpeg())
    return HostileFarm(here, tmp_path)
