"""Commands of nommerctl that die at a chosen point: real processes, forked from one that has loaded everything.

Run as `python -m tests.death.mortals`; an Order comes as a line on standard input, its End goes as a line to standard
output. What a command runs through is counted in events: calls and returns, as Python's profiler sees them, in the code
of nommerctl, of diskcache, and of what the standard library does with files and processes. So a count is a point in the
run of a command, between any two calls of SQLite or the system. When the event comes, the process signals itself.
"""

import importlib
import mmap
import os
import pathlib
import pkgutil
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import diskcache
import msgspec
from msgspec import Struct

import nommerctl
from nommerctl import __main__
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState

HANGS_AFTER = 60.0
"""Seconds after which a process that does not end is killed, so that the test can say so."""

_COUNTED = (
    *(str(Path(str(package.__file__)).parent) for package in (nommerctl, diskcache)),
    *(str(module.__file__) for module in (pathlib, shutil, subprocess)),
)
_ALL_LOADED_WITH = (
    "encodings.idna",
    "http.client",
    "rich.progress",
    "rich.table",
    "urllib3.connection",
    "urllib3.util",
)
_POLL = 0.001


class Order(Struct, frozen=True, kw_only=True):
    """A command, and the signal that it gets.

    It gets it at an event, or some seconds after its start. In a `state` both count from when the first job is in that
    state. Output goes to files that begin with `out`.
    """

    argv: tuple[str, ...]
    environment: dict[str, str]
    cwd: str
    out: str
    sign: int | None = None
    at_event: int | None = None
    after: float | None = None
    state: JobState | None = None


class End(Struct, frozen=True, kw_only=True):
    """How it ended: exit code (negative: by this signal), the events counted, and seconds.

    `struck` is whether it got its signal (in the state, if one was asked for), `took` how long it lived on after that.
    `dwelt` is how long it was in the state, or how long it ran.
    """

    code: int
    events: int
    dwelt: float
    struck: bool
    took: float
    hung: bool = False


class Shared:
    """What a process and the one that forked it both see: the events so far, and the times of three things, or 0."""

    def __init__(self) -> None:
        self._numbers = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("d")

    def count(self) -> float:
        self._numbers[0] += 1
        return self._numbers[0]

    @property
    def events(self) -> int:
        return int(self._numbers[0])

    @property
    def begun(self) -> float:
        return self._numbers[1]

    def begin(self) -> None:
        self._numbers[1] = time.monotonic()

    @property
    def signalled(self) -> float:
        return self._numbers[2]

    def signal(self) -> None:
        self._numbers[2] = time.monotonic()

    @property
    def left(self) -> float:
        return self._numbers[3]

    def leave(self) -> None:
        self._numbers[3] = time.monotonic()


class Counter:
    """A profile function that counts events and signals its process at the chosen one."""

    def __init__(self, order: Order, shared: Shared) -> None:
        self._order = order
        self._shared = shared
        self._counting = False
        self._counted: dict[object, bool] = {}

    def start(self) -> None:
        threading.setprofile(self)
        if self._order.state is None or (self._order.state is JobState.PENDING and "worker" in self._order.argv):
            self._begin()
        sys.setprofile(self)

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        counted = self._counted.get(code)
        if counted is None:
            counted = self._counted[code] = code.co_filename.startswith(_COUNTED)
        if not counted:
            return
        if event == "return" and self._order.state is not None and code.co_name in {"transition", "submit"}:
            self._see(argument)
        if self._counting and self._shared.count() == self._order.at_event:
            self._counting = False
            self._shared.signal()
            os.kill(os.getpid(), int(self._order.sign or 0))

    def _see(self, stored: object) -> None:
        """Begin to count when a job has come to the state, end when it has left it."""
        job = stored[0] if isinstance(stored, list) and stored else stored
        if isinstance(job, EncodingJob):
            if job.state is not self._order.state:
                if self._counting:
                    self._counting = False
                    self._shared.leave()
            elif not self._shared.begun:
                self._begin()

    def _begin(self) -> None:
        self._shared.begin()
        self._counting = True


def run(order: Order) -> End:
    """Fork a process that runs the command, see to its death, and wait for its end."""
    shared = Shared()
    pid = os.fork()
    if not pid:
        _become(order, shared)
    guard = time.monotonic() + HANGS_AFTER
    hung = False
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        now = time.monotonic()
        if ended:
            break
        if order.after is not None and shared.begun and not shared.signalled and now >= shared.begun + order.after:
            shared.signal()
            os.kill(pid, int(order.sign or 0))
        if now > guard:
            hung = True
            os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL)
    return End(
        code=os.waitstatus_to_exitcode(status),
        events=shared.events,
        dwelt=(shared.left or now) - shared.begun if shared.begun else 0.0,
        struck=bool(shared.signalled) and shared.signalled < (shared.left or now),
        took=now - shared.signalled if shared.signalled else 0.0,
        hung=hung,
    )


def _become(order: Order, shared: Shared) -> None:
    """Be the command: this returns by SystemExit, or not at all."""
    os.chdir(order.cwd)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.argv = ["nommerctl", *order.argv]
    for descriptor, name in ((0, os.devnull), (1, f"{order.out}.stdout"), (2, f"{order.out}.stderr")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
    Counter(order, shared).start()
    __main__.main()


def _load_everything() -> None:
    for module in pkgutil.walk_packages(nommerctl.__path__, "nommerctl."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _ALL_LOADED_WITH:
        importlib.import_module(name)


def main() -> None:
    _load_everything()
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        end = run(msgspec.json.decode(line, type=Order))
        os.write(answers, msgspec.json.encode(end) + b"\n")


if __name__ == "__main__":
    main()
