"""Whole processes, as a person or cron starts them: how long they take and how much memory they need."""

import fcntl
import os
import pty
import resource
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

NOMMERCTL = str(Path(sys.executable).with_name("nommerctl"))
COLUMNS = 120

LIMIT = 3600.0
"""Seconds after which a command is killed."""

_KIBI = 1024
"""Linux counts the memory of a process in these."""


_WEIGH = """
import os, sys
process = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(process, 0)
os.write(int(sys.argv[1]), str(usage.ru_maxrss).encode())
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Runs a command and tells its peak. Linux counts in what the parent had when it made the child: so a small parent."""


class TooLongError(Exception):
    """A command took longer than anybody would wait for it, and was killed."""


def piped(
    command: Sequence[str],
    *,
    fds: Sequence[int] = (),
    limit: float = LIMIT,
    environment: Mapping[str, str] | None = None,
) -> float:
    """Run a command with its output in a pipe, and `environment` besides that of this process; return its seconds.

    RuntimeError if it fails, TooLongError after `limit` seconds.
    """
    readable, writable = os.pipe()
    return _run(command, readable, writable, fds, limit, environment=environment)


def in_terminal(command: Sequence[str], *, fds: Sequence[int] = (), limit: float = LIMIT) -> float:
    """Run a command in a terminal of 120 columns; the rest as for `piped`."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    return _run(command, leader, follower, fds, limit)


def processor_time(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run a command as `piped` does; return the seconds of processor time that it took, for itself and the kernel's."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    piped(command, environment=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak_memory(run: Callable[..., float], command: Sequence[str]) -> int:
    """Run a command by `piped` or `in_terminal`; return the most memory that it had, in bytes."""
    readable, writable = os.pipe()
    run([sys.executable, "-I", "-S", "-c", _WEIGH, str(writable), *command], fds=[writable])
    os.close(writable)
    return int(_all(readable)) * _KIBI


def _run(
    command: Sequence[str],
    readable: int,
    writable: int,
    fds: Sequence[int],
    limit: float,
    *,
    environment: Mapping[str, str] | None = None,
) -> float:
    surroundings = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
    surroundings.pop("COLUMNS", None)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=writable, stderr=writable, env=surroundings, pass_fds=fds
    )
    os.close(writable)
    killer = threading.Timer(limit, process.kill)
    killer.start()
    said = _all(readable)
    process.wait()
    seconds = time.perf_counter() - began
    killer.cancel()
    if seconds >= limit:
        raise TooLongError
    if process.returncode:
        msg = f"{' '.join(command)} ended with {process.returncode}: {said.decode()[-500:]}"
        raise RuntimeError(msg)
    return seconds


def _all(readable: int) -> bytes:
    """Read until nobody writes any more: a pipe ends then, a terminal fails. Return the end of it."""
    said = b""
    with os.fdopen(readable, "rb", buffering=0) as stream:
        while True:
            try:
                some = stream.read(1 << 16)
            except OSError:
                return said
            if not some:
                return said
            said = (said + some)[-(1 << 16) :]
