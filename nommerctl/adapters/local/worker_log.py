"""The log of a worker: one file for each node, which is also where its standard output and error go."""

import math
import os
import sys
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 1_000_000
"""A log larger than this becomes `NODE.log.1`, and a new one is begun."""

KEPT = 40
"""How many log files are kept, newest first."""


_TAIL = 4096
"""Bytes at the end of a log in which its last line is looked for."""

_SHOWN = 256
"""Characters of it: as many as the value of a tag has."""


def open_log(folder: Path, node: str) -> BinaryIO:
    """Open the log of a node for appending, for it to be given to the worker as output."""
    descriptor = os.open(folder / f"{node}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "wb")


def last_line(folder: Path, node: str) -> str:
    """Return the last line in the log of a node that says anything, as far as it is to be shown; empty if none does."""
    try:
        with (folder / f"{node}.log").open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - _TAIL, 0))
            lines = log.read(_TAIL).decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[:_SHOWN] for line in reversed(lines) if line.strip()), "")


def rotate(folder: Path, node: str, *, max_bytes: int = MAX_BYTES) -> None:
    """Begin a new log if this process writes into the log of `node` and it has grown too large."""
    path = folder / f"{node}.log"
    ours = os.fstat(sys.stderr.fileno())
    try:
        file = path.stat()
    except FileNotFoundError:
        return
    if (ours.st_dev, ours.st_ino) != (file.st_dev, file.st_ino) or file.st_size <= max_bytes:
        return
    path.replace(path.with_suffix(".log.1"))
    with open_log(folder, node) as log:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())


def drop_old_logs(folder: Path, *, living: AbstractSet[str], keep: int = KEPT) -> None:
    """Remove the oldest logs beyond `keep`, but for those of `living` nodes, however quiet they are."""
    for path in sorted(folder.glob("*.log*"), key=_age)[keep:]:
        if path.name.partition(".")[0] not in living:
            path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    """Larger the longer ago it was written to; a log that was just rotated away counts as new."""
    try:
        return -path.stat().st_mtime
    except FileNotFoundError:
        return -math.inf
