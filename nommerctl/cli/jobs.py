"""Jobs: submit them, try them again, give them up."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nommerctl.cli.context import complain, emit, narrate, open_farm, report_others, terminal
from nommerctl.cli.options import DryRun, JobNames, Json
from nommerctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from nommerctl.domain.job import EncodingJob
    from nommerctl.domain.outcome import Outcome
    from nommerctl.wiring.farm import Farm
    from nommerctl.wiring.requesting import Submission


def submit(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE...", help="Files to encode, or http(s) addresses.", show_default=False),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Jobs from a file instead, one a line ('-': standard input)."),
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(
            "--request", metavar="FILE", help="One job instead, as media-nommer's /job/submit/ took it ('-' likewise)."
        ),
    ] = None,
    dest: Annotated[
        str | None, typer.Option("--dest", help="The file to write, or a folder: then each is named after its source.")
    ] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="web-480p, web-720p, web-1080p or audio-m4a.")] = None,
    options: Annotated[
        Path | None,
        typer.Option(
            "--options", metavar="FILE", help="ffmpeg options instead: a JSON list of passes, in media-nommer's form."
        ),
    ] = None,
    suffix: Annotated[
        str | None, typer.Option("--suffix", help="What follows the source's name in a folder (default: the preset's).")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client-id", help="Your own name for the job: submitting it twice is the same job.")
    ] = None,
    notify_url: Annotated[
        str | None, typer.Option("--notify-url", help="URL that gets a form POST for every change of state.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Run the passes here until the jobs are finished, and show their progress.")
    ] = False,
    json: Json = False,
) -> None:
    """Submit files to be encoded.

    Everything is checked first: sources that are missing, empty or still being written, destinations that cannot be
    written, unknown presets and options are refused, and then nothing is stored.

    --from takes JSON Lines: {"source": "a.mov", "dest": "b.mp4", "preset": "web-720p"}. Keys are source, dest, preset
    or options (a list of passes, or a file that has it), suffix, client_id, notify_url; flags give what lines leave
    out. The same line is the same job: after an interruption, the same command goes on from there. To encode the same
    again, give another client_id.

    --request takes {"source_path": ..., "dest_path": ..., "notify_url": ..., "job_options": {"nommer": "ffmpeg",
    "options": [...]}} and prints {"success": true, "job_id": ...} or {"success": false, "error_code": ..., "message":
    ...}. The codes: BADINPUT (no JSON, or not these fields), BADNOMMER, BADOPTIONS, BADSOURCE, BADDEST, BADNOTIFYURL,
    CREDENTIALS (in a URI), UNAVAILABLE (the farm, not the request: ask again).
    """
    if request is not None:
        others = {
            "SOURCE": sources or None,
            "--from": file,
            "--dest": dest,
            "--preset": preset,
            "--options": options,
            "--suffix": suffix,
            "--client-id": client_id,
            "--notify-url": notify_url,
            "--wait": wait or None,
            "--json": json or None,
        }
        _refuse_beside_request([name for name, value in others.items() if value is not None])
        from nommerctl.cli.job_request import answer_request

        answer_request(ctx, request)
    if file is not None:
        _refuse_beside_file(sources, client_id, wait=wait)
        from nommerctl.cli.bulk import submit_lines
        from nommerctl.wiring.bulk import FileSubmission

        given = FileSubmission(
            file=file, dest=dest, preset=preset, options=options, suffix=suffix, notify_url=notify_url
        )
        submit_lines(open_farm(ctx), given, json=json)
        return
    if not sources or dest is None:
        msg = "name the files to encode, and with --dest where to write them, or give --from with a file of jobs"
        raise UsageError(msg)
    from nommerctl.wiring.requesting import Submission

    submission = Submission(
        sources=tuple(sources),
        dest=dest,
        preset=preset,
        options=options,
        suffix=suffix,
        client_id=client_id,
        notify_url=notify_url,
    )
    _submit(open_farm(ctx), submission, wait=wait, json=json)


def _refuse_beside_request(others: list[str]) -> None:
    """UsageError for what does not go with --request."""
    if others:
        msg = f"--request says all of the job, and is answered in JSON: leave out {', '.join(others)}"
        raise UsageError(msg)


def _refuse_beside_file(sources: list[str] | None, client_id: str | None, *, wait: bool) -> None:
    """UsageError for what does not go with --from."""
    if sources:
        msg = f"--from has the jobs to submit: leave out {sources[0]!r}, or submit it by itself"
        raise UsageError(msg)
    if client_id is not None:
        msg = "--client-id names one job: with --from, give the lines a client_id each"
        raise UsageError(msg)
    if wait:
        msg = "--wait is for files named on the command line: after --from, run the passes, or let cron run them"
        raise UsageError(msg)


def _submit(farm: "Farm", submission: "Submission", *, wait: bool, json: bool) -> None:
    """Submit what was named, and wait for it if that is wanted; show the jobs as they then stand."""
    from nommerctl.domain.job import short_id
    from nommerctl.wiring.submitting import submit_jobs

    if wait:
        farm.worker_flags = ("--heartbeat", "1")
    submitted = submit_jobs(farm, submission)
    if submitted.warmed is not None:
        report_others(submitted.warmed, {})
    jobs = submitted.jobs
    for wanted, job in zip(submitted.asked, jobs, strict=True):
        if (wanted.source, wanted.dest, wanted.options) != (job.source, job.dest, job.options):
            narrate(f"nommerctl: job {short_id(job.id)} was submitted before, for something else: it stays as it is")
    if wait:
        from nommerctl.cli.live import wait_for

        jobs = wait_for(farm, [job.id for job in jobs])
    show_jobs(farm, jobs, json=json, command="submit")
    if wait:
        raise typer.Exit(code_for(jobs))


def show_jobs(farm: "Farm", jobs: "list[EncodingJob]", *, json: bool, command: str) -> None:
    """Write these jobs as they now stand: a table, TSV or JSON."""
    from nommerctl.render.jobs import jobs_json, jobs_table, jobs_tsv

    now, where = farm.clock(), terminal()
    if json:
        emit(jobs_json(jobs, command=command, as_of=now, now=now))
    elif where.is_terminal:
        emit(jobs_table(jobs, now=now, width=where.width, color=where.color, as_of=now))
    else:
        emit(jobs_tsv(jobs, now=now, as_of=now))


def code_for(jobs: "list[EncodingJob]") -> int:
    """Return the exit code after waiting for jobs: 3 unless all of them are FINISHED."""
    from nommerctl.domain.states import JobState
    from nommerctl.errors import ExitCode

    return ExitCode.DONE if all(job.state is JobState.FINISHED for job in jobs) else ExitCode.ITEMS_FAILED


def retry(
    ctx: typer.Context,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(metavar="JOB...", help="The first characters of a job's id.", show_default=False),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every job that is in ERROR.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Put jobs that ended in ERROR or ABANDONED back into the queue."""
    from nommerctl.passes.jobs import retry as retry_jobs
    from nommerctl.wiring.process import user
    from nommerctl.wiring.running import with_performer

    if not jobs and not failed:
        msg = "name the jobs to retry, or give --failed for all that are in ERROR"
        raise UsageError(msg)
    farm = open_farm(ctx)
    outcome = with_performer(
        farm,
        "retry",
        lambda reads, perform: retry_jobs(reads, perform, jobs or [], failed=failed, by=user(), clock=farm.clock),
        dry_run=dry_run,
    )
    finish(outcome, json=json)


def cancel(ctx: typer.Context, jobs: JobNames, dry_run: DryRun = False, json: Json = False) -> None:
    """Cancel unfinished jobs.

    They become ABANDONED. The worker of a running one notices at its next heartbeat and stops ffmpeg.
    """
    from nommerctl.passes.jobs import cancel as cancel_jobs
    from nommerctl.wiring.process import user
    from nommerctl.wiring.running import with_performer

    farm = open_farm(ctx)
    outcome = with_performer(
        farm,
        "cancel",
        lambda reads, perform: cancel_jobs(reads, perform, jobs, by=user(), clock=farm.clock),
        dry_run=dry_run,
    )
    finish(outcome, json=json)


def finish(outcome: "Outcome", *, json: bool) -> None:
    """Show what became of named jobs; one that changed meanwhile, so that it was too late, counts as failed."""
    from nommerctl.render.errors import error_line
    from nommerctl.render.outcome import outcome_json, outcome_text

    if isinstance(outcome.ended_by, UsageError):
        raise outcome.ended_by
    if json:
        emit(outcome_json(outcome))
    elif outcome.eventful or outcome.ended_by is None:
        emit(outcome_text(outcome, color=terminal().color))
    if outcome.ended_by is not None:
        complain(error_line(outcome.ended_by))
    raise typer.Exit(outcome.code() or (ExitCode.ITEMS_FAILED if outcome.held else ExitCode.DONE))


def dead_list(ctx: typer.Context, json: Json = False) -> None:
    """List messages that were received too often."""
    from nommerctl.render.messages import messages_json, messages_tsv

    farm = open_farm(ctx)
    messages = farm.look().new_jobs.dead()
    emit(messages_json(messages) if json else messages_tsv(messages))


def dead_retry(ctx: typer.Context) -> None:
    """Put dead messages back into the queue."""
    from nommerctl.domain.text import counted

    farm = open_farm(ctx)
    queue = farm.backend.new_jobs
    messages = queue.dead()
    queue.revive(messages)
    emit(f"{counted(len(messages), 'message')} put back")
