"""Other processes, for what takes more than one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""Where `nommerctl` and `tests` can be imported from."""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start another Python process with nommerctl at hand and a pipe to and from it."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def run(script: str, *arguments: object) -> str:
    """Run another Python process to its good end and return what it printed."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60, cwd=ROOT).stdout


@contextmanager
def ready(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Another process that has printed "ready"; killed afterwards."""
    with start(script, *arguments) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
