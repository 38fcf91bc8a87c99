"""Processes whose clock is a day ahead, or behind, now or of each other: what lives is kept, and all gets done."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from nommerctl.wiring import process
from tests.cli import InProcessCli, eventually
from tests.clips import Clips
from tests.end_to_end.shifted import clock, worker_command

ROOT = Path(__file__).parents[2]
DAY = 24 * 3600

QUICK = {
    "WORKER_LEASE": "2s",
    "WORKER_HEARTBEAT": "0.5s",
    "WORKER_IDLE_EXIT": "1s",
    "UPKEEP_REQUEUE_AFTER": "0s",
    "UPKEEP_RESYNC_EVERY": "0.1s",
    "SCALE_MAX_NODES": "1",
}


@dataclass
class Shifted:
    """A farm, and the clock that all its processes go by, unless they are given another one."""

    cli: InProcessCli
    offset: Path
    job_id: str = ""

    def jump(self, seconds: float) -> None:
        """Set the clock to so many seconds after the right time."""
        new = self.offset.with_name("offset.new")
        new.write_text(str(seconds))
        new.replace(self.offset)

    def run_everything(self) -> None:
        """All passes, and a worker that takes whatever it may."""
        for verb in ("refresh", "scale", "abandon", "prune"):
            self.cli.run(verb)
        worker = self.cli.start("worker", "--once")
        _, said = worker.communicate(timeout=60)
        assert (worker.returncode, "Traceback" in said) == (0, False), said

    def submit(self) -> None:
        arguments = ("film.mp4", "--dest", "out.m4a", "--preset", "audio-m4a", "--json")
        (job,) = self.cli.run("submit", *arguments).json["jobs"]
        self.job_id = job["id"]

    def job(self) -> tuple[str, int]:
        """State and attempt of the job, by the store."""
        job = self.cli.run("show", self.job_id, "--json").json["job"]
        return job["state"], job["attempt"]

    @contextmanager
    def worker_at(self, state: str, *, offset: Path | None = None) -> Iterator["subprocess.Popen[bytes]"]:
        """A worker that has taken the job and waits in a state, beating; killed at the end if it still lives."""
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.shifted", "paused", state],
            env=self.cli.environment({"CLOCK_OFFSET": str(offset or self.offset)}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        with worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"here\n"
            try:
                yield worker
            finally:
                worker.kill()


@pytest.fixture
def shifted(here: InProcessCli, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shifted:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CLOCK_OFFSET", str(tmp_path / "offset"))
    monkeypatch.setattr(process, "clock", clock)  # for the commands in this process
    monkeypatch.setattr(process, "worker_command", worker_command)
    here.settings |= QUICK
    here.executable = (sys.executable, "-m", "tests.end_to_end.shifted")
    farm = Shifted(here, tmp_path / "offset")
    farm.jump(0)
    source = tmp_path / "film.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(source, (1, 1))
    return farm


def finish(farm: Shifted) -> None:
    def finished() -> bool:
        farm.run_everything()
        return farm.job()[0] == "FINISHED"

    eventually(finished, within=60, every=0.5)


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_what_was_submitted_before_the_clock_was_put_right_is_done_and_the_farm_goes_on(
    shifted: Shifted, jump: int
) -> None:
    shifted.jump(jump)
    shifted.submit()
    shifted.cli.run("run")
    shifted.jump(0)

    finish(shifted)

    assert shifted.job() == ("FINISHED", 1)
    assert "0 to end, 0 held" in shifted.cli.run("scale", "--dry-run").stdout


def test_a_submit_learns_anew_what_was_learnt_in_the_future(shifted: Shifted) -> None:
    shifted.jump(DAY)
    shifted.cli.run("refresh")
    shifted.jump(0)

    shifted.submit()

    assert "1 to launch, 0 to end, 0 held" in shifted.cli.run("scale", "--dry-run").stdout


@pytest.mark.slow
@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_and_comes_back_costs_no_job_and_no_node_that_lives(shifted: Shifted, jump: int) -> None:
    shifted.submit()
    with shifted.worker_at("ENCODING") as worker:
        for offset in (jump, 0, jump, 0):
            shifted.jump(offset)
            shifted.run_everything()
            time.sleep(1.2)  # longer than a last call
            shifted.run_everything()
            assert shifted.job() == ("ENCODING", 1)
        assert worker.poll() is None
        worker.communicate(b"go on\n", timeout=30)
    assert shifted.job() == ("FINISHED", 1)


@pytest.mark.slow
@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_job_whose_worker_died_before_the_clock_was_put_right_is_handed_on_soon(shifted: Shifted, jump: int) -> None:
    shifted.jump(jump)
    shifted.submit()
    with shifted.worker_at("ENCODING"):
        pass
    shifted.jump(0)

    finish(shifted)

    assert shifted.job() == ("FINISHED", 2)


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [DAY, -DAY])
def test_a_worker_whose_own_clock_is_wrong_keeps_its_job_and_ends_it(
    shifted: Shifted, ahead: int, tmp_path: Path
) -> None:
    shifted.submit()
    own = tmp_path / "own"
    own.write_text(str(ahead))
    with shifted.worker_at("ENCODING", offset=own) as worker:
        for _ in range(3):
            shifted.run_everything()
            time.sleep(1.2)  # longer than a last call
            assert shifted.job() == ("ENCODING", 1)
        assert worker.poll() is None
        worker.communicate(b"go on\n", timeout=30)
    assert shifted.job() == ("FINISHED", 1)
    shifted.run_everything()
    assert shifted.job() == ("FINISHED", 1)


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [DAY, -DAY])
def test_a_job_whose_worker_had_a_wrong_clock_is_handed_on_soon_when_it_dies(
    shifted: Shifted, ahead: int, tmp_path: Path
) -> None:
    shifted.submit()
    own = tmp_path / "own"
    own.write_text(str(ahead))
    with shifted.worker_at("ENCODING", offset=own):
        pass

    finish(shifted)

    assert shifted.job() == ("FINISHED", 2)
