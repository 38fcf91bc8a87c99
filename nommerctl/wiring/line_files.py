"""Files of lines, or of one document, which may be pipes without an end: read within limits."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nommerctl.adapters.os_errors import reason
from nommerctl.domain.text import shown
from nommerctl.errors import UsageError

STDIN = "-"

MOST_LINE = 256 * 1024
"""Bytes of a line."""

MOST_LINES = 100_000
MOST_BYTES = 64 * 1024 * 1024


def name_of(file: str) -> str:
    """Return what to call a file in a sentence."""
    return "standard input" if file == STDIN else f"'{shown(file)}'"


def numbered_lines(file: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file, or of standard input, that are not blank, with their numbers from 1.

    UsageError if it cannot be read, or goes beyond the limits.
    """
    try:
        with _opened(file) as opened:
            yield from _within_limits(opened, name_of(file))
    except OSError as error:
        msg = f"{name_of(file)} cannot be read: {reason(error)}"
        raise UsageError(msg) from error


def whole_file(file: str, most: int, what: str) -> bytes:
    """Return the content of a file, or of standard input; UsageError if it cannot be read, or is too large.

    `most` is how many bytes it may have, `what` what it should hold.
    """
    try:
        with _opened(file) as opened:
            content = opened.read(most + 1)
    except OSError as error:
        msg = f"{name_of(file)} cannot be read: {reason(error)}"
        raise UsageError(msg) from error
    if len(content) > most:
        msg = f"{name_of(file)} is larger than any {what}: more than {most // 1024} KB"
        raise UsageError(msg)
    return content


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file != STDIN:
        with Path(file).open("rb") as opened:
            yield opened
    elif sys.stdin is None:
        msg = "standard input is closed: name a file, or write to it"
        raise UsageError(msg)
    else:
        yield sys.stdin.buffer


def _within_limits(opened: BinaryIO, named: str) -> Iterator[tuple[int, bytes]]:
    number = lines = size = 0
    while line := opened.readline(MOST_LINE + 1):
        number += 1
        size += len(line)
        if len(line) > MOST_LINE:
            msg = f"line {number} of {named} is longer than {MOST_LINE // 1024} KB: is that a file of jobs?"
            raise UsageError(msg)
        lines += bool(line.strip())
        if lines > MOST_LINES or size > MOST_BYTES:
            msg = f"{named} has more than {MOST_LINES} jobs, or than {MOST_BYTES // 1024 // 1024} MB: split it"
            raise UsageError(msg)
        if line.strip():
            yield number, line
