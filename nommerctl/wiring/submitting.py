"""Submitting jobs: from what was typed to jobs in the store."""

from collections.abc import Sequence
from contextlib import suppress
from time import sleep
from typing import NamedTuple

from nommerctl.adapters.cache_table import CacheDamagedError
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.options import encoders
from nommerctl.domain.outcome import Outcome
from nommerctl.domain.text import counted
from nommerctl.domain.times import Instant, impossible, micros
from nommerctl.errors import (
    AWAY,
    AlreadyRunningError,
    EncodingError,
    InterruptedPassError,
    NommerctlError,
    OptionsError,
    TerminatedPassError,
    TryAgainError,
)
from nommerctl.passes.announce import hint
from nommerctl.passes.submit import Request, check_files, plan_jobs, store_jobs
from nommerctl.ports import JobCache
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.limits import Limits
from nommerctl.wiring.requesting import Requests, Submission
from nommerctl.wiring.running import LEARN, run_pass
from nommerctl.worker.nommers.ffmpeg.locate import find_ffmpeg


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
    submitted, trouble = submit_request(farm, Requests(farm).request(submission))
    if trouble is not None:
        raise trouble
    return submitted


def submit_request(farm: Farm, request: Request) -> tuple[Submitted, NommerctlError | None]:
    """Do the same for a request; return what went wrong once the jobs were stored, instead of raising it."""
    now = farm.clock()
    asked = plan_jobs(request, now=now, new_id=process.new_job_id)
    check_files(asked, farm.storage, now=now, sleep=sleep)
    check_ffmpeg(farm, encoders(request.options))
    cache, warmed = ready(farm)
    limits = Limits(farm.settings.farm.time_limit)
    with limits.in_force(), farm.heeding(limits.heed):  # so that no signal comes in the midst of this
        stored, trouble = _store(farm, asked, cache)
        interruption = limits.interruption()
        if trouble is None and interruption is not None:
            msg = f"told to end, after {counted(len(stored), 'job')} had been stored: see `nommerctl list`"
            trouble = type(interruption)(msg)
    return Submitted(asked, stored, warmed), trouble


def _store(
    farm: Farm, asked: Sequence[EncodingJob], cache: JobCache | None
) -> tuple[list[EncodingJob], NommerctlError | None]:
    backend = farm.backend
    trouble: NommerctlError | None = None
    try:
        stored = store_jobs(
            asked, store=backend.store, new_jobs=backend.new_jobs, changes=backend.changes, together=backend.together
        )
    except AWAY as error:
        stored = _stored_all_the_same(farm, asked)
        if not stored:
            raise
        msg = f"{error}; but {counted(len(stored), 'job')} stored: do not submit again, refresh will queue what waits"
        trouble = type(error)(msg)
        trouble.__cause__ = error
    if cache is not None:
        hint(cache, stored)
    return stored, trouble


def _stored_all_the_same(farm: Farm, asked: Sequence[EncodingJob]) -> list[EncodingJob]:
    """Return which of the jobs are in the store, where it is apart from the queue that failed; none if it is away."""
    with suppress(*AWAY):
        return list(farm.backend.store.get(job.id for job in asked).values())
    return []


def check_ffmpeg(farm: Farm, needed: frozenset[str]) -> None:
    """OptionsError if no ffmpeg here has these encoders, where the workers of the farm are on this machine."""
    if not farm.is_local:
        return
    try:
        find_ffmpeg(farm.settings.ffmpeg.path, needed, process.search_path())
    except EncodingError as error:
        raise OptionsError(str(error)) from error


def ready(farm: Farm) -> tuple[JobCache | None, Outcome | None]:
    """Make the farm ready to take jobs: return its cache, up to date, and what came of bringing it there.

    None for the cache if somebody else is rebuilding it, for longer than one waits.
    """
    farm.prepare()
    try:
        warmed = _warm_cache(farm)
    except TryAgainError:
        return None, None
    return farm.cache, warmed


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
