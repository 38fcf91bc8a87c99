"""Jobs whose listener was given up: what `notify dead list` shows."""

from collections.abc import Iterable, Sequence

from nommerctl.domain.job import EncodingJob
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, age, rfc3339, seconds_between
from nommerctl.render.jobs import unambiguous_length
from nommerctl.render.json_text import json_document
from nommerctl.render.shorten import shorten_middle
from nommerctl.render.styled import QUIET, STATE_STYLES, Span
from nommerctl.render.tables import Column, Row, table
from nommerctl.render.tsv import Cell, tsv

COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("UNTOLD", right=True),
    Column("TRIED", right=True),
    Column("CHANGED", expendable=1, right=True),
    Column("NOTIFY URL", floor=18, shorten=shorten_middle),
)

KEYS = ("id", "state", "changed", "notify_url", "untold", "attempts", "error")
"""What is said of a job, in this order, in JSON and in TSV: `untold` changes of state that nobody was told of, after
so many `attempts` to tell the first of them, the last of which failed by `error`."""


def undelivered_table(jobs: Sequence[EncodingJob], *, now: Instant, width: int, color: bool) -> str:
    """Return a table for a terminal that is `width` cells wide, how telling failed below each job."""
    length = unambiguous_length(job.id for job in jobs)
    rows = [_row(job, length, now) for job in jobs]
    foot = f"{counted(len(jobs), 'job')} whose listener was given up" if jobs else "no listener was given up"
    return table(COLUMNS, rows, foot, width=width, color=color)


def undelivered_tsv(jobs: Iterable[EncodingJob]) -> str:
    """Return a header of KEYS and a line for each job."""
    return tsv(KEYS, ([*_record(job).values()] for job in jobs))


def undelivered_json(jobs: Iterable[EncodingJob], *, now: Instant) -> str:
    """Return the document of `notify dead list`."""
    return json_document(command="notify dead list", as_of=rfc3339(now), jobs=[_record(job) for job in jobs])


def _row(job: EncodingJob, id_length: int, now: Instant) -> Row:
    record = _record(job)
    return Row(
        cells=(
            Span(shown(job.id[:id_length])),
            Span(job.state.value, STATE_STYLES[job.state]),
            Span(str(record["untold"])),
            Span(str(record["attempts"])),
            Span(age(seconds_between(job.changed, now)), QUIET),
            Span(shown(job.notify_url or "")),
        ),
        note=Span(shown(str(record["error"])), "red"),
    )


def _record(job: EncodingJob) -> dict[str, Cell]:
    delivery = job.delivery
    return {
        "id": job.id,
        "state": job.state.value,
        "changed": rfc3339(job.changed),
        "notify_url": job.notify_url,
        "untold": len(job.untaken),
        "attempts": delivery.failures if delivery is not None else 0,
        "error": delivery.error if delivery is not None else "",
    }
