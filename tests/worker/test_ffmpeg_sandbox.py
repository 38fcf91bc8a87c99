"""What ffmpeg is when it starts: without a network, within its limits, and still tied to its worker.

Another program stands for it, one that tries to get out.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nommerctl.worker.nommers.ffmpeg.limits import Limits
from nommerctl.worker.nommers.ffmpeg.process import run
from nommerctl.worker.nommers.ffmpeg.sandbox import refusal
from tests.cli import eventually
from tests.worker.test_ffmpeg_process import alive

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux cuts a process off")

ROOT = os.geteuid() == 0
USERS = [0, 65534] if ROOT else [os.geteuid()]


def helper(way: int | str, *command: str | Path) -> list[str]:
    return [sys.executable, "-m", "tests.worker.confined", str(way), *map(str, command)]


def confined(way: int | str, *command: str | Path) -> dict[str, Any]:
    """Run a command as the nommer runs ffmpeg; see tests/worker/confined.py."""
    done = subprocess.run(helper(way, *command), cwd=Path(__file__).parents[2], capture_output=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.fixture
def port() -> Iterator[int]:
    """A port of 127.0.0.1 where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def connecting(port: int) -> tuple[str, str, str]:
    return ("/bin/bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected >&2")


def test_this_system_lets_ffmpeg_be_cut_off() -> None:
    assert refusal() is None


@pytest.mark.parametrize("user", USERS)
def test_it_cannot_connect_to_a_server_that_listens_on_this_machine(port: int, user: int) -> None:
    everybody = subprocess.run(connecting(port), capture_output=True, check=False)
    assert everybody.stderr == b"connected\n"

    found = confined(user, *connecting(port))

    assert found["refusal"] is None
    assert found["code"] == 1
    assert "Network is unreachable" in found["stderr"]


@pytest.mark.parametrize("user", USERS)
def test_it_dies_with_its_worker_all_the_same(shared: Path, user: int) -> None:
    shared.chmod(0o777)
    script = f"echo $$ > {shared}/new; mv {shared}/new {shared}/pid; exec sleep 60"
    with subprocess.Popen(helper(user, "/bin/sh", "-c", script), cwd=Path(__file__).parents[2]) as worker:
        try:
            eventually((shared / "pid").exists)
            child = int((shared / "pid").read_text())
            assert alive(child)
        finally:
            worker.kill()

    eventually(lambda: not alive(child))


@pytest.mark.parametrize("user", USERS)
def test_it_reads_and_writes_as_who_it_is(shared: Path, user: int) -> None:
    shared.chmod(0o777)
    source, out = shared / "source", shared / "out"
    source.write_text("film")
    os.chown(source, user, user)
    source.chmod(0o400)

    found = confined(user, "/bin/sh", "-c", f"umask 022; cat {source} > {out}")

    assert found["code"] == 0, found
    assert out.read_text() == "film"
    assert (out.stat().st_uid, out.stat().st_gid) == (user, user)


@pytest.mark.skipif(not ROOT, reason="only root reads what others have locked away")
def test_root_still_reads_the_files_of_other_users(shared: Path) -> None:
    locked = shared / "locked"
    locked.write_text("film")
    os.chown(locked, 65534, 65534)
    locked.chmod(0o000)

    assert confined(0, "/bin/cat", locked)["code"] == 0


def test_a_system_that_refuses_runs_it_all_the_same_and_says_why() -> None:
    found = confined("refused", "/bin/true")

    assert found["code"] == 0
    assert found["refusal"] == (
        "the kernel refuses a network namespace: no space left on device"
        " (user.max_user_namespaces or user.max_net_namespaces)"
    )


def test_a_system_that_refuses_all_of_a_sudden_starts_nothing() -> None:
    """The trial has said that it can be had: to go on without it would be to promise what is not so."""
    found = confined("revoked", "/bin/sh", "-c", "echo started >&2")

    assert found == {"raised": "ffmpeg cannot be confined (network, limits, tie to its worker)"}


def test_it_has_its_limits_and_leaves_no_core(tmp_path: Path) -> None:
    ran = run(
        ["/bin/sh", "-c", "cat /proc/self/limits >&2"],
        folder=tmp_path,
        time_limit=20,
        keep_on=lambda: None,
        limits=Limits(memory=1 << 30, output=12_345_678),
    )

    lines = {line[:25].strip(): line[25:].split()[:2] for line in ran.tail.splitlines()}
    assert lines["Max data size"] == ["1073741824", "1073741824"]
    assert lines["Max file size"] == ["12345678", "12345678"]
    assert lines["Max core file size"] == ["0", "0"]


def test_a_lower_limit_of_the_system_stays_and_a_huge_one_of_the_settings_is_none(tmp_path: Path) -> None:
    asked = " ".join(helper(os.geteuid(), "/bin/sh", "-c", "'grep file.size /proc/self/limits >&2'"))
    done = subprocess.run(
        ["/bin/bash", "-c", f"ulimit -f 4; exec {asked}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
    )
    ran = run(
        ["/bin/true"], folder=tmp_path, time_limit=20, keep_on=lambda: None, limits=Limits(memory=10**30, output=10**30)
    )

    assert json.loads(done.stdout)["stderr"].split()[3:5] == ["4096", "4096"]
    assert ran.code == 0
