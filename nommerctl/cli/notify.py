"""Notifications that nobody took: look at them, tell them again."""

from typing import Annotated

import typer

from nommerctl.cli.context import emit, open_farm, terminal
from nommerctl.cli.jobs import finish
from nommerctl.cli.options import Json


def dead_list(ctx: typer.Context, json: Json = False) -> None:
    """List the jobs whose listener was given up.

    It answered 410, of whatever job, or failed notify.attempts times in a row. Nobody is told of these jobs any more,
    until 'nommerctl notify dead retry'.
    """
    from nommerctl.render import undelivered as render

    farm = open_farm(ctx)
    now, where = farm.clock(), terminal()
    found = list(farm.look().store.undelivered())
    if json:
        emit(render.undelivered_json(found, now=now))
    elif where.is_terminal:
        emit(render.undelivered_table(found, now=now, width=where.width, color=where.color))
    else:
        emit(render.undelivered_tsv(found))


def dead_retry(
    ctx: typer.Context,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JOB...]", help="The first characters of a job's id; none: all.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Tell listeners again that were given up.

    The next refresh does it, in order, from the first change of state that was not taken. After an answer of 410 nobody
    is told at that URL any more: to tell of one of its jobs again is to tell of all that were given up for it.
    """
    from nommerctl.passes.undelivered import tell_again
    from nommerctl.wiring.running import with_performer

    outcome = with_performer(
        open_farm(ctx),
        "notify dead retry",
        lambda reads, perform: tell_again(reads, perform, jobs or []),
    )
    finish(outcome, json=json)
