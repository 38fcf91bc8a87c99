"""Passes: each reads, decides, acts and ends."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from nommerctl.cli.context import complain, emit, narrate, open_farm, terminal
from nommerctl.cli.options import Detailed, DryRun, Json, Quiet, TimeLimit, finite
from nommerctl.errors import (
    AlreadyRunningError,
    ExitCode,
    InterruptedPassError,
    OutputError,
    TerminatedPassError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nommerctl.domain.outcome import Outcome
    from nommerctl.wiring.running import Pass


def refresh(
    ctx: typer.Context,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Read the whole store, whatever the cache says.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    time_limit: TimeLimit = None,
    detailed_exitcode: Detailed = False,
) -> None:
    """Learn which jobs changed, and tell those who asked.

    Drains the state-change queue into the job cache, compares it with the whole store when that is due, sends messages
    anew for jobs whose message is gone, and delivers every change of state to the job's notify_url.
    """
    from nommerctl.wiring.running import REBUILD, REFRESH

    _run(
        ctx,
        [REBUILD if rebuild else REFRESH],
        dry_run=dry_run,
        json=json,
        quiet=quiet,
        time_limit=time_limit,
        detailed=detailed_exitcode,
    )


def scale(
    ctx: typer.Context,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    time_limit: TimeLimit = None,
    detailed_exitcode: Detailed = False,
) -> None:
    """Launch nodes for waiting jobs; end nodes that died.

    Launches when jobs overflow the slots of the running nodes, never beyond scale.max_nodes. Nodes without work end
    themselves. The last line sums up: 'Plan: 2 to launch, 0 to end, 1 held by max_nodes'.
    """
    from nommerctl.wiring.running import SCALE

    _run(ctx, [SCALE], dry_run=dry_run, json=json, quiet=quiet, time_limit=time_limit, detailed=detailed_exitcode)


def abandon(
    ctx: typer.Context,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    time_limit: TimeLimit = None,
    detailed_exitcode: Detailed = False,
) -> None:
    """Give up on jobs that show no sign of life.

    An unfinished job that nobody holds and whose last change or heartbeat is older than upkeep.abandon_after (or
    upkeep.abandon_pending_after, if it waits) becomes ABANDONED. 'nommerctl retry' brings it back.
    """
    from nommerctl.wiring.running import ABANDON

    _run(ctx, [ABANDON], dry_run=dry_run, json=json, quiet=quiet, time_limit=time_limit, detailed=detailed_exitcode)


def prune(
    ctx: typer.Context,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    time_limit: TimeLimit = None,
    detailed_exitcode: Detailed = False,
) -> None:
    """Remove finished jobs: from the cache, later from the store.

    Finished jobs leave the cache, and so the list, after cache.keep_finished; they are removed from the store after
    upkeep.retention, once they stand in upkeep.archive if that is set.
    """
    from nommerctl.wiring.running import PRUNE

    _run(ctx, [PRUNE], dry_run=dry_run, json=json, quiet=quiet, time_limit=time_limit, detailed=detailed_exitcode)


def run(
    ctx: typer.Context,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    time_limit: TimeLimit = None,
    detailed_exitcode: Detailed = False,
) -> None:
    """Make all passes in one process: refresh, abandon, scale, prune.

    For a crontab of one line. A pass that is already running elsewhere is left to it. The time limit is each pass's
    own. With --dry-run each pass is judged by what is there now, without the effects of those before it.
    """
    from nommerctl.wiring.running import ALL

    _run(ctx, ALL, dry_run=dry_run, json=json, quiet=quiet, time_limit=time_limit, detailed=detailed_exitcode)


def resume(ctx: typer.Context, dry_run: DryRun = False, json: Json = False) -> None:
    """Close the breaker: nodes may be launched again.

    Scale opens it, and launches none, when scale.breaker_nodes nodes in a row never gave a heartbeat. By itself it lets
    one node be tried after scale.breaker_time. Mend first what keeps nodes from coming up: 'nommerctl status' says it.
    """
    from nommerctl.render.errors import error_line
    from nommerctl.render.outcome import outcome_json, outcome_text
    from nommerctl.wiring.running import run_resume

    outcome = run_resume(open_farm(ctx, tell_notices=False), dry_run=dry_run)
    if outcome.ended_by is not None:
        complain(error_line(outcome.ended_by))
    if json:
        emit(outcome_json(outcome))
    elif outcome.ended_by is None:
        emit(outcome_text(outcome, color=terminal().color))
    raise typer.Exit(int(outcome.code()))


def worker(
    ctx: typer.Context,
    slots: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Jobs at once (default: worker.slots; scale.jobs_per_node with --power-off or --ledger).",
        ),
    ] = None,
    idle_exit: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            metavar="SECONDS",
            help="End after so long without work; 0: never (default: worker.idle_exit).",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End as soon as the queue is empty.")] = False,
    power_off: Annotated[
        bool,
        typer.Option(
            "--power-off",
            help="Shut this machine down at the end, unless a person stopped the worker; for nodes of a farm.",
        ),
    ] = False,
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger",
            metavar="TABLE",
            help="Take the settings from the ledger in this DynamoDB table; for nodes that 'aws bootstrap' set up.",
        ),
    ] = None,
    heartbeat: Annotated[float | None, typer.Option(hidden=True, min=0.05)] = None,
    node: Annotated[str | None, typer.Option(hidden=True)] = None,
    lock: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run jobs in this process until none are left.

    Scale starts workers by itself; this is for a machine that should work without it, or to watch one work. SIGTERM or
    Ctrl-C hands the jobs back to the queue.
    """
    from nommerctl.wiring.working import ending_without_settings, run_worker

    if ledger == "":
        msg = "--ledger is empty: name the table, such as nommerctl-films-ledger"
        raise UsageError(msg)
    if ledger is not None and power_off:
        msg = "--ledger names a table, and what starts such a worker powers its machine off: leave --power-off out"
        raise UsageError(msg)
    with ending_without_settings() if power_off else nullcontext():
        farm = open_farm(ctx, tell_notices=terminal().attended, ledger=ledger or "")
    raise typer.Exit(
        run_worker(
            farm,
            slots=slots,
            idle_exit=idle_exit,
            heartbeat=heartbeat,
            once=once,
            node=node,
            lock=lock,
            power_off=power_off,
            of_ledger=ledger is not None,
        )
    )


def _run(
    ctx: typer.Context,
    passes: "Sequence[Pass]",
    *,
    dry_run: bool,
    json: bool,
    quiet: bool,
    time_limit: float | None,
    detailed: bool,
) -> None:
    """Make passes, show each as it ends, and exit with the code of the first that failed."""
    from nommerctl.wiring.running import run_pass

    farm = open_farm(ctx, tell_notices=terminal().attended)  # cron would mail them every minute
    outcomes: list[Outcome] = []
    unread: OutputError | typer.Exit | None = None
    for each in passes:
        try:
            outcome = run_pass(farm, each, dry_run=dry_run, time_limit=time_limit, attended=terminal().attended)
        except AlreadyRunningError as error:
            if len(passes) == 1:
                raise
            if terminal().attended:
                narrate(f"nommerctl: {error}")
            continue
        outcomes.append(outcome)
        try:
            _show(outcome, json=json, quiet=quiet)
        except (OutputError, typer.Exit) as error:  # nobody reads it: the other passes have to be made all the same
            unread = error
        if isinstance(outcome.ended_by, (InterruptedPassError, TerminatedPassError)):
            break
    if json:
        emit(_document(outcomes, as_one=len(passes) > 1))
    if isinstance(unread, OutputError):
        raise unread
    raise typer.Exit(_code(outcomes, detailed=detailed))


def _code(outcomes: "Sequence[Outcome]", *, detailed: bool) -> int:
    """Return the code of the first pass that failed; 10 if none did, `detailed` is asked for and anything changed."""
    codes = [int(each.code(detailed=detailed)) for each in outcomes]
    failed = [code for code in codes if code not in {ExitCode.DONE, ExitCode.CHANGED}]
    return (failed or [max(codes, default=0)])[0]


def _show(outcome: "Outcome", *, json: bool, quiet: bool) -> None:
    from nommerctl.render.errors import error_line
    from nommerctl.render.outcome import failures_text, outcome_text

    if outcome.ended_by is not None:
        complain(error_line(outcome.ended_by))
    where = terminal()
    if json:
        return
    if quiet:
        emit(failures_text(outcome, color=where.color))
    elif outcome.eventful or (outcome.ended_by is None and (outcome.dry_run or where.is_terminal)):
        emit(outcome_text(outcome, color=where.color))


def _document(outcomes: "Sequence[Outcome]", *, as_one: bool) -> str:
    from nommerctl.render.outcome import outcome_json, outcomes_json

    return outcomes_json("run", outcomes) if as_one else outcome_json(outcomes[0])
