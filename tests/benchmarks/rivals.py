"""What people would pick instead: huey with SQLite, and rq with Redis, each with two workers and as quick as it gets.

huey: processes as workers, the shortest pause between two looks at an empty queue, no results kept, no periodic tasks,
and its own durability, which is less than ours (it does not sync). rq: workers that fork for each job, as they do by
default, in burst mode; Redis is up beforehand and writes nothing to the disk.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.crowd import ROOT
from tests.benchmarks.encode import QUEUE, WHERE

WORKERS = 2


def huey_lacks() -> str | None:
    """What is not installed of what `by_huey` takes, and how to get it; None if nothing is missing."""
    return None if find_spec("huey") else "huey (pip install -e '.[bench]')"


def rq_lacks() -> str | None:
    """The same for `by_rq`."""
    if find_spec("rq") is None:
        return "rq (pip install -e '.[bench]')"
    return None if shutil.which("redis-server") else "redis-server (apt-get install redis-server)"


def by_huey(sources: Path, outputs: Path, scratch: Path) -> float:
    """Encode every file of a folder by huey; return the seconds from putting them into the queue to the last output."""
    queue = scratch / "huey.db"
    environment = {QUEUE: str(queue), WHERE: str(scratch / "commands.json")}
    options = ["--workers", str(WORKERS), "--worker-type", "process", "--delay", "0.01", "--no-periodic", "--quiet"]
    began = time.perf_counter()
    _run([*_submit("huey_tasks"), sources, outputs], environment)
    consumer = [sys.executable, "-m", "huey.bin.huey_consumer", "tests.benchmarks.huey_tasks.huey", *options]
    with _running(consumer, environment):
        until_all_are_there(sources, outputs)
        seconds = time.perf_counter() - began
    for file in scratch.glob(f"{queue.name}*"):
        file.unlink()
    return seconds


def by_rq(sources: Path, outputs: Path, scratch: Path) -> float:
    """The same by rq."""
    environment = {WHERE: str(scratch / "commands.json")}
    with redis(scratch) as socket:
        began = time.perf_counter()
        _run([*_submit("rq_tasks"), sources, outputs, socket], environment)
        worker = [sys.executable, "-m", "rq.cli", "worker", "--burst", "--quiet", "--url", f"unix://{socket}"]
        with _running(worker, environment), _running(worker, environment):
            until_all_are_there(sources, outputs)
            return time.perf_counter() - began


@contextmanager
def redis(scratch: Path) -> Iterator[Path]:
    """A Redis of our own, reached by a socket in `scratch` and by nothing else."""
    socket = scratch / "redis.sock"
    settings = ["--port", "0", "--unixsocket", str(socket), "--dir", str(scratch), "--save", "", "--appendonly", "no"]
    with _running(["redis-server", *settings], {}):
        _wait(socket.exists, "Redis is not up", within=30.0)
        yield socket


def until_all_are_there(sources: Path, outputs: Path, *, within: float = 1800.0) -> None:
    """Wait until there is an output for every source; RuntimeError if that takes too long."""
    wanted = {f"{source.stem}.mp4" for source in sources.iterdir()}
    _wait(lambda: wanted <= {output.name for output in outputs.iterdir()}, "not all outputs came about", within=within)


def _wait(condition: Callable[[], bool], otherwise: str, *, within: float) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(otherwise)
        time.sleep(0.01)


def _submit(module: str) -> list[str]:
    program = f"import sys; from tests.benchmarks.{module} import submit; submit(*sys.argv[1:])"
    return [sys.executable, "-c", program]


def _run(command: Sequence[str | Path], environment: dict[str, str]) -> None:
    subprocess.run(list(map(str, command)), check=True, cwd=ROOT, env={**os.environ, **environment})


@contextmanager
def _running(command: Sequence[str | Path], environment: dict[str, str]) -> Iterator[None]:
    """A process that is told to end, as by Ctrl-C, when it is no longer needed."""
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)
