"""Running a process: nothing of it is left, whatever happens to it or to us."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nommerctl.errors import EncodingError
from nommerctl.worker.nommers.ffmpeg.complaint import ending
from nommerctl.worker.nommers.ffmpeg.process import TAIL_BYTES, Ran, run
from tests.clips import Clips, ffmpeg
from tests.worker.nomming import Recorder, encode, passes

SLOW = [["c:v", "libx264"], ["preset", "placebo"], ["vf", "scale=1920:1080"]]


class GoneError(Exception):
    """The job is no longer ours."""


def shell(script: str, folder: Path, *, keep_on: Callable[[], None] = lambda: None, time_limit: float = 20) -> Ran:
    return run(["/bin/sh", "-c", script], folder=folder, time_limit=time_limit, keep_on=keep_on)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not been reaped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def encoders(pid: int) -> list[int]:
    """Those of its children that encode; one that was only asked what it can do is none."""
    return [child for child in children(pid) if b"libx264" in command_line(child)]


def command_line(pid: int) -> bytes:
    """How a process was started; nothing of one that has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def held() -> tuple[int, list[int], int]:
    """What this process holds: descriptors, children, threads."""
    return len(list(Path("/proc/self/fd").iterdir())), children(os.getpid()), threading.active_count()


def eventually(condition: Callable[[], bool], *, within: float = 10) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def after(seconds: float) -> Callable[[], None]:
    """A keep_on that raises GoneError once so much time has passed."""
    deadline = time.monotonic() + seconds

    def keep_on() -> None:
        if time.monotonic() > deadline:
            raise GoneError

    return keep_on


def test_a_cancelled_encode_leaves_no_process(clips: Clips, tmp_path: Path) -> None:
    watch = Recorder(keep_on=after(0.3))
    before = children(os.getpid())

    with pytest.raises(GoneError):
        encode(clips["plain.mp4"], tmp_path / "out.mp4", passes(SLOW), watch=watch)

    assert watch.asked > 0
    assert children(os.getpid()) == before


def test_the_whole_group_is_killed_even_if_it_ignores_politeness(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' TERM HUP INT; sleep 60 & echo $$ $! > {pids}; wait; wait"

    with pytest.raises(GoneError):
        shell(script, tmp_path, keep_on=after(0.1))

    leader, follower = (int(pid) for pid in pids.read_text().split())
    assert not alive(leader)
    assert eventually(lambda: not alive(follower))


def test_a_stopped_process_is_ended_by_the_time_limit(tmp_path: Path) -> None:
    started = time.monotonic()

    with pytest.raises(EncodingError, match="took longer than the time limit of 1 s"):
        shell("kill -STOP $$", tmp_path, time_limit=0.6)

    assert time.monotonic() - started < 5


def test_keep_on_is_asked_every_second_of_a_process_that_says_nothing(tmp_path: Path) -> None:
    watch = Recorder()

    shell("exec >&- 2>&-; sleep 1.7", tmp_path, keep_on=watch.keep_on)

    assert watch.asked >= 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_worker_takes_ffmpeg_with_it(clips: Clips, tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from tests.worker.nomming import encode, passes
encode(Path({str(clips["plain.mp4"])!r}), Path({str(tmp_path)!r}) / "out.mp4", passes({SLOW!r}))
"""
    with subprocess.Popen([sys.executable, "-c", script]) as worker:
        try:
            assert eventually(lambda: bool(encoders(worker.pid)))
            (encoder,) = encoders(worker.pid)
            assert Path(f"/proc/{encoder}/exe").readlink() == ffmpeg().resolve()
        finally:
            worker.kill()

    assert eventually(lambda: not alive(encoder))


def test_it_ends_with_the_worker_even_when_a_thread_of_it_started_it(tmp_path: Path) -> None:
    ran: list[Ran] = []
    thread = threading.Thread(target=lambda: ran.append(shell("echo done >&2", tmp_path)))
    thread.start()
    thread.join()

    assert [(one.code, one.tail) for one in ran] == [(0, "done\n")]


def test_a_hundred_megabytes_of_stderr_are_read_and_only_the_ends_kept(tmp_path: Path) -> None:
    script = "echo first >&2; dd if=/dev/zero bs=1M count=100 2>/dev/null | tr '\\0' x >&2; printf '\\377last' >&2"

    ran = shell(script, tmp_path)

    assert ran.head.startswith("first\nxxx")
    assert ran.tail.endswith("xxx\ufffdlast")
    assert len(ran.tail) == TAIL_BYTES
    assert len(ran.head) == 1024 * 1024


def test_no_descriptor_and_no_zombie_is_left(tmp_path: Path) -> None:
    shell("true", tmp_path)
    before = held()

    for script in ("true", "exit 3", "kill -9 $$", "echo a; echo b >&2"):
        shell(script, tmp_path)
    with pytest.raises(EncodingError):
        shell("sleep 9", tmp_path, time_limit=0.1)

    assert held() == before


def test_how_it_ended_is_said_in_words(tmp_path: Path) -> None:
    killed = shell("kill -9 $$", tmp_path)

    assert killed.code == -signal.SIGKILL
    assert ending(killed.code) == "killed by SIGKILL"
    assert ending(shell("exit 3", tmp_path).code) == "exit code 3"
    assert ending(-60) == "killed by signal 60"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncodingError, match="cannot start /no/such/ffmpeg: "):
        run(["/no/such/ffmpeg"], folder=tmp_path, time_limit=1, keep_on=lambda: None)


def test_nothing_of_our_environment_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FFREPORT", f"file={tmp_path}/report.log")

    ran = shell("env >&2", tmp_path)

    assert "LC_ALL=C" in ran.tail
    assert "FFREPORT" not in ran.tail


def test_what_a_script_in_the_place_of_ffmpeg_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    said: list[bytes] = []
    script = "sleep 100 > /dev/null 2>&1 & echo $!"

    run(["/bin/sh", "-c", script], folder=tmp_path, time_limit=20, keep_on=lambda: None, on_stdout=said.append)

    assert eventually(lambda: not alive(int(b"".join(said))))


def test_too_many_open_files_are_no_fault_of_the_job(tmp_path: Path) -> None:
    free = os.dup(0)
    os.close(free)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            shell("true", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
