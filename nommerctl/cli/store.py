"""The job stores themselves: leaving one for another."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from nommerctl.cli.context import complain, emit, invocation, terminal
from nommerctl.cli.options import DryRun, Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nommerctl.domain.copying import Copied


def copy(
    ctx: typer.Context,
    source: Annotated[str, typer.Option("--from", metavar="BACKEND", help="The backend to leave.", show_default=False)],
    destination: Annotated[
        str, typer.Option("--to", metavar="BACKEND", help="The backend to move to.", show_default=False)
    ],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Copy all jobs from one backend into another.

    For leaving a backend, with the whole history of every job. Stop cron and workers first: it refuses while a node
    still gives heartbeats. Jobs that wait, or were in work, are queued in the new place. Then it reads both again and
    compares them by count and SHA-256 (of all but versions and leases, and of no job that has gone on in the new
    place): 0 says that they agree, 3 that some job does not. Ended at any moment and run again it goes on from there,
    with what has changed since.
    """
    from nommerctl.wiring.copying import copy_store

    with _watched() as moved:
        copied = copy_store(invocation(ctx), source, destination, dry_run=dry_run, moved=moved)
    _show(copied, json=json)
    raise typer.Exit(copied.outcome.code())


@contextmanager
def _watched() -> "Iterator[Callable[[str, int], None]]":
    """Show how far it is, on the terminal that standard error is; no trace is left."""
    from nommerctl.domain.text import counted
    from nommerctl.wiring.terminal import error_is_terminal

    if not error_is_terminal():
        yield lambda _what, _jobs: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text("look at both")) as status:
        yield lambda what, jobs: status.update(Text(f"{what}: {counted(jobs, 'job')}"))


def _show(copied: "Copied", *, json: bool) -> None:
    from nommerctl.render.copying import copied_json, copied_text
    from nommerctl.render.errors import error_line

    outcome = copied.outcome
    if outcome.ended_by is not None:
        complain(error_line(outcome.ended_by))
    if json:
        emit(copied_json(copied))
    elif outcome.eventful or outcome.ended_by is None:
        emit(copied_text(copied, color=terminal().color))
