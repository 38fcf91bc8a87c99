"""One job in full: what `show` shows."""

from collections.abc import Iterable

from nommerctl.domain.costs import job_cost, job_price
from nommerctl.domain.job import EncodingJob, HistoryEntry, lease_live
from nommerctl.domain.reasons import first_line, reason
from nommerctl.domain.text import counted, shown, shown_lines
from nommerctl.domain.times import Instant, age, rfc3339, seconds_between
from nommerctl.render.dollars import dollars
from nommerctl.render.job_record import whole_job_record
from nommerctl.render.json_text import json_document
from nommerctl.render.styled import HEADING, QUIET, STATE_STYLES, Line, Span, draw, pairs


def job_detail_text(job: EncodingJob, *, now: Instant, color: bool) -> str:
    """Return everything a person asks of a job: its fields, its history, the command and the end of its log."""
    lines: list[Line] = [(Span("Job ", HEADING), Span(shown(job.id), HEADING))]
    lines += pairs([(label, value) for label, value in _fields(job, now) if value.text])
    lines += _section("Details", _lines_of(job.details))
    lines += _section("History", _history(job.history, now))
    lines += _section("Command", _lines_of(job.command))
    lines += _section("End of the log", _lines_of(job.log))
    return draw(lines, color=color)


def job_detail_json(job: EncodingJob, *, now: Instant) -> str:
    """Return the document of `show`: the job as `list` has it, and everything else that its record holds."""
    return json_document(command="show", as_of=rfc3339(now), job=whole_job_record(job, now))


def _fields(job: EncodingJob, now: Instant) -> list[tuple[str, Span]]:
    """What there is to say in one line each; what does not apply is empty."""
    why = reason(job, now) if job.fault or not job.details else None
    return [
        ("state", Span(job.state.value, STATE_STYLES[job.state])),
        ("reason", Span(shown(why or ""))),
        ("progress", Span(_progress(job))),
        ("source", Span(shown(job.source))),
        ("dest", Span(shown(job.dest))),
        ("preset", Span(shown(job.preset or ""))),
        ("nommer", Span(shown(job.nommer))),
        ("node", Span(_node(job, now))),
        ("attempt", Span(_attempt(job))),
        ("cost", Span(_cost(job, now))),
        ("output", Span(_output(job))),
        ("created", Span(_moment(job.created, now))),
        ("changed", Span(_moment(job.changed, now))),
        ("client id", Span(shown(job.client_id or ""))),
        ("notify url", Span(_listener(job, now))),
    ]


def _moment(at: Instant, now: Instant) -> str:
    """`2026-01-31T09:00:00Z (3 min ago)`, or `(in 60 s)`."""
    seconds = seconds_between(at, now)
    return f"{rfc3339(at)[:19]}Z ({f'{age(seconds)} ago' if seconds >= 0 else f'in {age(-seconds)}'})"


def _progress(job: EncodingJob) -> str:
    if job.progress is None or job.finished:
        return ""
    progress = job.progress
    parts = [f"{progress.fraction:.1%}"]
    parts += [f"{progress.fps:.0f} frames/s"] if progress.fps is not None else []
    parts += [f"{progress.speed:.1f}x"] if progress.speed is not None else []
    parts += [f"{age(progress.eta_s)} left"] if progress.eta_s is not None else []
    return ", ".join(parts)


def _node(job: EncodingJob, now: Instant) -> str:
    if job.node is None:
        return ""
    if job.lease is None:
        return shown(job.node)
    if not job.lease.id:
        return f"{shown(job.node)}, which takes no leases"
    held = "its lease lasts until" if lease_live(job, now) else "its lease ended at"
    return f"{shown(job.node)}, {held} {_moment(job.lease.until, now)}"


def _attempt(job: EncodingJob) -> str:
    if not job.attempt:
        return ""
    times = "interruption" if job.interruptions == 1 else "interruptions"
    return f"{job.attempt} ({job.interruptions} {times})" if job.interruptions else str(job.attempt)


def _cost(job: EncodingJob, now: Instant) -> str:
    """`$0.0120 so far, at $0.0357/h`, or of a job that nobody has in hand `$0.0120`; nothing if no price is known."""
    total, an_hour = job_cost(job, now), job_price(job, now)
    if an_hour:
        return f"{dollars(total)} so far, at {dollars(an_hour)}/h"
    return dollars(total) if total else ""


def _output(job: EncodingJob) -> str:
    if job.media is None:
        return ""
    picture = f", {job.media.width}x{job.media.height}" if job.media.width and job.media.height else ""
    return f"{job.media.seconds:.2f} s{picture}"


def _listener(job: EncodingJob, now: Instant) -> str:
    if job.notify_url is None:
        return ""
    parts = [f"{len(job.untaken)} still to be told" if job.untaken else "told everything"]
    if job.delivery is not None:
        tried = counted(job.delivery.failures, "attempt")
        if job.delivery.dead:
            parts += [f"given up after {tried}, see 'nommerctl notify dead'"]
        else:
            parts += [f"{tried} failed, the next at {_moment(job.delivery.next, now)}"]
        parts += [shown(job.delivery.error)]
    return f"{shown(job.notify_url)} ({'; '.join(parts)})"


def _section(title: str, body: list[Line]) -> list[Line]:
    return [(), (Span(title, HEADING),), *body] if body else []


def _lines_of(text: str | None) -> list[Line]:
    return [(Span(f"  {line}"),) for line in shown_lines(text)]


def _history(entries: Iterable[HistoryEntry], now: Instant) -> list[Line]:
    return [_entry(entry, now) for entry in entries]


def _entry(entry: HistoryEntry, now: Instant) -> Line:
    ago = f"{age(seconds_between(entry.at, now))} ago"
    details = first_line(entry.details)
    return (
        Span(f"  {entry.seq:>3}  {rfc3339(entry.at)[:19]}Z  {ago:>11}  ", QUIET),
        Span(f"{entry.state.value:<11}", STATE_STYLES[entry.state]),
        Span(f"  by {shown(entry.by)}"),
        Span("" if details is None else f": {shown(details)}", QUIET),
    )
