"""Options that several commands share."""

import math
from typing import Annotated, TypeAlias

import typer

DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and why; change nothing.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


LONGEST = 86_400.0
"""Seconds that a pass may be given: a day."""


def finite(seconds: float | None) -> float | None:
    """Refuse what Python reads as a number and no clock reaches: nan and inf."""
    if seconds is not None and not math.isfinite(seconds):
        msg = f"{seconds} is no number of seconds"
        raise typer.BadParameter(msg)
    return seconds


TimeLimit: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        min=0.1,
        max=LONGEST,
        callback=finite,
        metavar="SECONDS",
        help="End after so long (default: farm.time_limit).",
    ),
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print only what failed, as cron should.")]
Detailed: TypeAlias = Annotated[
    bool, typer.Option("--detailed-exitcode", help="Exit with 10 if anything was, or would be, changed.")
]
JobNames: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="JOB...", help="The first characters of a job's id.", show_default=False)
]
