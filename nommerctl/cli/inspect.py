"""Looking: these commands change nothing, not even the cache."""

from typing import Annotated

import typer

from nommerctl.cli.context import emit, narrate, open_farm, terminal
from nommerctl.cli.options import Json
from nommerctl.domain.states import JobState


def list_jobs(
    ctx: typer.Context,
    state: Annotated[
        list[JobState] | None,
        typer.Option(
            "--state", metavar="STATE", case_sensitive=False, help="Only jobs in this state; may be given again."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List open jobs, and those that finished lately.

    A terminal gets a table, a pipe gets tab-separated text. How old the cache is stands below; 'nommerctl refresh'
    brings it up to date.
    """
    farm = open_farm(ctx)
    cache = farm.cached_jobs
    if state is None:
        jobs = list(cache.get_cached_jobs().values())
    else:
        found = {job.id: job for each in set(state) for job in cache.get_jobs_with_state(each)}
        jobs = sorted(found.values(), key=lambda job: (job.created, job.id))
    as_of = cache.status().refreshed
    now = farm.clock()
    where = terminal()
    from nommerctl.domain.times import age, seconds_between

    if as_of is not None and not where.is_terminal and seconds_between(as_of, now) > farm.settings.cache.max_age:
        narrate(
            f"nommerctl: the cache is {age(seconds_between(as_of, now))} old: 'nommerctl refresh' brings it up to date"
        )
    from nommerctl.render import jobs as render

    if json:
        emit(render.jobs_json(jobs, command="list", as_of=as_of, now=now))
    elif where.is_terminal:
        emit(render.jobs_table(jobs, now=now, width=where.width, color=where.color, as_of=as_of))
    else:
        emit(render.jobs_tsv(jobs, now=now, as_of=as_of))


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
    found = known_nodes(farm.look())
    now, limits, where = farm.clock(), farm.settings.scale, terminal()
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
