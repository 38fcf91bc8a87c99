"""How much memory a pass and a list need at 100,000 jobs, beyond the libraries that draw the command line."""

import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.farms import fill, waiting
from tests.benchmarks.measure import Row, Settings
from tests.benchmarks.processes import NOMMERCTL, in_terminal, peak_memory, piped

_MEGA = 1_000_000


def rows(settings: Settings) -> list[Row]:
    """A farm in which every job waits: then `list --state PENDING` shows them all."""
    jobs = settings.size(100_000, 1_000)
    state_dir = settings.scratch / "memory"
    fill(state_dir, jobs, waiting)
    piped([NOMMERCTL, "--state-dir", str(state_dir), "refresh", "--quiet"])
    turns = settings.turns(3)
    bare = _peak(turns, piped, [sys.executable, "-c", "import typer, rich"])
    commands: dict[str, tuple[Callable[..., float], tuple[str, ...]]] = {
        "`scale --dry-run`": (piped, ("scale", "--dry-run")),
        "`list --state PENDING` in a pipe": (piped, ("list", "--state", "PENDING")),
        "`list --state PENDING` in a terminal": (in_terminal, ("list", "--state", "PENDING")),
    }
    table = [
        _row(f"peak memory of {name}, all of {jobs:,} jobs", _peak(turns, run, _on(state_dir, arguments)), bare)
        for name, (run, arguments) in commands.items()
    ]
    shutil.rmtree(state_dir)
    return table


def _on(state_dir: Path, arguments: tuple[str, ...]) -> list[str]:
    return [NOMMERCTL, "--state-dir", str(state_dir), *arguments]


def _peak(turns: int, run: Callable[..., float], command: list[str]) -> float:
    return statistics.median(peak_memory(run, command) for _ in range(turns))


def _row(what: str, ours: float, bare: float) -> Row:
    return Row(
        what=what,
        against="`python -c 'import typer, rich'`",
        ours=f"{ours / _MEGA:.0f} MB",
        theirs=f"{bare / _MEGA:.0f} MB",
        ratio=f"{(ours - bare) / _MEGA:+.0f} MB",
        goal="+120 MB",
    )
