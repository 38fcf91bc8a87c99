"""A file of jobs in JSON Lines (https://jsonlines.org): one job a line, by the names of submit's flags.

`{"source": "in.mov", "dest": "out.mp4", "preset": "web-720p"}`. What a line leaves out, or has as null, flags give.
Faults are UsageErrors that go on after `line 7: `.
"""

from hashlib import sha256
from typing import NamedTuple

import msgspec
from msgspec import Struct

from nommerctl.domain.job import EncodePass, EncodingJob
from nommerctl.domain.json_input import json_in
from nommerctl.domain.options import parse_options
from nommerctl.domain.text import counted, shown
from nommerctl.errors import UsageError

MOST_TOLD = 20
"""Faults of a file that are told; of the others, how many there are."""

_TEXTS = ("source", "dest", "preset", "suffix", "client_id", "notify_url")
_KEYS = (*_TEXTS, "options")


class JobLine(Struct, frozen=True, kw_only=True):
    """A line, as it was read. `options` are passes, or the name of a file that has them."""

    source: str
    dest: str | None = None
    preset: str | None = None
    options: str | tuple[EncodePass, ...] | None = None
    suffix: str | None = None
    client_id: str | None = None
    notify_url: str | None = None


class Planned(NamedTuple):
    """A job, and the line that asks for it, counted from 1."""

    line: int
    job: EncodingJob


class StoredLines(NamedTuple):
    """What came of a file: how many jobs it asks for, and how many of these were there before it did.

    `others` of those that were there are for something else than their lines say; `first_other` is the first such line.
    """

    jobs: int
    before: int = 0
    others: int = 0
    first_other: int | None = None


class FaultyLinesError(UsageError):
    """A file of jobs that cannot be used. `head` sums up, `sentences` say what is wrong with the first faulty lines."""

    def __init__(self, head: str, sentences: tuple[str, ...]) -> None:
        super().__init__(f"{head}: {'; '.join(sentences)}")
        self.head = head
        self.sentences = sentences


class Faults:
    """The faults of a file that was named so: the first MOST_TOLD, and the number of all."""

    def __init__(self, named: str) -> None:
        self._named = named
        self._count = 0
        self._sentences: list[str] = []

    def add(self, line: int, sentence: str) -> None:
        """Note what is wrong with a line."""
        self._count += 1
        if self._count <= MOST_TOLD:
            self._sentences.append(f"line {line}: {sentence}")

    def check(self) -> None:
        """FaultyLinesError if there are any."""
        if not self._count:
            return
        more = self._count - len(self._sentences)
        told = (*self._sentences, *([f"and {more} more"] if more else []))
        head = f"{self._named} has {counted(self._count, 'fault')}, so nothing was stored"
        raise FaultyLinesError(head, told)


def parse_job_line(text: bytes) -> JobLine:
    """Return what a line says."""
    document = json_in(text, "it")
    if not isinstance(document, dict):
        msg = 'it is not an object such as {"source": "in.mov", "dest": "out.mp4", "preset": "web-720p"}'
        raise UsageError(msg)
    unknown = [key for key in document if key not in _KEYS]
    if unknown:
        raise UsageError(_unknown(unknown[0]))
    texts = {key: _text(document, key) for key in _TEXTS}
    source = texts.pop("source")
    if source is None:
        msg = "it has no source"
        raise UsageError(msg)
    if texts["client_id"] == "":
        msg = "its client_id is empty: give your own name for the job, or leave it out"
        raise UsageError(msg)
    return JobLine(source=source, options=_options(document.get("options")), **texts)


def _unknown(key: str) -> str:
    from difflib import get_close_matches  # here, because only a mistake needs it

    near = get_close_matches(key, _KEYS, n=1)
    hint = f": did you mean '{near[0]}'?" if near else f"; known: {', '.join(_KEYS)}"
    return f"it has an unknown key '{shown(key)}'{hint}"


def _text(document: dict[str, object], key: str) -> str | None:
    value = document.get(key)
    if value is None or isinstance(value, str):
        return value
    msg = f"its {key} is not a text"
    raise UsageError(msg)


def _options(value: object) -> str | tuple[EncodePass, ...] | None:
    return value if value is None or isinstance(value, str) else parse_options(value)


def content_client_id(job: EncodingJob) -> str:
    """Return the client id of a job to which nobody gave one: the same for whoever asks for the same.

    It is made of what the job is: source and destination as they are stored, the preset, or else the options, and the
    notify URL. Of a preset only the name, so that a file goes on as it began when an update has changed the preset.
    """
    encode = {"options": job.options} if job.preset is None else {"preset": job.preset}
    content = {"source": job.source, "dest": job.dest, "notify_url": job.notify_url, **encode}
    return f"sha256:{sha256(msgspec.json.encode(content, order='sorted')).hexdigest()}"
