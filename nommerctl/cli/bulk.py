"""Submitting a file of jobs: a bar while it goes on, and what came of it."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from nommerctl.cli.context import emit, narrate, report_others, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import TaskID

    from nommerctl.domain.job import EncodingJob
    from nommerctl.wiring.bulk import FileSubmission
    from nommerctl.wiring.farm import Farm

AT_ONCE = 1000
"""Lines written at a time."""


def submit_lines(farm: "Farm", asked: "FileSubmission", *, json: bool) -> None:
    """Submit the jobs of a file and say what came of it.

    A terminal gets a sentence, for nobody reads ten thousand rows; a pipe gets a line for each job and --json one
    document, after the last of them is stored, and then the sentence is on standard error.
    """
    from nommerctl.domain.batches import batches
    from nommerctl.render import jobs as render
    from nommerctl.render.bulk import stored_sentence
    from nommerctl.wiring.bulk import submit_file

    now, in_terminal = farm.clock(), terminal().is_terminal
    written: list[str] = []
    make = render.job_part if json else render.job_line

    def keep(jobs: "Sequence[EncodingJob]") -> None:
        if json or not in_terminal:  # as text: in a tenth of the room that the jobs take
            written.extend(make(job, now=now, as_of=now) for job in jobs)

    with ExitStack() as stack:
        moved = _moved(stack)
        stored = submit_file(farm, asked, moved=moved, keep=keep, report=lambda outcome: report_others(outcome, {}))
    sentence = stored_sentence(stored)
    if in_terminal and not json:
        emit(sentence)
        return
    narrate(sentence)
    if json:
        emit(render.parts_json(written, command="submit", as_of=now))
        return
    emit(render.lines_tsv(()))
    for some in batches(written, AT_ONCE):
        emit("\n".join(some))


def _moved(stack: ExitStack) -> "Callable[[str, int, int], None]":
    from nommerctl.wiring.terminal import error_is_terminal

    return stack.enter_context(Bar()).move if error_is_terminal() else lambda _what, _done, _of: None


class Bar:
    """One bar, on the terminal that standard error is, for one thing after the other."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description:<8}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
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

    def move(self, what: str, done: int, of: int) -> None:
        """Draw how far it is."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=of)
        self._progress.update(self._tasks[what], completed=done, total=of)
