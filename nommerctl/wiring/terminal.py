"""What standard input, output and error are connected to."""

import shutil
import sys
from collections.abc import Mapping

from msgspec import Struct

from nommerctl.wiring import process


class Terminal(Struct, frozen=True, kw_only=True):
    """Standard output: a terminal or not, its width in cells, and whether to colour.

    `attended` is whether a person may be there: any of the three streams is a terminal, or the environment names one,
    as it does for a script that somebody started from a terminal and does not for cron and systemd.
    """

    is_terminal: bool
    width: int
    color: bool
    attended: bool


def find_terminal() -> Terminal:
    """Look at the streams of this process and at COLUMNS, NO_COLOR, FORCE_COLOR and TERM."""
    is_terminal = _is_terminal(sys.stdout)
    return Terminal(
        is_terminal=is_terminal,
        width=shutil.get_terminal_size((80, 24)).columns,
        color=colored(process.environment(), is_terminal=is_terminal),
        attended=_is_terminal(sys.stdin) or _is_terminal(sys.stderr) or is_terminal or "TERM" in process.environment(),
    )


def error_is_terminal() -> bool:
    """Whether standard error is a terminal: where progress is drawn."""
    return _is_terminal(sys.stderr)


def input_is_terminal() -> bool:
    """Whether standard input is a terminal: where a question can be answered."""
    return _is_terminal(sys.stdin)


def colored(environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether to colour: never with NO_COLOR or on a dumb terminal, else on a terminal or with FORCE_COLOR."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in {"", "0"}:
        return True
    return is_terminal and environment.get("TERM", "") not in {"dumb", ""}


def _is_terminal(stream: object) -> bool:
    """A stream may be closed, or None if its descriptor was."""
    try:
        return bool(getattr(stream, "isatty", bool)())
    except ValueError:
        return False
