"""A state folder, or what is in it, that belongs to somebody else: said in one sentence, and left as it is."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import InProcessCli, Result
from tests.clips import Clips

pytestmark = pytest.mark.slow

NOBODY = 65534

AS_NOBODY = """
import contextlib, io, os, sys
from nommerctl.cli.funnel import run
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    run(["--state-dir", sys.argv[1], *sys.argv[3:]])  # so that all is imported that nobody may not read
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
os.chdir("/")
sys.exit(run(["--state-dir", sys.argv[2], *sys.argv[3:]]))
"""

LOOKS = (("list",), ("scale", "--dry-run"), ("refresh", "--dry-run"))
ACTS = (("refresh",), ("scale",), ("run",))


@pytest.fixture
def farm(here: InProcessCli, clips: Clips) -> Iterator[InProcessCli]:
    """A farm with a job, at a place to which every user finds the way."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    source = here.cwd / "film.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(source, (1, 1))
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        here.state_dir = Path(place) / "state"
        here.run("submit", source, "--dest", "film.m4a", "--preset", "audio-m4a")
        here.run("refresh")
        yield here


def as_nobody(farm: InProcessCli, *arguments: str) -> Result:
    with tempfile.TemporaryDirectory() as elsewhere:
        command = [sys.executable, "-c", AS_NOBODY, f"{elsewhere}/state", str(farm.state_dir), *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
            env=farm.environment({"HOME": str(farm.state_dir.parent)}),
        )
    assert "Traceback" not in done.stderr, done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def give_to_nobody(*paths: Path) -> None:
    for path in paths:
        os.chown(path, NOBODY, NOBODY)


def everything(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def snapshot(folder: Path) -> list[tuple[str, int, int, bytes]]:
    return [
        (str(path), path.stat().st_uid, path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(everything(folder))
    ]


def assert_refused(farm: InProcessCli, *commands: tuple[str, ...]) -> None:
    before = snapshot(farm.state_dir)
    for command in commands:
        result = as_nobody(farm, *command)
        assert result.code == 77, result
        assert all(line.startswith("nommerctl: ") for line in result.stderr.splitlines())
        assert any(word in result.stderr for word in ("permission", "belongs to another user")), result
    assert [entry for entry in snapshot(farm.state_dir) if "/locks" not in entry[0]] == [
        entry for entry in before if "/locks" not in entry[0]
    ]


def test_the_farm_of_another_user_may_neither_be_looked_at_nor_acted_upon(farm: InProcessCli) -> None:
    assert_refused(farm, *LOOKS, *ACTS)


@pytest.mark.slow
@pytest.mark.parametrize("owned", ["cache", "cache/cache.db"])
def test_a_cache_of_another_user_is_left_as_it_is(farm: InProcessCli, owned: str) -> None:
    give_to_nobody(*everything(farm.state_dir))
    os.chown(farm.state_dir / owned, 0, 0)
    (farm.state_dir / "cache" / "cache.db").chmod(0o600)

    assert_refused(farm, *LOOKS, *ACTS)

    give_to_nobody(*everything(farm.state_dir))
    assert as_nobody(farm, "refresh").code == 0
    assert "film.mp4" in as_nobody(farm, "list").stdout


def test_a_store_of_another_user_is_left_as_it_is(farm: InProcessCli) -> None:
    give_to_nobody(*everything(farm.state_dir))
    os.chown(farm.state_dir / "farm.db", 0, 0)

    assert_refused(farm, ("show", "0"), ("scale", "--dry-run"), *ACTS)


def test_root_acts_upon_no_farm_of_another_user(farm: InProcessCli) -> None:
    give_to_nobody(*everything(farm.state_dir))
    before = snapshot(farm.state_dir)

    for act in ACTS:
        assert "belongs to another user: run nommerctl as that one" in farm.run(*act, code=77).stderr
    assert len(farm.listed()) == 1

    assert snapshot(farm.state_dir) == before


def test_root_uses_no_cache_of_another_user(farm: InProcessCli) -> None:
    give_to_nobody(farm.state_dir / "cache")

    assert "belongs to another user: remove it" in farm.run("refresh", code=77).stderr

    shutil.rmtree(farm.state_dir / "cache")
    farm.run("refresh")
    assert (farm.state_dir / "cache").stat().st_uid == 0
    assert len(farm.listed()) == 1
