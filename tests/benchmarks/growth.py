"""How the time of each command grows with the number of jobs in the store."""

import itertools
import math
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from nommerctl.domain.job import EncodingJob
from nommerctl.domain.moves import cancelled, retried
from nommerctl.domain.states import JobState
from nommerctl.wiring.farm import Farm, Invocation, load
from tests.benchmarks.farms import FAILED, Mix, fill, grown, swamped
from tests.benchmarks.measure import Settings, duration, line
from tests.benchmarks.processes import NOMMERCTL, TooLongError, in_terminal, piped

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CHANGED = 100

LIMIT = 300.0
"""Seconds that a command may take: nobody waits for longer, and cron would have started it again."""

ENOUGH = 30.0
"""Seconds after which a command is not measured once more."""

_ANY_TIME = ("--time-limit", "3600")

MIXES: dict[str, Mix] = {
    "A farm with a past: 76 % of the jobs finished before today, 4 % today, 20 % wait": grown,
    "A farm that is swamped: all jobs wait": swamped,
}


class Growth(NamedTuple):
    """The seconds that each command took at each size; infinite over LIMIT."""

    title: str
    sizes: list[int]
    seconds: dict[str, list[float]]

    def slope(self, name: str) -> float | None:
        """Return the slope over the last decade: 0 if ten times the jobs take as long, 1 if ten times as long."""
        before, last = self.seconds[name][-2:]
        if math.isinf(last):
            return None
        return math.log10(last / before) / math.log10(self.sizes[-1] / self.sizes[-2])


class Probe:
    """One farm, and the commands that are measured on it. Each takes the number of its turn and returns seconds."""

    def __init__(self, folder: Path) -> None:
        self._state_dir = folder / "state"
        self._source = folder / "film.mov"
        self._outputs = folder / "outputs"
        self._outputs.mkdir(parents=True)
        self._source.write_bytes(b"a film, as far as submit can tell")
        os.utime(self._source, (0, 0))
        self.commands: dict[str, Callable[[int], float]] = {
            "refresh, nothing changed": lambda _: self._piped("refresh"),
            f"refresh, {CHANGED} jobs changed": self._refresh_after_changes,
            "submit": self._submit,
            "scale --dry-run": lambda _: self._piped("scale", "--dry-run"),
            "status": lambda _: self._in_terminal("status"),
            f"list --state ERROR, {FAILED} jobs": lambda _: self._in_terminal("list", "--state", "ERROR"),
            "list": lambda _: self._in_terminal("list"),
            "refresh --rebuild": lambda _: self._piped("refresh", "--rebuild", *_ANY_TIME),
        }

    def fill(self, size: int, mix: Mix) -> None:
        """Make the farm, with its cache."""
        fill(self._state_dir, size, mix)
        piped(self._command(("refresh", *_ANY_TIME)))

    def _piped(self, *arguments: str) -> float:
        return piped(self._command(arguments), limit=LIMIT)

    def _in_terminal(self, *arguments: str) -> float:
        return in_terminal(self._command(arguments), limit=LIMIT)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [NOMMERCTL, "--state-dir", str(self._state_dir), *arguments]

    def _submit(self, turn: int) -> float:
        dest = str(self._outputs / f"{turn}.mp4")
        return self._in_terminal("submit", str(self._source), "--dest", dest, "--preset", "web-720p")

    def _refresh_after_changes(self, turn: int) -> float:
        """Cancel jobs that wait, and in the next turn bring them back."""
        farm = Farm(load(Invocation(state_dir=str(self._state_dir))))
        now = farm.clock()

        def move(job: EncodingJob) -> EncodingJob:
            return retried(job, now=now, by="somebody") if turn % 2 else cancelled(job, now=now, by="somebody")

        state = JobState.ABANDONED if turn % 2 else JobState.PENDING
        ids = [job.id for job in itertools.islice(farm.backend.store.in_state(state), CHANGED)]
        for job_id in ids:
            farm.backend.store.transition(job_id, move)
        farm.backend.changes.send(ids)
        farm.close()
        return self._piped("refresh")


def measured(settings: Settings) -> Iterator[Growth]:
    """Measure every command at every size, for each mix of states."""
    sizes = [100, 1_000] if settings.quick else [size for size in SIZES if settings.million or size < SIZES[-1]]
    for title, mix in MIXES.items():
        seconds: dict[str, list[float]] = {}
        for size in sizes:
            sys.stderr.write(f"growth, {size:,} jobs: {title}\n")
            for name, found in at(size, mix, settings).items():
                seconds.setdefault(name, []).append(found)
        yield Growth(title, sizes, seconds)


def at(size: int, mix: Mix, settings: Settings) -> dict[str, float]:
    """Measure every command at one size."""
    folder = settings.scratch / "growth"
    probe = Probe(folder)
    probe.fill(size, mix)
    found = {name: _median(command, settings.turns(3)) for name, command in probe.commands.items()}
    shutil.rmtree(folder)
    return found


def _median(command: Callable[[int], float], turns: int) -> float:
    taken: list[float] = []
    try:
        while len(taken) < turns and sum(taken) < ENOUGH:
            taken.append(command(len(taken)))
        return statistics.median(taken)
    except TooLongError:
        return math.inf


def markdown(growth: Growth) -> str:
    """Return the table of one mix."""
    heads = ("command", *(f"{size:,} jobs" for size in growth.sizes), "slope over the last decade")
    text = f"{growth.title}\n\n" + line(heads) + line("---" for _ in heads)
    for name, found in growth.seconds.items():
        slope = growth.slope(name)
        text += line((name, *map(_time, found), "" if slope is None else f"{round(slope, 2) + 0.0:.2f}"))
    return text


def _time(seconds: float) -> str:
    return f"over {LIMIT:.0f} s" if math.isinf(seconds) else duration(seconds)
