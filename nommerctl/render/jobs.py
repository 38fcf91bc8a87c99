"""Many jobs: what `list` shows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from nommerctl.domain.costs import job_cost, job_price
from nommerctl.domain.job import SHORT_ID, EncodingJob
from nommerctl.domain.reasons import reason, waits_plainly
from nommerctl.domain.states import JobState
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, age, rfc3339, seconds_between
from nommerctl.render.dollars import dollars
from nommerctl.render.job_record import KEYS, job_record
from nommerctl.render.json_text import json_document_of_many, json_text
from nommerctl.render.shorten import shorten_middle, shorten_path
from nommerctl.render.styled import QUIET, STATE_STYLES, Span
from nommerctl.render.tables import Column, Row, table
from nommerctl.render.tsv import tsv_line

BAR = 8

COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("DONE", expendable=1, right=True),
    Column("", expendable=8),
    Column("SPEED", expendable=7, right=True),
    Column("LEFT", expendable=5, right=True),
    Column("SOURCE", floor=18, shorten=shorten_path),
    Column("DEST", expendable=6, floor=18, shorten=shorten_path),
    Column("PRESET", expendable=3, floor=10, shorten=shorten_middle),
    Column("NODE", expendable=4, floor=12, shorten=shorten_middle),
    Column("TRY", expendable=2, right=True),
    Column("COST", expendable=2, right=True),
    Column("CHANGED", expendable=1, right=True),
)


def jobs_table(
    jobs: Sequence[EncodingJob],
    *,
    now: Instant,
    width: int,
    color: bool,
    as_of: Instant | None,
    counts: Mapping[JobState, int] | None = None,
) -> str:
    """Return a table for a terminal that is `width` cells wide, and below it what the jobs come to.

    `as_of` is when the cache was last refreshed, None if it never was, `now` if the jobs were read this moment.
    `counts` says how many there are in each state if these are not all of them.
    """
    length = unambiguous_length(job.id for job in jobs)
    rows = [_row(job, length, now=now, as_of=as_of) for job in jobs]
    foot = _counted(len(jobs), counts or Counter(job.state for job in jobs))
    foot += _price(jobs, now) + _cache_age(as_of, now)
    return table(COLUMNS, rows, foot, width=width, color=color)


def job_line(job: EncodingJob, *, now: Instant, as_of: Instant | None) -> str:
    """Return what `jobs_tsv` says of one job."""
    return tsv_line(job_record(job, now, as_of=as_of).values())


def lines_tsv(lines: Iterable[str]) -> str:
    """Return a header of job_record's keys and the lines that `job_line` made."""
    return "\n".join((tsv_line(KEYS), *lines, ""))


def jobs_tsv(jobs: Iterable[EncodingJob], *, now: Instant, as_of: Instant | None) -> str:
    """Return a header of job_record's keys and a line for each job."""
    return lines_tsv(job_line(job, now=now, as_of=as_of) for job in jobs)


def job_part(job: EncodingJob, *, now: Instant, as_of: Instant | None) -> str:
    """Return what `jobs_json` says of one job."""
    return json_text(job_record(job, now, as_of=as_of))


def parts_json(parts: Iterable[str], *, command: str, as_of: Instant | None) -> str:
    """Return the document of `list`, or of another command that answers with jobs, of what `job_part` made."""
    known = None if as_of is None else rfc3339(as_of)
    return json_document_of_many("jobs", parts, command=command, as_of=known)


def jobs_json(jobs: Iterable[EncodingJob], *, command: str, as_of: Instant | None, now: Instant) -> str:
    """Return the document of a command that answers with jobs."""
    return parts_json((job_part(job, now=now, as_of=as_of) for job in jobs), command=command, as_of=as_of)


def unambiguous_length(ids: Iterable[str]) -> int:
    """How much of an id to show: SHORT_ID characters, or as many more as it takes to tell all of them apart."""
    ordered = sorted(set(ids))
    length = SHORT_ID
    for one, following in pairwise(ordered):
        while one[:length] == following[:length]:
            length += 1
    return length


def _row(job: EncodingJob, id_length: int, *, now: Instant, as_of: Instant | None) -> Row:
    progress = None if job.finished else job.progress
    speed = progress.speed if progress else None
    left = progress.eta_s if progress else None
    cost = job_cost(job, now)
    why = None if waits_plainly(job) else reason(job, now, as_of=as_of)
    style = "red" if job.state is JobState.ERROR else QUIET
    return Row(
        cells=(
            Span(shown(job.id[:id_length])),
            Span(job.state.value, STATE_STYLES[job.state]),
            Span("" if progress is None else f"{_percent(progress.fraction)}%"),
            Span("" if progress is None else _bar(progress.fraction), STATE_STYLES[job.state]),
            Span("" if speed is None else f"{speed:.1f}x"),
            Span("" if left is None else age(left)),
            Span(shown(job.source)),
            Span(shown(job.dest)),
            Span(shown(job.preset or "")),
            Span(shown(job.node or "")),
            Span(str(job.attempt) if job.attempt > 1 else ""),
            Span(dollars(cost) if cost else ""),
            Span(age(seconds_between(job.changed, now)), QUIET),
        ),
        note=None if why is None else Span(shown(why), style),
    )


def _percent(fraction: float) -> int:
    """Whole percents, never 100 before the end."""
    return int(max(0.0, min(fraction, 1.0)) * 100)


def _bar(fraction: float) -> str:
    full = _percent(fraction) * BAR // 100
    return "━" * full + "─" * (BAR - full)


def _counted(shown_jobs: int, counts: Mapping[JobState, int]) -> str:
    """`12 jobs: 3 PENDING, 9 FINISHED`, and before it how many of them are shown, if not all."""
    whole = sum(counts.values())
    if not whole:
        return "no jobs"
    parts = ", ".join(f"{counts[state]} {state.value}" for state in JobState if counts.get(state))
    some = f"{shown_jobs} shown of " if shown_jobs < whole else ""
    more = " (--limit 0 shows all)" if shown_jobs < whole else ""
    return f"{some}{counted(whole, 'job')}: {parts}{more}"


def _price(jobs: Iterable[EncodingJob], now: Instant) -> str:
    """` · $0.07/h in work`; nothing if no price is known."""
    an_hour = sum(job_price(job, now) for job in jobs)
    return f" · {dollars(an_hour)}/h in work" if an_hour else ""


def _cache_age(as_of: Instant | None, now: Instant) -> str:
    if as_of is None:
        return " · the cache is cold: run `nommerctl refresh`"
    return "" if as_of == now else f" · cache {age(seconds_between(as_of, now))} old"
