"""How much memory passes and lists of 100,000 jobs need, and a submit of 10,000, beyond what draws the command line."""

import itertools
import json
import os
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
    return [*table, *_submitting(settings, bare)]


def _submitting(settings: Settings, bare: float) -> list[Row]:
    """Each time into a farm of its own, that has no jobs yet."""
    jobs = settings.size(10_000, 200)
    folder = settings.scratch / "submitting"
    (folder / "out").mkdir(parents=True)
    source, file = folder / "film.mov", folder / "jobs.jsonl"
    source.write_bytes(b"as if it were a film")
    os.utime(source, (1, 1))
    with file.open("w") as lines:
        for number in range(jobs):
            asked = {"source": str(source), "dest": f"{folder}/out/episode-{number}.mp4", "preset": "web-720p"}
            lines.write(f"{json.dumps(asked)}\n")
    farms = (folder / f"state-{number}" for number in itertools.count())
    turns = settings.turns(3)
    table = [
        _row(
            f"peak memory of `submit --from FILE` of {jobs:,} jobs, {name}",
            statistics.median(
                peak_memory(run, _on(next(farms), ("submit", "--from", str(file)))) for _ in range(turns)
            ),
            bare,
            goal="150 MB in all",
        )
        for name, run in (("in a pipe", piped), ("in a terminal", in_terminal))
    ]
    shutil.rmtree(folder)
    return table


def _on(state_dir: Path, arguments: tuple[str, ...]) -> list[str]:
    return [NOMMERCTL, "--state-dir", str(state_dir), *arguments]


def _peak(turns: int, run: Callable[..., float], command: list[str]) -> float:
    return statistics.median(peak_memory(run, command) for _ in range(turns))


def _row(what: str, ours: float, bare: float, *, goal: str = "+120 MB") -> Row:
    return Row(
        what=what,
        against="`python -c 'import typer, rich'`",
        ours=f"{ours / _MEGA:.0f} MB",
        theirs=f"{bare / _MEGA:.0f} MB",
        ratio=f"{(ours - bare) / _MEGA:+.0f} MB",
        goal=goal,
    )
