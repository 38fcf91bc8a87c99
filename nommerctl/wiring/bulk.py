"""Submitting a file of jobs: all of it is checked, then it is stored by the hundred."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TypeAlias, TypeVar

from msgspec import Struct

from nommerctl.domain.batches import batches
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.job_lines import Faults, JobLine, Planned, StoredLines
from nommerctl.domain.outcome import Outcome
from nommerctl.domain.text import counted
from nommerctl.domain.uris import check_notify_url
from nommerctl.errors import (
    InterruptedPassError,
    NommerctlError,
    TerminatedPassError,
    TimeLimitError,
    UsageError,
)
from nommerctl.passes.announce import hint
from nommerctl.passes.submit import Request
from nommerctl.passes.submit_lines import AT_ONCE, check_encoders, check_lines, plan_lines, store_by_hundreds
from nommerctl.ports import JobCache
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.limits import Limits
from nommerctl.wiring.line_files import name_of, numbered_lines
from nommerctl.wiring.requesting import Requests, Submission
from nommerctl.wiring.side_by_side import side_by_side
from nommerctl.wiring.submitting import check_ffmpeg, ready

A = TypeVar("A")
R = TypeVar("R")

Moved: TypeAlias = Callable[[str, int, int], None]
"""Is told how far it is: what is done (`checking`, `storing`), how many of them are, and of how many."""


class FileSubmission(Struct, frozen=True, kw_only=True):
    """A file of jobs (`-` for standard input), and what was typed for its lines to fall back on."""

    file: str
    dest: str | None = None
    preset: str | None = None
    options: Path | None = None
    suffix: str | None = None
    notify_url: str | None = None


def submit_file(
    farm: Farm,
    asked: FileSubmission,
    *,
    moved: Moved = lambda _what, _done, _of: None,
    keep: Callable[[Sequence[EncodingJob]], None] = lambda _: None,
    report: Callable[[Outcome], None] = lambda _: None,
) -> StoredLines:
    """Check every line, then store and queue the jobs, by the hundred; each hundred as it then stands goes to `keep`.

    `report` gets what came of bringing the cache up to date before, if that was needed. Whatever ends it before its
    time says how many jobs are stored; the same file submitted again goes on from there.

    Raises:
        UsageError: something about the file, or the flags, cannot be used; nothing was stored.
    """
    tally = _Tally()
    with tally.told():
        planned = _planned(farm, asked)
        tally.asked = len(planned)
        if planned:
            _check(farm, planned, Faults(name_of(asked.file)), moved)
            cache, warmed = ready(farm)
            if warmed is not None:
                report(warmed)
            for stored in _stored(farm, planned, cache, tally):
                keep(stored)
                moved("storing", tally.stored, tally.asked)
    return tally.result()


def _planned(farm: Farm, asked: FileSubmission) -> list[Planned]:
    requests = Requests(farm)
    if asked.preset is not None or asked.options is not None:
        requests.recipe(asked.preset, asked.options)  # what is wrong with a flag is said once, not of every line
    if asked.notify_url is not None:
        check_notify_url(asked.notify_url, farm.settings.notify.allow_private)

    def ask(line: JobLine) -> Request:
        return requests.request(_submission(line, asked))

    return plan_lines(numbered_lines(asked.file), ask, Faults(name_of(asked.file)), clock=farm.clock)


def _submission(line: JobLine, asked: FileSubmission) -> Submission:
    """Return what a line asks for, with what it leaves out as the flags say."""
    dest = asked.dest if line.dest is None else line.dest
    if dest is None:
        msg = "it has no dest, and no --dest is given"
        raise UsageError(msg)
    if line.preset is not None and line.options is not None:
        msg = "it has a preset and options: give one of them"
        raise UsageError(msg)
    options = Path(line.options) if isinstance(line.options, str) else line.options
    preset = line.preset
    if preset is None and options is None:
        preset, options = asked.preset, asked.options
    if preset is None and options is None:
        msg = "it has neither preset nor options, and neither --preset nor --options is given"
        raise UsageError(msg)
    return Submission(
        sources=(line.source,),
        dest=dest,
        preset=preset,
        options=options,
        suffix=asked.suffix if line.suffix is None else line.suffix,
        client_id=line.client_id,
        notify_url=asked.notify_url if line.notify_url is None else line.notify_url,
    )


def _check(farm: Farm, planned: Sequence[Planned], faults: Faults, moved: Moved) -> None:
    limits = Limits(farm.settings.farm.time_limit)

    def each(act: Callable[[A], R], things: Sequence[A], /) -> list[R]:
        return side_by_side(act, things, heed=limits.heed, done=lambda done: moved("checking", done, len(things)))

    with limits.in_force(), farm.heeding(limits.heed):
        check_lines(planned, farm.storage, farm.look().store, faults, now=farm.clock(), sleep=sleep, each=each)
        check_encoders(planned, faults, lambda needed: check_ffmpeg(farm, needed))
        _heed_signals(limits)


def _stored(
    farm: Farm, planned: Sequence[Planned], cache: JobCache | None, tally: "_Tally"
) -> Iterator[list[EncodingJob]]:
    """Store and cache the jobs; yield each hundred when it is counted. A signal ends it before the next."""
    limits = Limits(farm.settings.farm.time_limit)

    def heed() -> None:
        limits.heed()
        tally.amid = True

    with limits.in_force(), farm.heeding(limits.heed):
        backend = farm.backend
        hundreds = store_by_hundreds(
            (job for _, job in planned),
            store=backend.store,
            new_jobs=backend.new_jobs,
            changes=backend.changes,
            together=backend.together,
            heed=heed,
        )
        for lines, stored in zip(batches(planned, AT_ONCE), hundreds, strict=True):
            if cache is not None:
                hint(cache, stored)
            tally.add(lines, stored)
            yield stored
        _heed_signals(limits)


def _heed_signals(limits: Limits) -> None:
    interruption = limits.interruption()
    if interruption is not None:
        raise interruption


class _Tally:
    """How many jobs are asked for, how many of them are stored, and how they were found."""

    def __init__(self) -> None:
        self.asked = 0
        self.stored = 0
        self.amid = False  # whether it is open what has become of the next hundred
        self._before = 0
        self._others: list[int] = []

    def add(self, lines: Sequence[Planned], stored: Sequence[EncodingJob]) -> None:
        """Note how a hundred stands in the store; a job that was there before was created at another instant."""
        for (number, job), found in zip(lines, stored, strict=True):
            self._before += job.created != found.created
            if (job.source, job.dest, job.options) != (found.source, found.dest, found.options):
                self._others.append(number)
        self.stored += len(stored)
        self.amid = False

    def result(self) -> StoredLines:
        """Return what came of it."""
        first = self._others[0] if self._others else None
        return StoredLines(self.stored, self._before, len(self._others), first)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Let what ends it before its time say how many jobs are stored."""
        try:
            yield
        except KeyboardInterrupt:
            msg = f"interrupted: {self._sentence()}"
            raise InterruptedPassError(msg) from None
        except (InterruptedPassError, TerminatedPassError) as error:
            error.args = (f"{error.kind}: {self._sentence()}",)
            raise
        except TimeLimitError as error:
            error.args = (f"the time limit is over (farm.time_limit): {self._sentence()}",)
            raise
        except NommerctlError as error:
            if self.stored or self.amid:
                error.args = (f"{error}; {self._sentence()}",)
            raise

    def _sentence(self) -> str:
        if not self.stored and not self.amid:
            return "nothing was stored"
        if self.stored == self.asked:
            return f"all {counted(self.asked, 'job')} are stored"
        perhaps = ", and perhaps some of the next" if self.amid else ""
        return f"{self.stored} of {counted(self.asked, 'job')} are stored{perhaps}: the same command goes on from there"
