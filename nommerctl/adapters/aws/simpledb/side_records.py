"""The side records of jobs: what nommerctl knows of a job and the item of old code has no room for.

Each is an item in a domain of ours, named by the job's id: the record as JSON, in pieces, and beside it what is asked
for. The record is whole but for URIs with keys or passwords in them: these stay in the job's item, and there alone.
`fence` is the last_modified_dtime of the job's item that the record goes with, `before` the one that it was written
over: while the item has that one, its own write is under way, or whoever was at it died. `seen` has changes by others
that the record does not have yet, each a value of its own. `first` is when a job was first seen whose item has no
times. `seal` is the CRC-32 of the record, and of what goes with it: it shows damage.
"""

import re
import zlib
from typing import NamedTuple

import msgspec
from msgspec import structs

from nommerctl.adapters.aws.simpledb.chunks import chunked, joined, json_text, single
from nommerctl.adapters.aws.simpledb.domains import VALUE_BYTES, Attributes, Expected, quoted
from nommerctl.domain.credentials import has_credentials
from nommerctl.domain.job import EncodingJob, HistoryEntry
from nommerctl.domain.record_size import fitted
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant

OPEN = "open"
UNTOLD = "untold"
DONE = "done"
SEEN = "seen"
FIRST = "first"
_SEAL = "seal"

LISTENED = "heard = '1'"
"""The condition, in a Select, of records whose job has a `notify_url`.

What others did to one without is only kept beside its record, which says for as long that the job is unfinished.
"""

_PIECES = 200
"""Of a record, at most: an item has 256 pairs of names and values in all."""

_RECORD_BYTES = 190_000
_ESCAPED_BYTES = _PIECES * (VALUE_BYTES - 3)
"""A piece ends with a whole character, so up to three bytes early."""

_SEEN_BYTES = 900
"""Of the details of a change that was seen."""

_GIVEN = ("source", "dest", "notify_url")

_INSTANT = re.compile("[0-9]{1,18}")

_decoder = msgspec.json.Decoder(EncodingJob)


class Seen(NamedTuple):
    """A change by others: the state that the item was seen in, when it was changed as read and as written there."""

    at: Instant
    state: JobState
    text: str
    details: str | None


class Side(NamedTuple):
    """A side record as it was read. `record` is None where it has none (yet), or one that is not as it was written.

    `expected` is the condition of the next write over it. `values` are those of `seen`, as they stand. `damaged` is one
    whose record is lost.
    """

    record: EncodingJob | None
    version: int
    fence: str
    before: str
    seen: tuple[Seen, ...]
    values: tuple[str, ...]
    expected: Expected
    damaged: bool = False
    first: Instant | None = None

    @property
    def has_changes(self) -> bool:
        """Whether it says, or said, anything of what became of the job."""
        return self.record is not None or self.damaged or bool(self.values)


_seen_decoder = msgspec.json.Decoder(Seen)


def fit_to_store(job: EncodingJob) -> EncodingJob:
    """Return a job that was changed, without what there is no room for."""
    job = fitted(job, _RECORD_BYTES)
    return job if len(json_text(job).encode()) <= _ESCAPED_BYTES else fitted(job, _ESCAPED_BYTES // 6)


def attributes_of(job: EncodingJob, *, fence: str, before: str) -> dict[str, str]:
    """Return the attributes of a job's side record."""
    bound = {"version": str(job.version), "fence": fence, "before": before}
    pieces = chunked(structs.replace(kept_of(job), version=0))  # which stands beside
    return {
        **bound,
        _SEAL: _seal({name: (value,) for name, value in {**bound, **pieces}.items()}),
        "state": job.state.value,
        "phase": _phase(job),
        "changed": _padded(job.changed),
        "dead": str(int(job.undelivered)),
        "heard": str(int(job.notify_url is not None)),
        **pieces,
    }


def kept_of(job: EncodingJob) -> EncodingJob:
    """Return a job as it is kept here: '' is what a source, destination or notify_url has to be looked up for."""
    left = {name: "" for name in _GIVEN if has_credentials(getattr(job, name) or "")}
    return structs.replace(job, **left) if left else job


def is_whole(record: EncodingJob) -> bool:
    """Whether nothing of a record has to be looked up in the job's item."""
    return "" not in (record.source, record.dest, record.notify_url)


def changed_before(at: Instant) -> str:
    """Return the condition, in a Select, of records that changed before an instant."""
    return f"changed < {quoted(_padded(at))}"


def changed_since(at: Instant) -> str:
    """Return the condition of those that changed at an instant or later."""
    return f"changed >= {quoted(_padded(at))}"


def side_of(attributes: Attributes) -> Side:
    """Return what stands in a side record; nothing is raised for what somebody damaged."""
    version = _one(attributes, "version")
    values = attributes.get(SEEN, ())
    record = _record(attributes, version) if version is not None else None
    return Side(
        record=record,
        version=int(version) if version and version.isdecimal() else 0,
        fence=_one(attributes, "fence") or "",
        before=_one(attributes, "before") or "",
        seen=tuple(sorted((seen for value in values if (seen := _seen(value))), key=lambda seen: seen.at)),
        values=values,
        expected=Expected("version", version),
        damaged=record is None and bool(attributes.keys() - {SEEN, FIRST}),
        first=min((int(text) for text in attributes.get(FIRST, ()) if _INSTANT.fullmatch(text)), default=None),
    )


def lacks_changes(side: Side) -> bool:
    """Whether changes are kept beside a record that it does not have: others made them after it was written."""
    history = side.record.history if side.record is not None else ()
    known, since = known_to(history)
    return bool(history) and any((each.at, each.state) not in known and each.at >= since for each in side.seen)


def known_to(history: tuple[HistoryEntry, ...]) -> tuple[set[tuple[Instant, JobState]], Instant]:
    """Return what a history has, and since when: what is older has fallen out of it."""
    since = history[0].at if history and history[0].seq > 1 else 0
    return {(entry.at, entry.state) for entry in history}, since


def seen_value(seen: Seen) -> str:
    """Return a change as a value of `seen`; the end of its details as far as there is room."""
    for size in (_SEEN_BYTES, _SEEN_BYTES // 2, _SEEN_BYTES // 8, 0):
        cut = None if seen.details is None else seen.details.encode()[-size:].decode(errors="ignore") if size else ""
        value = json_text(seen._replace(details=cut))
        if len(value.encode()) <= VALUE_BYTES:
            break
    return value


def _seal(attributes: Attributes) -> str:
    """Return the checksum of a record; KeyError or ValueError if not all of it is there, once each."""
    sealed = [*(single(attributes, name) for name in ("version", "fence", "before")), joined(attributes)]
    return f"{zlib.crc32(chr(0).join(sealed).encode()):08x}"


def _record(attributes: Attributes, version: str) -> EncodingJob | None:
    try:
        if single(attributes, _SEAL) != _seal(attributes):
            return None
        return structs.replace(_decoder.decode(joined(attributes)), version=int(version))
    except (KeyError, ValueError, RecursionError, msgspec.DecodeError):
        return None


def _seen(value: str) -> Seen | None:
    try:
        return _seen_decoder.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None


def _one(attributes: Attributes, name: str) -> str | None:
    return next(iter(attributes.get(name, ())), None)


def _phase(job: EncodingJob) -> str:
    if not job.finished:
        return OPEN
    return UNTOLD if job.untold else DONE


def _padded(at: Instant) -> str:
    return f"{max(at, 0):018d}"
