"""What it costs to start: whole processes against one that does nothing but import what draws the command line."""

import sys
from functools import partial

from tests.benchmarks.farms import busy, fill
from tests.benchmarks.measure import Row, Settings, compared, in_turns
from tests.benchmarks.processes import NOMMERCTL, in_terminal, piped

JOBS = 20


def rows(settings: Settings) -> list[Row]:
    """`--help`, and `list` of a few jobs in a terminal."""
    farm = ("--state-dir", str(settings.scratch / "starts"))
    fill(settings.scratch / "starts", JOBS, busy)
    piped([NOMMERCTL, *farm, "refresh"])
    bare, help_text, table = in_turns(
        settings.turns(25, quick=3),
        partial(piped, [sys.executable, "-c", "import typer"]),
        partial(piped, [NOMMERCTL, "--help"]),
        partial(in_terminal, [NOMMERCTL, *farm, "list"]),
    )
    against = "`python -c 'import typer'`"
    return [
        compared("`nommerctl --help`", against, help_text, bare, goal="1.3"),
        compared(f"`nommerctl list` of {JOBS} jobs in a terminal", against, table, bare, goal="1.9"),
    ]
