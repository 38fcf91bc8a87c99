import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nommerctl.adapters.local.fleet import LocalFleetReads
from nommerctl.adapters.local.node_home import Birth, NodeHome
from tests.fakes.clock import START


def test_a_node_lives_for_as_long_as_its_lock_is_held(tmp_path: Path) -> None:
    home = NodeHome(tmp_path / "n1")
    assert not home.alive()
    home.occupy(START)
    assert NodeHome(tmp_path / "n1").alive()
    assert home.birth() == Birth(launched=START, pid=0)
    home.sign(os.getpid())
    assert home.birth() == Birth(launched=START, pid=os.getpid())
    home.let_go()
    assert not NodeHome(tmp_path / "n1").alive()


def test_a_folder_cannot_be_occupied_twice(tmp_path: Path) -> None:
    first = NodeHome(tmp_path / "n1")
    first.occupy(START)
    with pytest.raises(FileExistsError):
        NodeHome(tmp_path / "n1").occupy(START)
    first.let_go()


def test_the_lock_passes_to_a_child_and_falls_with_it_but_not_to_what_the_child_starts(tmp_path: Path) -> None:
    # given a child that inherits the lock and starts a child of its own, as a worker starts ffmpeg
    home = NodeHome(tmp_path / "n1")
    descriptor = home.occupy(START)
    script = (
        "import os, subprocess, sys, time\n"
        "from pathlib import Path\n"
        "from nommerctl.adapters.local.node_home import NodeHome\n"
        f"NodeHome(Path({str(home.folder)!r})).inherit({descriptor})\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'], close_fds=False)\n"
        "print(inner.pid, flush=True)\n"
        "time.sleep(30)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, pass_fds=(descriptor,), text=True)
    assert child.stdout is not None
    inner = int(child.stdout.readline())
    home.let_go()
    assert NodeHome(home.folder).alive()
    # when the child is killed, and its own child goes on
    child.kill()
    child.wait()
    child.stdout.close()
    # then the node is known to be dead at once
    assert not NodeHome(home.folder).alive()
    os.kill(inner, signal.SIGKILL)


def test_clearing_removes_the_folder_and_the_unfinished_outputs_of_its_jobs(tmp_path: Path) -> None:
    home = NodeHome(tmp_path / "n1")
    home.occupy(START)
    part, dest = tmp_path / ".nommerctl-x.part", tmp_path / "out.mp4"
    part.write_text("half")
    dest.write_text("whole")
    (home.folder / "job").mkdir()
    (home.folder / "job" / "output").symlink_to(part)
    home.let_go()
    home.clear()
    assert (home.folder.exists(), part.exists(), dest.read_text()) == (False, False, "whole")


def test_looking_at_a_node_changes_nothing(tmp_path: Path) -> None:
    home = NodeHome(tmp_path / "n1")
    home.occupy(START)
    before = (home.folder / "lock").stat()
    assert home.alive()
    home.birth()
    after = (home.folder / "lock").stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    home.let_go()


def test_a_damaged_lock_file_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "n1").mkdir()
    (tmp_path / "n1" / "lock").write_bytes(b"\xff{")
    assert NodeHome(tmp_path / "n1").birth() == Birth()
    assert NodeHome(tmp_path / "empty").birth() == Birth()


def test_a_folder_that_has_no_lock_yet_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / ".n1").mkdir()
    assert LocalFleetReads(tmp_path, tmp_path, worker=()).get_instances() == []
    home = NodeHome(tmp_path / "n1")
    home.occupy(START)
    assert [each.id for each in LocalFleetReads(tmp_path, tmp_path, worker=()).get_instances()] == ["n1"]
    home.let_go()
