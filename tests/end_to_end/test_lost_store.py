"""A store that has gone, or was emptied, while the cache knows its jobs: nobody begins a new one, and forgets them."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import Cli, InProcessCli, paused_worker
from tests.clips import Clips


@pytest.fixture
def used(here: InProcessCli, clips: Clips) -> InProcessCli:
    """A farm with a job that waits."""
    here.settings = {"SCALE_MAX_NODES": "0"}
    here.run(*submission(clips))
    here.run("refresh")
    return here


def submission(clips: Clips) -> tuple[str | Path, ...]:
    return ("submit", clips["tone.wav"], "--dest", "tone.m4a", "--preset", "audio-m4a")


def states(farm: Cli) -> dict[str, str]:
    return {job_id: job["state"] for job_id, job in farm.listed().items()}


def lose(store: Path) -> None:
    store.unlink()


def empty(store: Path) -> None:
    store.write_bytes(b"")


@pytest.mark.parametrize(("lose_it", "how"), [(lose, "is gone"), (empty, "is empty")])
def test_all_but_the_list_say_so_and_a_backup_brings_it_back(
    used: InProcessCli, clips: Clips, tmp_path: Path, lose_it: Callable[[Path], None], how: str
) -> None:
    store, backup = used.state_dir / "farm.db", tmp_path / "backup.db"
    shutil.copy(store, backup)
    before = states(used)
    lose_it(store)
    passes = ("refresh", "scale", "abandon", "prune", "run")
    acts = [submission(clips), ("status",), *((verb,) for verb in passes), *((verb, "--dry-run") for verb in passes)]
    for act in acts:
        said = used.run(*act, code=69).stderr
        assert (
            f"'{store}' {how}, and the cache knows 1 job: move its -wal and -shm away, then restore it from a backup"
            in said
        )
    assert Cli(used.state_dir, used.cwd, used.executable).run("worker", "--once", code=69).stderr
    assert states(used) == before
    assert not store.exists() or store.stat().st_size == 0

    shutil.copy(backup, store)
    used.run("refresh")
    assert states(used) == before


def test_a_store_that_goes_when_the_cache_holds_no_job_any_more(used: InProcessCli) -> None:
    used.settings["CACHE_KEEP_FINISHED"] = "0s"
    (job_id,) = states(used)
    used.run("cancel", job_id)
    used.run("refresh", "--rebuild")
    assert states(used) == {}
    lose(used.state_dir / "farm.db")
    assert "is gone, and the cache was filled from it" in used.run("refresh", code=69).stderr


def test_a_cache_that_may_not_be_followed_is_no_reason_to_begin_a_new_store(used: InProcessCli, tmp_path: Path) -> None:
    (used.state_dir / "cache").rename(tmp_path / "moved")
    (used.state_dir / "cache").symlink_to(tmp_path / "moved")
    lose(used.state_dir / "farm.db")
    assert "is a symbolic link" in used.run("refresh", code=77).stderr
    assert not (used.state_dir / "farm.db").exists()


@pytest.mark.slow
def test_a_worker_whose_store_is_removed_says_so_and_makes_no_new_one(used: InProcessCli) -> None:
    quick = {"WORKER_LEASE": "2s", "WORKER_HEARTBEAT": "0.5s"}
    farm = Cli(used.state_dir, used.cwd, used.executable, used.settings | quick)
    with paused_worker(farm, "ENCODING", stderr=subprocess.PIPE) as worker:
        for file in used.state_dir.glob("farm.db*"):
            file.unlink()
        _, said = worker.communicate(b"go on\n", timeout=60)
    assert b"was removed or replaced while it was in use" in said
    assert b"FINISHED" not in said
    assert not list(used.state_dir.glob("farm.db*"))


DIED_WHILE_DELETING = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("DELETE FROM jobs")
connection.commit()
os._exit(1)
"""


def test_a_backup_that_is_restored_as_it_says_is_not_undone_by_the_old_log(used: InProcessCli, tmp_path: Path) -> None:
    store, backup = used.state_dir / "farm.db", tmp_path / "backup.db"
    shutil.copy(store, backup)
    before = states(used)
    subprocess.run([sys.executable, "-c", DIED_WHILE_DELETING, store], check=False)
    assert (used.state_dir / "farm.db-wal").stat().st_size
    store.unlink()
    assert "move its -wal and -shm away" in used.run("refresh", code=69).stderr
    for log in ("farm.db-wal", "farm.db-shm"):
        (used.state_dir / log).rename(tmp_path / log)
    shutil.copy(backup, store)
    used.run("refresh", "--rebuild")
    assert states(used) == before


def test_what_it_says_to_do_begins_anew(used: InProcessCli, clips: Clips) -> None:
    (used.state_dir / "farm.db").unlink()
    shutil.rmtree(used.state_dir / "cache")
    used.run(*submission(clips))
    used.run("refresh")
    assert len(used.listed()) == 1
