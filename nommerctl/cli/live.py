"""Waiting for jobs: making the passes in this process, with a progress bar for each job."""

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from nommerctl.cli.context import narrate, report_others
from nommerctl.domain.job import EncodingJob, short_id
from nommerctl.errors import AlreadyRunningError, InterruptedPassError, TerminatedPassError, TryAgainError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import TaskID

    from nommerctl.wiring.farm import Farm

LOOK = 0.2
"""Seconds between two looks at the jobs."""

PASSES_EVERY = 1.0
"""Seconds between two rounds of passes."""

TELLING_EVERY = 5.0
"""Seconds between two rounds of telling listeners."""

TELLING_LIMIT = 2.0
"""Seconds that one of those may take."""


def wait_for(farm: "Farm", ids: "Sequence[str]") -> list[EncodingJob]:
    """Refresh and scale until all jobs are finished; return them as they then stand.

    On a terminal each job has a bar, elsewhere each change of state is a line on standard error.

    Raises:
        InterruptedPassError: Ctrl-C. It ends the waiting only: the jobs go on.
    """
    try:
        with ExitStack() as stack:
            return _wait(farm, ids, _view(stack))
    except (KeyboardInterrupt, InterruptedPassError, TerminatedPassError) as error:
        ended = type(error) if isinstance(error, TerminatedPassError) else InterruptedPassError
        msg = "no longer waiting; the jobs go on in the background: see `nommerctl list`, or `nommerctl cancel` them"
        raise ended(msg) from None


def _wait(farm: "Farm", ids: "Sequence[str]", view: "Lines | Bars") -> list[EncodingJob]:
    held = ""
    next_round = next_telling = 0.0
    while True:
        if time.monotonic() >= next_round:
            held = _make_passes(farm, ids, held)
            next_round = time.monotonic() + PASSES_EVERY
        jobs = farm.backend.store.get(ids)
        current = [jobs[job_id] for job_id in ids if job_id in jobs]
        view.update(current)
        finished = all(job.finished for job in current)
        if finished or time.monotonic() >= next_telling:
            _tell(farm, ids)
            next_telling = time.monotonic() + TELLING_EVERY
        if finished:
            return current
        time.sleep(LOOK)


def _make_passes(farm: "Farm", own: "Sequence[str]", held_before: str) -> str:
    """Learn and scale; what another process is making at the moment is left to it, what is busy to the next round.

    Return what keeps scale from launching, after saying so if that is new: somebody waits for it.
    """
    from nommerctl.wiring.running import LEARN, SCALE, run_pass

    held = held_before
    for each in (LEARN, SCALE):
        with suppress(AlreadyRunningError):
            outcome = run_pass(farm, each)
            report_others(outcome, own)
            held = "; ".join(hold.reason for hold in outcome.held)
            if isinstance(outcome.ended_by, TryAgainError):
                held = str(outcome.ended_by)
            elif outcome.ended_by is not None:
                raise outcome.ended_by
    if held and held != held_before:
        narrate(f"waiting: {held}")
    return held


def _tell(farm: "Farm", own: "Sequence[str]") -> None:
    """Tell listeners, but not for longer than somebody who waits for jobs should wait for those."""
    from nommerctl.wiring.running import REFRESH, run_pass

    with suppress(AlreadyRunningError):
        outcome = run_pass(farm, REFRESH, time_limit=TELLING_LIMIT)
        report_others(outcome, own)
        if isinstance(outcome.ended_by, InterruptedPassError | TerminatedPassError):
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
                narrate(f"{short_id(job.id)} {job.state.value} {job.dest}")


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
        self._tasks: dict[str, TaskID] = {}

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
            self._progress.update(self._tasks[job.id], completed=fields["fraction"], **fields)
