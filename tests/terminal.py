"""The command line in a real terminal: a pseudo-terminal of a given width, and the bytes that come out of it."""

import os
import subprocess
import termios
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.cli import Cli, Result

_OUTPUT_FLAGS = 1


def run_in_terminal(
    cli: Cli,
    *arguments: str | Path,
    columns: int,
    env: Mapping[str, str] | None = None,
    code: int | None = 0,
    typed: str = "",
) -> Result:
    """Run a command whose streams are one terminal; what it writes to either is `stdout`, its newlines as written.

    What is `typed` before it asks is echoed there too.
    """
    ours, terminal = os.openpty()
    try:
        termios.tcsetwinsize(terminal, (50, columns))
        attributes = termios.tcgetattr(terminal)
        attributes[_OUTPUT_FLAGS] &= ~termios.OPOST
        termios.tcsetattr(terminal, termios.TCSANOW, attributes)
        process = subprocess.Popen(
            [*cli.executable, *map(str, arguments)],
            cwd=cli.cwd,
            env=cli.environment({"TERM": "xterm-256color", **(env or {})}),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
    finally:
        os.close(terminal)
    os.write(ours, typed.encode())
    written = b""
    with process, suppress(OSError):  # EIO, once the last process that has the terminal is gone
        while piece := os.read(ours, 65536):
            written += piece
    os.close(ours)
    result = Result(process.returncode, written.decode(), "")
    assert code is None or result.code == code, result
    return result
