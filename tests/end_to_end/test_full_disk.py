"""Disks that are full, or read-only: each command says so in one sentence, nothing is lost, and later all goes on."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.cache_on_disk import set_aside_in
from tests.cli import Cli, InProcessCli, eventually, paused_worker
from tests.clips import Clips
from tests.mounts import Mount, mounted

pytestmark = pytest.mark.slow

QUICK = {
    "WORKER_LEASE": "2s",
    "WORKER_HEARTBEAT": "0.5s",
    "WORKER_IDLE_EXIT": "1s",
    "UPKEEP_REQUEUE_AFTER": "0s",
    "UPKEEP_RESYNC_EVERY": "0.1s",
}


@pytest.fixture
def disk(here: InProcessCli, clips: Clips, tmp_path: Path) -> Iterator[Mount]:
    """The disk that holds the state folder of `here`, on which there is room yet, and two jobs."""
    here.settings |= QUICK
    source = tmp_path / "film.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(source, (1, 1))
    with mounted(tmp_path / "disk") as mount:
        here.state_dir = mount.path / "state"
        for name in ("a.m4a", "b.m4a"):
            submit(here, name)
        here.run("refresh")
        yield mount
        here.end_workers()


def submission(name: str) -> tuple[str, ...]:
    return ("submit", "film.mp4", "--dest", name, "--preset", "audio-m4a")


def submit(farm: InProcessCli, name: str) -> None:
    farm.run(*submission(name))


def in_processes(here: InProcessCli) -> Cli:
    """The same farm by commands that are processes."""
    return Cli(here.state_dir, here.cwd, here.executable, here.settings)


def states(farm: Cli) -> dict[str, str]:
    return {job_id: job["state"] for job_id, job in farm.listed().items()}


def looks(job_id: str) -> list[tuple[str, ...]]:
    return [
        ("list",),
        ("list", "--json"),
        ("show", job_id),
        ("nodes",),
        ("why",),
        ("queue", "dead", "list"),
        ("config", "show"),
        *((verb, "--dry-run") for verb in ("refresh", "scale", "abandon", "prune", "run")),
        ("cancel", job_id, "--dry-run"),
    ]


def acts(job_id: str) -> list[tuple[str, ...]]:
    return [
        submission("c.m4a"),
        ("refresh",),
        ("refresh", "--rebuild"),
        ("scale",),
        ("abandon",),
        ("prune",),
        ("run",),
        ("cancel", job_id),
        ("worker", "--once"),
    ]


def assert_only_looks_work(here: InProcessCli, *, code: int, words: tuple[str, ...]) -> None:
    before = states(here)
    first = next(iter(before))
    for look in looks(first):
        here.run(*look)
    farm = in_processes(here)
    for act in acts(first):
        refusal = (farm if act[0] == "worker" else here).run(*act, code=code)
        for line in refusal.stderr.splitlines():
            assert line.startswith("nommerctl: ")
            assert any(word in line for word in words), line
        assert refusal.stderr
    assert states(here) == before
    assert set_aside_in(here.state_dir / "cache") == []


def assert_all_goes_on(here: InProcessCli) -> None:
    """By the passes that cron makes, and the workers that they start."""

    def finished() -> bool:
        here.run("run")
        return set(states(here).values()) == {"FINISHED"}

    eventually(finished, within=60, every=0.3)
    assert {"a.m4a", "b.m4a"} <= {path.name for path in here.cwd.iterdir()}
    assert set_aside_in(here.state_dir / "cache") == []


FULL = ("is full, or fails", "no space is left on the disk")


def test_a_full_disk_is_said_by_all_that_act_and_nothing_is_lost(here: InProcessCli, disk: Mount) -> None:
    disk.fill()

    assert_only_looks_work(here, code=75, words=FULL)

    disk.free()
    assert_all_goes_on(here)


def test_a_disk_without_room_for_another_file_is_full_too(here: InProcessCli, disk: Mount) -> None:
    disk.use_up_files()

    assert_only_looks_work(here, code=75, words=FULL)

    disk.free()
    assert_all_goes_on(here)


def test_a_read_only_disk_is_said_by_all_that_act_and_nothing_is_lost(here: InProcessCli, disk: Mount) -> None:
    disk.read_only(yes=True)

    assert_only_looks_work(here, code=77, words=("the file system is read-only", "no permission to use"))

    disk.read_only(yes=False)
    assert_all_goes_on(here)


def try_with_little_room(here: InProcessCli, disk: Mount, pages: int) -> set[int]:
    """Act on a disk on which there is so much room; return how the commands exited, after checking what they left."""
    codes = set()
    expected = states(here)
    victim = next(job_id for job_id, state in expected.items() if state == "PENDING")
    for act in (("refresh",), ("scale",), ("cancel", victim), submission(f"{pages}.m4a"), ("run",)):
        disk.fill(leave=pages * 4096)
        result = here.run(*act, code=None)
        disk.free()
        codes.add(result.code)
        assert result.code in {0, 75}, result
        assert result.code == 0 or any(words in result.stderr for words in FULL), result
        here.run("refresh", "--rebuild")
        found = states(here)
        if act[0] == "cancel" and result.code == 0:
            expected[victim] = "ABANDONED"
        new = {job_id: found.pop(job_id) for job_id in found.keys() - expected.keys()}
        assert found == expected, (act, pages)
        assert len(new) == (act[0] == "submit" and result.code == 0), (act, pages)
        expected |= new
    assert set_aside_in(here.state_dir / "cache") == []
    return codes


@pytest.mark.slow
def test_with_little_room_a_command_does_all_it_says_or_nothing(here: InProcessCli, disk: Mount) -> None:
    here.settings["SCALE_MAX_NODES"] = "0"
    codes = [try_with_little_room(here, disk, pages) for pages in (0, 3, 9, 14, 17, 20, 200)]
    assert codes[0] == {75}
    assert codes[-1] == {0}


@pytest.mark.slow
def test_with_any_room_a_command_does_all_it_says_or_nothing(here: InProcessCli, disk: Mount) -> None:
    here.settings["SCALE_MAX_NODES"] = "0"
    for pages in range(35):
        submit(here, f"more{pages}.m4a")
        assert try_with_little_room(here, disk, pages) <= {0, 75}


@pytest.mark.slow
def test_a_worker_in_whose_hands_the_disk_fills_hands_its_job_on(here: InProcessCli, disk: Mount) -> None:
    farm = in_processes(here)
    with paused_worker(farm, "ENCODING") as worker:
        disk.fill()
        worker.communicate(b"go on\n", timeout=60)
        assert worker.returncode == 0
    assert set(states(here).values()) <= {"PENDING", "DOWNLOADING", "ENCODING"}
    disk.free()
    assert_all_goes_on(here)


def test_workers_for_which_there_is_no_room_are_started_later_and_no_more_than_may_be(
    here: InProcessCli, disk: Mount
) -> None:
    (here.state_dir / "workers").rmdir()
    with mounted(here.state_dir / "workers", files=6) as workers:
        workers.path.chmod(0o700)
        workers.use_up_files()
        refusal = here.run("scale", code=75)
        assert refusal.stderr == "nommerctl: a worker cannot be started: no space is left on the disk\n"
        workers.free()
        here.run("scale", code=None)  # the order again, for two: there is room for one of them
        assert len([path for path in workers.path.iterdir() if path.is_dir()]) <= 2
        here.end_workers()
        eventually(lambda: not [node for node in here.run("nodes", "--json").json["nodes"] if node["alive"]])
    assert_all_goes_on(here)
    assert disk.path.exists()


def test_a_worker_whose_log_is_on_a_full_disk_works_without_words(here: InProcessCli, disk: Mount) -> None:
    (here.state_dir / "logs").rmdir()
    with mounted(here.state_dir / "logs") as logs:
        logs.fill()
        assert_all_goes_on(here)
        written = [path.stat().st_size for path in logs.path.glob("*.log")]
        assert written
        assert set(written) == {0}
        here.end_workers()
    assert disk.path.exists()


@pytest.mark.slow
def test_an_output_for_which_there_is_no_room_is_an_error_that_can_be_retried(
    here: InProcessCli, clips: Clips, tmp_path: Path
) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(source, (1, 1))
    farm = in_processes(here)
    with mounted(tmp_path / "out") as out:
        (out.path / "film.m4a").write_text("of before")
        farm.run("submit", source, "--dest", out.path / "film.m4a", "--preset", "audio-m4a")
        out.fill()
        farm.run("worker", "--once")
        (job,) = farm.refreshed().values()
        assert job["state"] == "ERROR"
        assert "no space left on device" in job["details"].lower()
        out.free()
        assert [path.name for path in out.path.iterdir()] == ["film.m4a"]
        assert (out.path / "film.m4a").read_text() == "of before"

        farm.run("retry", "--failed")
        farm.run("worker", "--once")
        assert farm.refreshed_states() == ["FINISHED"]
        assert (out.path / "film.m4a").stat().st_size > 1000


def test_what_cannot_be_archived_is_not_removed(here: InProcessCli, disk: Mount, tmp_path: Path) -> None:
    ids = list(states(here))
    here.run("cancel", *ids)
    with mounted(tmp_path / "archive") as archive:
        here.settings |= {"UPKEEP_ARCHIVE": str(archive.path / "jobs.jsonl"), "UPKEEP_RETENTION": "0.001s"}
        archive.fill()
        refusal = here.run("prune", code=75)
        assert "upkeep.archive" in refusal.stderr
        assert "no space is left on the disk" in refusal.stderr
        for job_id in ids:
            here.run("show", job_id)
        archive.free()
        here.run("prune")
        kept = [json.loads(line)["id"] for line in (archive.path / "jobs.jsonl").read_text().splitlines()]
    assert set(kept) == set(ids)
    here.run("show", ids[0], code=2)
    assert disk.path.exists()


def test_a_limit_on_the_size_of_files_is_no_bug_and_loses_nothing(here: InProcessCli, disk: Mount) -> None:
    before = states(here)
    for act in (submission("c.m4a"), ("refresh", "--rebuild"), ("cancel", next(iter(before)))):
        command = ["/bin/bash", "-c", 'ulimit -f 4; exec "$@"', "-", *here.executable, *act]
        done = subprocess.run(
            command, env=here.environment(), cwd=here.cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == 75, done
        assert len(done.stderr.splitlines()) == 1
    assert states(here) == before
    assert disk.path.exists()
    assert_all_goes_on(here)
