"""The request by which media-nommer's producers submit a job, and the answer that they get: JSON, one object each.

`{"source_path": ..., "dest_path": ..., "notify_url": ..., "job_options": {"nommer": ..., "options": [...]}}`. The URL
may be null or left out. Options are a list of passes, as in domain/options.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from msgspec import Struct

from nommerctl.domain.job import EncodePass
from nommerctl.domain.json_input import json_in
from nommerctl.domain.options import parse_options
from nommerctl.domain.text import shown
from nommerctl.errors import CredentialsError, DestinationError, NommerctlError, OptionsError, SourceError, UsageError

NOMMERS = frozenset({"ffmpeg", "media_nommer.ec2nommerd.nommers.ffmpeg.FFmpegNommer"})
"""What producers call the nommer that there is: its name here, and that of media-nommer's class."""

_FIELDS = ("source_path", "dest_path", "notify_url", "job_options")
_JOB_OPTIONS = ("nommer", "options")

_EXAMPLE = (
    '{"source_path": "in.mov", "dest_path": "out.mp4", "notify_url": null, "job_options": {"nommer": "ffmpeg", '
    '"options": [{"outfile_options": [["vcodec", "libx264"]]}]}}'
)


class ErrorCode(StrEnum):
    """Why a request is not granted, as a program reads it."""

    BAD_INPUT = "BADINPUT"
    """It is not JSON, or its fields are not those that there are."""
    BAD_NOMMER = "BADNOMMER"
    BAD_OPTIONS = "BADOPTIONS"
    BAD_SOURCE = "BADSOURCE"
    BAD_DEST = "BADDEST"
    BAD_NOTIFY_URL = "BADNOTIFYURL"
    CREDENTIALS = "CREDENTIALS"
    """One of its URIs has a password or a key in it."""
    UNAVAILABLE = "UNAVAILABLE"
    """Nothing is wrong with the request: the farm, or its settings, cannot be used now."""


class NotifyUrlError(UsageError):
    """A URL that nobody can be told at."""


class NommerError(UsageError):
    """A nommer that there is not."""


class JobRequest(Struct, frozen=True, kw_only=True):
    """A request, as it was read, its options checked."""

    source_path: str
    dest_path: str
    options: tuple[EncodePass, ...]
    notify_url: str | None = None


_CODES: tuple[tuple[type[NommerctlError], ErrorCode], ...] = (
    (CredentialsError, ErrorCode.CREDENTIALS),
    (NommerError, ErrorCode.BAD_NOMMER),
    (OptionsError, ErrorCode.BAD_OPTIONS),
    (SourceError, ErrorCode.BAD_SOURCE),
    (DestinationError, ErrorCode.BAD_DEST),
    (NotifyUrlError, ErrorCode.BAD_NOTIFY_URL),
    (UsageError, ErrorCode.BAD_INPUT),
)


def error_code(error: NommerctlError) -> ErrorCode:
    """Return the code for what a request ended in."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ErrorCode.UNAVAILABLE)


@contextmanager
def faults_of(kind: type[UsageError]) -> Iterator[None]:
    """Let a UsageError of no kind in particular be of this one."""
    try:
        yield
    except UsageError as error:
        if type(error) is not UsageError:
            raise
        raise kind(str(error)) from error


def parse_job_request(text: bytes) -> JobRequest:
    """Return what a request says; UsageError, of the kinds that `error_code` tells apart, for what cannot be asked."""
    document = _object(json_in(text, "the request"), "the request", _FIELDS, example=_EXAMPLE)
    job_options = _object(_present(document, "job_options"), "job_options", _JOB_OPTIONS, example=_EXAMPLE)
    source, dest = _text(document, "source_path"), _text(document, "dest_path")
    notify_url = None if document.get("notify_url") is None else _text(document, "notify_url")
    nommer = _text(job_options, "nommer", within="job_options.")
    if nommer not in NOMMERS:
        msg = f"there is no nommer '{shown(nommer)}': give one of {', '.join(sorted(NOMMERS))}"
        raise NommerError(msg)
    passes = _present(job_options, "options", within="job_options.")
    with faults_of(OptionsError):
        return JobRequest(source_path=source, dest_path=dest, notify_url=notify_url, options=parse_options(passes))


def _object(document: object, named: str, known: tuple[str, ...], *, example: str) -> dict[str, object]:
    if not isinstance(document, dict):
        msg = f"{named} is not an object: a request looks like {example}"
        raise UsageError(msg)
    unknown = [key for key in document if key not in known]
    if unknown:
        msg = f"{named} has an unknown field '{shown(unknown[0])}'; known: {', '.join(known)}"
        raise UsageError(msg)
    return document


def _present(document: dict[str, object], key: str, *, within: str = "") -> object:
    if key not in document:
        msg = f"{within}{key} is missing"
        raise UsageError(msg)
    return document[key]


def _text(document: dict[str, object], key: str, *, within: str = "") -> str:
    value = _present(document, key, within=within)
    if isinstance(value, str):
        return value
    msg = f"{within}{key} is not a text"
    raise UsageError(msg)
