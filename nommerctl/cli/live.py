"""Waiting for jobs: making the passes in this process, with a progress bar for each job."""

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from nommerctl.cli.context import narrate
from nommerctl.domain.job import EncodingJob
from nommerctl.errors import AlreadyRunningError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nommerctl.wiring.farm import Farm

LOOK = 0.2
"""Seconds between two looks at the jobs."""

PASSES_EVERY = 1.0
"""Seconds between two rounds of passes."""


def wait_for(farm: "Farm", ids: "Sequence[str]") -> list[EncodingJob]:
    """Refresh and scale until all jobs are finished; return them as they then stand.

    On a terminal each job has a bar, elsewhere each change of state is a line on standard error. Ctrl-C ends the
    waiting only: the jobs go on.
    """
    with ExitStack() as stack:
        view = _view(stack)
        next_round = 0.0
        while True:
            if time.monotonic() >= next_round:
                _make_passes(farm)
                next_round = time.monotonic() + PASSES_EVERY
            jobs = farm.store.get(ids)
            current = [jobs[job_id] for job_id in ids if job_id in jobs]
            view.update(current)
            if all(job.finished for job in current):
                break
            time.sleep(LOOK)
    _make_passes(farm)
    return current


def _make_passes(farm: "Farm") -> None:
    """Make a round; what another process is making at the moment is left to it."""
    from nommerctl.wiring.running import REFRESH, SCALE, run_pass

    for each in (REFRESH, SCALE):
        with suppress(AlreadyRunningError):
            outcome = run_pass(farm, each)
            if outcome.ended_by is not None:
                raise outcome.ended_by


def _view(stack: ExitStack) -> "Lines | Bars":
    from nommerctl.wiring.terminal import error_is_terminal

    return stack.enter_context(Bars()) if error_is_terminal() else Lines()


class Lines:
    """A line on standard error for each change of state."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    def update(self, jobs: "Sequence[EncodingJob]") -> None:
        """Say what changed since the last time."""
        for job in jobs:
            if self._states.get(job.id) != job.state:
                self._states[job.id] = job.state
                narrate(f"{job.id[:12]} {job.state.value} {job.dest}")


class Bars:
    """A bar for each job, on the terminal that standard error is."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.fields[name]}", markup=False),
            TextColumn("{task.fields[state]:<11}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%", markup=False),
            TextColumn("{task.fields[pace]}", markup=False),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), expand=True)
        self._tasks: dict[str, object] = {}

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state standing."""
        self._progress.stop()

    def update(self, jobs: "Sequence[EncodingJob]") -> None:
        """Draw the jobs as they stand."""
        from nommerctl.render.live import bar_fields

        for job in jobs:
            fields = bar_fields(job)
            if job.id not in self._tasks:
                self._tasks[job.id] = self._progress.add_task("", total=1.0, **fields)
            self._progress.update(self._tasks[job.id], completed=fields["fraction"], **fields)  # type: ignore[arg-type]
