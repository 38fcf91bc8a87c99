"""Looking: these commands change nothing, not even the cache."""

from typing import TYPE_CHECKING, Annotated

import typer

from nommerctl.cli.context import emit, narrate, open_farm, terminal
from nommerctl.cli.options import Json
from nommerctl.domain.states import IN_WORK, JobState

if TYPE_CHECKING:
    from nommerctl.domain.times import Instant
    from nommerctl.wiring.farm import Farm

BY_INTEREST = (
    *(state for state in JobState if state in IN_WORK),
    JobState.ERROR,
    JobState.PENDING,
    JobState.ABANDONED,
    JobState.FINISHED,
)
"""The states in the order in which a person wants to see jobs in them, when there are too many."""

AT_ONCE = 1000
"""Lines written at a time."""

SCREENFULS = 200
"""Jobs in a table, if nobody says how many: nobody reads more."""


def status(ctx: typer.Context, json: Json = False) -> None:
    """Show how the farm stands: jobs, nodes, queue, last decision.

    Jobs by state, as the cache counts them; nodes with their slots; messages that wait; how old the cache is; what
    scale decided last and what held it back; passes that are overdue.
    """
    from nommerctl.passes.status import status as farm_status
    from nommerctl.render import status as render

    farm = open_farm(ctx, tell_overdue=False, tell_notices=False)
    now = farm.clock()
    found, overdue = farm_status(farm.look(), farm.settings.cache, now), farm.overdue()
    limits, where = farm.settings.scale, terminal()
    if json:
        emit(render.status_json(found, overdue, now=now, limits=limits))
    elif where.is_terminal:
        emit(render.status_text(found, overdue, now=now, limits=limits, width=where.width, color=where.color))
    else:
        emit(render.status_tsv(found, overdue, now=now, limits=limits))


def list_jobs(
    ctx: typer.Context,
    state: Annotated[
        list[JobState] | None,
        typer.Option(
            "--state", metavar="STATE", case_sensitive=False, help="Only jobs in this state; may be given again."
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=0,
            metavar="N",
            show_default=False,
            help=f"At most so many jobs; 0: all (default: {SCREENFULS} in a terminal, else all).",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List open jobs, and those that finished lately.

    A terminal gets a table, a pipe gets tab-separated text. How old the cache is stands below; 'nommerctl refresh'
    brings it up to date. What --limit leaves out comes last of: in work, ERROR, PENDING, ABANDONED, FINISHED.
    """
    from functools import partial

    from nommerctl.domain.batches import batches
    from nommerctl.render import jobs as render

    farm = open_farm(ctx)
    where = terminal()
    as_table = where.is_terminal and not json
    states = tuple(dict.fromkeys(state or BY_INTEREST))
    most = (SCREENFULS if as_table else None) if limit is None else limit or None
    as_of = farm.cached_jobs.status().refreshed
    now = farm.clock()
    _warn_of_age(farm, as_of, now, said_below=where.is_terminal)
    if json:
        parts = farm.cached_jobs.map_jobs(states, partial(render.job_part, now=now, as_of=as_of), limit=most)
        emit(render.parts_json(parts, command="list", as_of=as_of))
    elif as_table:
        counts = farm.cached_jobs.count_by_state()
        jobs = farm.cached_jobs.map_jobs(states, lambda job: job, limit=most)
        emit(
            render.jobs_table(
                jobs,
                now=now,
                width=where.width,
                color=where.color,
                as_of=as_of,
                counts={each: counts[each] for each in states},
            )
        )
    else:
        lines = farm.cached_jobs.map_jobs(states, partial(render.job_line, now=now, as_of=as_of), limit=most)
        emit(render.lines_tsv(()))
        for some in batches(lines, AT_ONCE):
            emit("\n".join(some))


def _warn_of_age(farm: "Farm", as_of: "Instant | None", now: "Instant", *, said_below: bool) -> None:
    from nommerctl.domain.times import age, seconds_between

    if said_below:
        return
    if as_of is None:
        narrate("nommerctl: the cache is cold: run `nommerctl refresh`")
        return
    old = seconds_between(as_of, now)
    if old > farm.settings.cache.max_age:
        narrate(f"nommerctl: the cache is {age(old)} old: 'nommerctl refresh' brings it up to date")


def show(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="The first characters of a job's id.", show_default=False)],
    json: Json = False,
) -> None:
    """Show all that is known of a job.

    Its history with times, attempts, node, ffmpeg command, and the end of ffmpeg's log.
    """
    from nommerctl.passes.jobs import named
    from nommerctl.render.job_detail import job_detail_json, job_detail_text

    farm = open_farm(ctx)
    found = named(farm.look().store, job)
    now = farm.clock()
    emit(job_detail_json(found, now=now) if json else job_detail_text(found, now=now, color=terminal().color))


def nodes(ctx: typer.Context, json: Json = False) -> None:
    """List the nodes, their slots, and what they run."""
    from nommerctl.passes.scale import nodes as known_nodes
    from nommerctl.render import nodes as render

    farm = open_farm(ctx)
    now, limits, where = farm.clock(), farm.settings.scale, terminal()
    found = known_nodes(farm.look(), now)
    if json:
        emit(render.nodes_json(found, now=now, limits=limits))
    elif where.is_terminal:
        emit(render.nodes_table(found, now=now, limits=limits, width=where.width, color=where.color))
    else:
        emit(render.nodes_tsv(found, now=now, limits=limits))


def why(
    ctx: typer.Context,
    last: Annotated[int, typer.Option(min=1, max=1000, help="How many decisions.")] = 5,
    json: Json = False,
) -> None:
    """Show why nodes were launched or ended, newest decision first."""
    from nommerctl.render.decisions import decisions_json, decisions_text

    farm = open_farm(ctx)
    decisions = farm.look().ledger.decisions(last)
    now = farm.clock()
    emit(decisions_json(decisions, now=now) if json else decisions_text(decisions, now=now, color=terminal().color))
