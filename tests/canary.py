"""A secret that must not come to light, and where it is looked for: files, whatever they are, and processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cli import Result

CANARY = "hunter2CANARY"
PIECES = ("hunter2", "CANARY")
"""Half of a secret is one too."""


def assert_unsaid(result: Result) -> None:
    """Neither on standard output nor on standard error."""
    for piece in PIECES:
        assert piece not in result.stdout, result.stdout
        assert piece not in result.stderr, result.stderr


def holders(folder: Path) -> set[str]:
    """The files under a folder that hold the secret in their bytes or in their name, by their place in it."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if CANARY in path.name or (path.is_file() and CANARY.encode() in path.read_bytes())
    }


@contextmanager
def watched_processes() -> Iterator[set[str]]:
    """Look again and again at arguments and variables of every process that comes up: who shows the secret?"""
    caught: set[str] = set()
    before = _processes()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for process in _processes() - before:
                for file in ("cmdline", "environ"):
                    with suppress(OSError):
                        shown = (process / file).read_bytes()
                        if CANARY.encode() in shown:
                            caught.add(f"{file}: {shown.decode(errors='replace')}")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield caught
    finally:
        over.set()
        thread.join()


def _processes() -> set[Path]:
    return set(Path("/proc").glob("[0-9]*"))
