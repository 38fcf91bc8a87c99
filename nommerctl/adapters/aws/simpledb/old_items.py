"""The items of media-nommer's jobs: what we write into them, byte for byte as old code does, and what we read there."""

from typing import NamedTuple

import msgspec
from msgspec import Struct

from nommerctl.adapters.aws.simpledb.domains import UNHELD, VALUE_BYTES, Attributes, Expected
from nommerctl.adapters.aws.simpledb.zones import OldZone
from nommerctl.domain.credentials import masked
from nommerctl.domain.job import EncodePass, EncodingJob, JobId
from nommerctl.domain.options import parse_options
from nommerctl.domain.s3_uris import without_keys
from nommerctl.domain.states import JobState
from nommerctl.domain.text import shown, storable
from nommerctl.domain.times import Instant
from nommerctl.errors import DestinationError, OptionsError, SourceError, UsageError

STATE = "job_state"
DETAILS = "job_state_details"
CHANGED = "last_modified_dtime"
CREATED = "creation_dtime"
ID = "unique_id"

FFMPEG = "media_nommer.ec2nommerd.nommers.ffmpeg.FFmpegNommer"

DETAILS_BYTES = VALUE_BYTES - 1
"""Old code cuts them to that."""

_REQUIRED = (ID, "source_path", "dest_path", "nommer", "job_options", STATE, "creation_dtime", CHANGED)
_OPTIONAL = (DETAILS, "notify_url")
_NONE = "None"
"""What old code writes for a moment where it has nothing; it stays if it dies then."""

_TOO_MUCH: dict[str, type[UsageError]] = {
    "source_path": SourceError,
    "dest_path": DestinationError,
    "job_options": OptionsError,
}
"""What is wrong with a submit if one of these has no room."""

_GUARDS = (CHANGED, STATE, ID, "source_path", "creation_dtime")
_SHOWN = 60
"""Characters of a bad value that a fault cites."""


class ItemForm(NamedTuple):
    """How items are read: the zone of their times, and whether their S3 URIs lose the keys of AWS in them."""

    zone: OldZone
    strip_credentials: bool = False


class OldItem(Struct, frozen=True, kw_only=True):
    """A job as its item alone has it. `fault` is the first thing that is wrong with it, None where nothing is.

    In `details` credentials are masked. `state` is None where it is none of ours; `changed` has the instants that its
    time may mean, none if it is no time.
    """

    source: str
    dest: str
    nommer: str
    options: tuple[EncodePass, ...]
    state: JobState | None
    details: str | None
    notify_url: str | None
    created: Instant | None
    changed: tuple[Instant, ...]
    fault: str | None


# --- writing


def item_of(job: EncodingJob, fence: str, zone: OldZone) -> dict[str, str]:
    """Return all attributes of a new job's item: the ten of old code, without those that have nothing to say.

    UsageError if one of them is longer than SimpleDB takes, or holds what it cannot answer.
    """
    written = {
        ID: job.id,
        "source_path": job.source,
        "dest_path": job.dest,
        "nommer": FFMPEG if job.nommer == "ffmpeg" else job.nommer,
        "job_options": options_text(job.options),
        **changes_of(job, fence, has_details=False),
        **({} if job.notify_url is None else {"notify_url": job.notify_url}),
        "creation_dtime": zone.text(job.created),
    }
    for name, value in written.items():
        _check_fits(job.id, name, value)
    return written


def changes_of(job: EncodingJob, fence: str, *, has_details: bool) -> dict[str, str]:
    """Return what a change of state changes in an item: three attributes, all others stay as they are.

    A job without details has an empty text for them where there are some already (`has_details`): old code takes both
    for nothing, and to delete an attribute would be a second write, between which and the first one a host may die.
    """
    written = {STATE: job.state.value, CHANGED: fence}
    if job.details is not None or has_details:
        written[DETAILS] = _details_text(job.details or "")
    return written


def options_text(options: tuple[EncodePass, ...]) -> str:
    """Return passes as old code reads them, in the shortest form: what is empty is left out but for outfile_options."""
    document = []
    for one in options:
        written: dict[str, object] = {"outfile_options": one.outfile_options}
        if one.infile_options:
            written["infile_options"] = one.infile_options
        if one.move_atom_to_front:
            written["move_atom_to_front"] = True
        document.append(written)
    return msgspec.json.encode(document).decode()


def _details_text(details: str) -> str:
    """Return the end of the details, of whole characters that SimpleDB can answer."""
    written = UNHELD.sub(lambda found: found[0].encode("unicode_escape").decode(), storable(details)).encode()
    return written[-DETAILS_BYTES:].decode(errors="ignore")


def _check_fits(job_id: JobId, name: str, value: str) -> None:
    if size := max(len(storable(value).encode()) - VALUE_BYTES, 0):
        hint = "choose fewer or shorter options" if name == "job_options" else "choose a shorter one"
        msg = (
            f"{name} of job {job_id} takes {size + VALUE_BYTES:,} bytes, and a value in SimpleDB has room for"
            f" {VALUE_BYTES:,}: {hint}"
        )
        raise _TOO_MUCH.get(name, UsageError)(msg)
    if found := UNHELD.search(value):
        msg = f"{name} of job {job_id} has the character '{shown(found[0])}', which SimpleDB cannot keep: leave it out"
        raise _TOO_MUCH.get(name, UsageError)(msg)


# --- reading


def raw_of(item: Attributes) -> str:
    """Return the fence of an item: the text of its last change as it stands, '' if there is none."""
    return ", ".join(item.get(CHANGED, ()))


def guard_of(item: Attributes) -> Expected | None:
    """Return the condition of a write over an item as it was read: its last change, or what else it has one value of.

    None if it has nothing of that kind.
    """
    return next((Expected(name, item[name][0]) for name in _GUARDS if len(item.get(name, ())) == 1), None)


def is_ambiguous(item: Attributes) -> bool:
    """Whether an item has several values of an attribute, which it had not when a program wrote it."""
    return any(len(values) > 1 for values in item.values())


def parsed(item: Attributes, form: ItemForm, now: Instant) -> OldItem:
    """Return what an item says; nothing is raised for what it says badly."""
    values = {name: _value(item, name) for name in (*_REQUIRED, *_OPTIONAL)}
    found = (values[name] for name in _REQUIRED)
    source, dest, nommer, options, state, created, changed = (text or "" for text in list(found)[1:])
    details = values[DETAILS]
    passes, bad_options = _passes(options)
    known = state if state in JobState.__members__ and len(item[STATE]) == 1 else None
    instants = form.zone.passed(changed, now), form.zone.passed(created, now)
    faults = (
        *(f"its item has no {name}" for name in _REQUIRED if values[name] is None),
        *(f"its item has {len(item[name])} values of {name}" for name in values if len(item.get(name, ())) > 1),
        None if known else f"its state '{_cited(state)}' is unknown",
        None if instants[0] else _bad_time(CHANGED, changed, form.zone),
        None if instants[1] else _bad_time(CREATED, created, form.zone),
        None if nommer == FFMPEG else f"its nommer '{_cited(nommer)}' is unknown",
        bad_options,
    )
    return OldItem(
        source=without_keys(source) if form.strip_credentials else source,
        dest=without_keys(dest) if form.strip_credentials else dest,
        nommer="ffmpeg" if nommer == FFMPEG else nommer,
        options=passes,
        state=JobState(known) if known else None,
        details=None if details is None else masked(details),
        notify_url=values["notify_url"],
        created=next(iter(instants[1]), None),
        changed=instants[0],
        fault=next((fault for fault in faults if fault is not None), None),
    )


def _value(item: Attributes, name: str) -> str | None:
    value = next(iter(item.get(name, ())), _NONE)
    return None if value == _NONE else value


def _bad_time(name: str, text: str, zone: OldZone) -> str:
    return f"its {name} is in the future" if zone.instants(text) else f"its {name} '{_cited(text)}' is no time"


def _passes(text: str) -> tuple[tuple[EncodePass, ...], str | None]:
    """Return the passes that job_options hold; none, and what is wrong, if they cannot be used."""
    try:
        return parse_options(msgspec.json.decode(text)), None
    except (msgspec.DecodeError, RecursionError):
        return (), "its job_options are no JSON"
    except UsageError as error:
        return (), f"its job_options cannot be used: {error}"


def _cited(text: str) -> str:
    return shown(text[:_SHOWN])
