"""Several processes that begin at one moment."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.measure import timed

ROOT = Path(__file__).parents[2]
"""Where `nommerctl` and `tests` can be imported from."""


def ready_then_go() -> None:
    """What each process calls when it has got everything ready: returns when all have."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def together(module: str, arguments: Sequence[Sequence[str | Path]]) -> float:
    """Run a module once with each list of arguments, all at once; return the seconds from the go to the last end.

    RuntimeError if one of them fails.
    """
    with ExitStack() as stack:
        crowd = [stack.enter_context(_started(module, each)) for each in arguments]
        for process in crowd:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                msg = f"{module} did not get ready"
                raise RuntimeError(msg)
        return timed(lambda: _go(module, crowd))


def _started(module: str, arguments: Sequence[str | Path]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def _go(module: str, crowd: Sequence[subprocess.Popen[str]]) -> None:
    for process in crowd:
        if process.stdin is not None:
            process.stdin.write("go\n")
            process.stdin.flush()
    if failed := [code for code in [process.wait() for process in crowd] if code]:
        msg = f"{len(failed)} of {len(crowd)} processes of {module} failed"
        raise RuntimeError(msg)
