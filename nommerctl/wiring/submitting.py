"""Submitting jobs: from what was typed to jobs in the store."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import NamedTuple

import msgspec
from msgspec import Struct

from nommerctl.adapters.cache_table import CacheDamagedError
from nommerctl.domain.job import EncodePass, EncodingJob
from nommerctl.domain.options import encoders, parse_options
from nommerctl.domain.outcome import Outcome
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, impossible, micros
from nommerctl.domain.uris import FILE, normalised, scheme_of
from nommerctl.errors import (
    AlreadyRunningError,
    EncodingError,
    InterruptedPassError,
    TerminatedPassError,
    TryAgainError,
    UsageError,
)
from nommerctl.passes.announce import hint
from nommerctl.passes.submit import Request, check_files, plan_jobs, store_jobs
from nommerctl.ports import JobCache
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.limits import Limits
from nommerctl.wiring.running import LEARN, run_pass
from nommerctl.worker.nommers.ffmpeg.locate import find_ffmpeg

MOST_OPTIONS = 1024 * 1024
"""Bytes of a file of options: it may be a pipe, or a device without an end."""


class Submission(Struct, frozen=True, kw_only=True):
    """What was typed."""

    sources: tuple[str, ...]
    dest: str
    preset: str | None = None
    options: Path | None = None
    suffix: str | None = None
    client_id: str | None = None
    notify_url: str | None = None


class Submitted(NamedTuple):
    """Jobs as they were asked for, and as they stand in the store: two things if one of a client id was there before.

    `warmed` is what came of bringing the cache up to date first, None if that was not needed.
    """

    asked: tuple[EncodingJob, ...]
    jobs: list[EncodingJob]
    warmed: Outcome | None


def submit_jobs(farm: Farm, submission: Submission) -> Submitted:
    """Check everything, then store and queue the jobs.

    Raises:
        UsageError: something about it cannot be used; nothing was stored.
        TerminatedPassError, InterruptedPassError: told to end; the text says whether the jobs have been stored.
    """
    now = farm.clock()
    request = _request(farm, submission)
    asked = plan_jobs(request, now=now, new_id=process.new_job_id)
    check_files(asked, farm.storage, now=now, sleep=sleep)
    _check_ffmpeg(farm, request)
    farm.prepare()
    try:
        warmed = _warm_cache(farm)
    except TryAgainError:  # somebody else is rebuilding it, for longer than one waits
        cache, warmed = None, None
    else:
        cache = farm.cache
    limits = Limits(farm.settings.farm.time_limit)
    with limits.in_force(), farm.heeding(limits.heed):  # so that no signal comes in the midst of this
        stored = _store(farm, asked, cache)
        interruption = limits.interruption()
        if interruption is not None:
            msg = f"told to end, after {counted(len(stored), 'job')} had been stored: see `nommerctl list`"
            raise type(interruption)(msg)
    return Submitted(asked, stored, warmed)


def _store(farm: Farm, asked: Sequence[EncodingJob], cache: JobCache | None) -> list[EncodingJob]:
    backend = farm.backend
    stored = store_jobs(
        asked, store=backend.store, new_jobs=backend.new_jobs, changes=backend.changes, together=backend.together
    )
    if cache is not None:
        hint(cache, stored)
    return stored


def _check_ffmpeg(farm: Farm, request: Request) -> None:
    """UsageError if no ffmpeg here can do it, where the workers of the farm are on this machine."""
    if not farm.is_local:
        return
    try:
        find_ffmpeg(farm.settings.ffmpeg.path, encoders(request.options), process.search_path())
    except EncodingError as error:
        raise UsageError(str(error)) from error


def _warm_cache(farm: Farm) -> Outcome | None:
    """Refresh a cache that is cold or too old for scale, so that `submit` and `scale` by hand need nothing between."""
    refreshed = _refreshed(farm)
    now = farm.clock()
    if refreshed is None or refreshed + micros(farm.settings.cache.max_age) < now or impossible(refreshed, now):
        with suppress(AlreadyRunningError):
            outcome = run_pass(farm, LEARN)
            if isinstance(outcome.ended_by, InterruptedPassError | TerminatedPassError):
                raise outcome.ended_by
            return outcome
    return None


def _refreshed(farm: Farm) -> Instant | None:
    """When the cache was last brought up to date; a damaged one is set aside for a cold one."""
    try:
        return farm.cache.status().refreshed
    except CacheDamagedError:
        farm.reopen_cache()
        return None


def _request(farm: Farm, submission: Submission) -> Request:
    cwd = str(Path.cwd())
    options, suffix = _options_and_suffix(farm, submission)
    schemes = farm.schemes
    dest = normalised(submission.dest, cwd, schemes)
    folder = dest.endswith("/") or (scheme_of(dest) == FILE and Path(dest).is_dir())
    if folder and suffix is None:
        msg = "--options does not say how to name files in a folder: add --suffix, such as '-small.mp4'"
        raise UsageError(msg)
    return Request(
        sources=submission.sources,
        dest=submission.dest,
        dest_is_folder=folder,
        cwd=cwd,
        farm=farm.settings.farm.name,
        by=process.user(),
        options=options,
        suffix=suffix or "",
        preset=submission.preset,
        client_id=submission.client_id,
        notify_url=submission.notify_url,
        schemes=schemes,
    )


def _options_and_suffix(farm: Farm, submission: Submission) -> tuple[tuple[EncodePass, ...], str | None]:
    if (submission.preset is None) == (submission.options is None):
        msg = f"give one of --preset (one of {', '.join(farm.preset_names())}) and --options"
        raise UsageError(msg)
    if submission.preset is not None:
        preset = farm.preset(submission.preset)
        return preset.passes, submission.suffix or preset.suffix
    return parse_options(_read_json(Path(str(submission.options)))), submission.suffix


def _read_json(file: Path) -> object:
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_OPTIONS + 1)
        if len(text) > MOST_OPTIONS:
            msg = f"--options '{shown(str(file))}' is larger than any options: more than {MOST_OPTIONS // 1024} KB"
            raise UsageError(msg)
        return msgspec.json.decode(text)
    except RecursionError as error:
        msg = f"--options '{shown(str(file))}' is nested too deep to be read"
        raise UsageError(msg) from error
    except OSError as error:
        msg = f"--options '{shown(str(file))}' cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    except msgspec.DecodeError as error:
        msg = f"--options '{shown(str(file))}' is not JSON: {error}"
        raise UsageError(msg) from error
