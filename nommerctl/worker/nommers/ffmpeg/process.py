"""Runs one ffmpeg to its end: confined, watched, in a process group of its own, read as it speaks."""

import errno
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from nommerctl.domain.times import age
from nommerctl.errors import EncodingError
from nommerctl.worker.nommers.ffmpeg.handover import Handover, handed_over
from nommerctl.worker.nommers.ffmpeg.limits import Limits
from nommerctl.worker.nommers.ffmpeg.sandbox import confinement

TICK = 0.5
"""Seconds between two calls of `keep_on`, whether ffmpeg says something or not."""

HEAD_BYTES = 1024 * 1024
TAIL_BYTES = 16 * 1024

ENVIRONMENT = {"LC_ALL": "C", "AV_LOG_FORCE_NOCOLOR": "1"}
"""All of ffmpeg's environment: nothing set for us (FFREPORT, http_proxy) may steer it."""

_CHUNK = 64 * 1024

_FIRST_PAUSE, _LAST_PAUSE = 0.0005, 0.05
"""Seconds between two looks at whether a process that has closed its outputs has ended."""

_NO_PROGRAM = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOTDIR, errno.ELOOP, errno.EISDIR}
)

_UNLIMITED = Limits()

Sink: TypeAlias = Callable[[bytes], None]


class Ran(NamedTuple):
    """How a process ended (`code` as from Popen) and the two ends of what it wrote on stderr."""

    code: int
    head: str
    tail: str


class Stderr:
    """Keeps the first 1 MB and the last 16 KB of whatever comes, which may be gigabytes."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._head += data[: max(0, HEAD_BYTES - len(self._head))]
        self._tail = (self._tail + data)[-TAIL_BYTES:]

    def ended(self, code: int) -> Ran:
        """Return all that is known of a process that ended with this code."""
        return Ran(code, self._head.decode(errors="replace"), self._tail.decode(errors="replace"))


class _Pulse:
    """Calls `keep_on` every TICK and raises when the time limit has passed."""

    def __init__(self, keep_on: Callable[[], None], time_limit: float) -> None:
        self._keep_on = keep_on
        self._time_limit = time_limit
        self._started = self._last = time.monotonic()

    def beat(self) -> None:
        now = time.monotonic()
        if now - self._started > self._time_limit:
            msg = f"ffmpeg took longer than the time limit of {age(self._time_limit)} (ffmpeg.time_limit)"
            raise EncodingError(msg)
        if now - self._last >= TICK:
            self._last = now
            self._keep_on()


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    time_limit: float,
    keep_on: Callable[[], None],
    limits: Limits = _UNLIMITED,
    output: Path | None = None,
    on_stdout: Sink = lambda _: None,
    on_stderr: Sink = lambda _: None,
) -> Ran:
    """Run a command in `folder`, without a network and within `limits`, and return how it ended, with any code.

    `output` is a file that the command gets open where it names it, so that no link in its place is followed.
    What `keep_on` raises comes out, and EncodingError after `time_limit` seconds; either way the whole process group
    has been killed and reaped by then. EncodingError also if the command cannot be started, OSError if it is this
    system that does not let it be confined as it did before.
    """
    pulse = _Pulse(keep_on, time_limit)
    stderr = Stderr()
    with handed_over(argv, output) as handover, _started(handover, folder, limits) as process:
        try:
            _read(process, {"stdout": [on_stdout], "stderr": [on_stderr, stderr.feed]}, pulse)
            _wait(process, pulse)
        finally:
            _end(process)
    ran = stderr.ended(process.returncode)
    return Ran(ran.code, handover.by_name(ran.head), handover.by_name(ran.tail))


def _started(handover: Handover, folder: Path, limits: Limits) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            handover.argv,
            pass_fds=handover.descriptors,
            cwd=folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            process_group=0,
            preexec_fn=confinement(limits),  # noqa: PLW1509 - a few system calls by preloaded functions, see sandbox
        )
    except OSError as error:
        if error.errno not in _NO_PROGRAM:
            raise  # the system's trouble, not the job's: too many processes, or open files
        msg = f"cannot start {handover.argv[0]}: {error}"
        raise EncodingError(msg) from error
    except subprocess.SubprocessError as error:  # all that Popen says of a child that could not confine itself
        raise OSError(errno.EPERM, "ffmpeg cannot be confined (network, limits, tie to its worker)") from error


def _read(process: subprocess.Popen[bytes], sinks: dict[str, list[Sink]], pulse: _Pulse) -> None:
    """Give both outputs to their sinks until both are closed."""
    with selectors.DefaultSelector() as selector:
        for name, takers in sinks.items():
            selector.register(getattr(process, name), selectors.EVENT_READ, takers)
        while selector.get_map():
            for key, _ in selector.select(TICK):
                data = os.read(key.fd, _CHUNK)
                if data:
                    for sink in key.data:
                        sink(data)
                else:
                    selector.unregister(key.fileobj)
            pulse.beat()


def _wait(process: subprocess.Popen[bytes], pulse: _Pulse) -> None:
    """Wait until it ends, without reaping it: until then nobody else can have its id, nor its group's."""
    pause = _FIRST_PAUSE
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        pulse.beat()
        time.sleep(pause)
        pause = min(pause * 2, _LAST_PAUSE)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill and reap what still runs. What it wrote is thrown away, so there is nothing that it should finish."""
    os.killpg(process.pid, signal.SIGKILL)  # all of it: an `ffmpeg.path` may be a script that starts the real one
    process.wait()
