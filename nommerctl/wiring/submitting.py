"""Submitting jobs: from what was typed to jobs in the store."""

from contextlib import suppress
from pathlib import Path
from time import sleep

import msgspec
from msgspec import Struct

from nommerctl.domain.job import EncodePass, EncodingJob
from nommerctl.domain.options import encoders, parse_options
from nommerctl.domain.text import shown
from nommerctl.domain.times import micros
from nommerctl.domain.uris import normalised
from nommerctl.errors import AlreadyRunningError, EncodingError, UsageError
from nommerctl.passes.submit import Request, check_files, plan_jobs, store_jobs
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.running import REFRESH, run_pass
from nommerctl.worker.nommers.ffmpeg.locate import find_ffmpeg


class Submission(Struct, frozen=True, kw_only=True):
    """What was typed."""

    sources: tuple[str, ...]
    dest: str
    preset: str | None = None
    options: Path | None = None
    suffix: str | None = None
    client_id: str | None = None
    notify_url: str | None = None


def submit_jobs(farm: Farm, submission: Submission) -> tuple[tuple[EncodingJob, ...], list[EncodingJob]]:
    """Check everything, then store and queue the jobs; return them as asked for, and as they stand in the store.

    The two differ where a job of the same client id was there before.

    Raises:
        UsageError: something about it cannot be used; nothing was stored.
    """
    now = farm.clock()
    request = _request(farm, submission)
    jobs = plan_jobs(request, now=now, new_id=process.new_job_id)
    check_files(jobs, farm.storage, now=now, sleep=sleep)
    _check_ffmpeg(farm, request)
    farm.prepare()
    _warm_cache(farm)
    return jobs, store_jobs(jobs, farm.writes)


def _check_ffmpeg(farm: Farm, request: Request) -> None:
    """UsageError if no ffmpeg here can do it: the workers of this farm are on this machine."""
    try:
        find_ffmpeg(farm.settings.ffmpeg.path, encoders(request.options), process.search_path())
    except EncodingError as error:
        raise UsageError(str(error)) from error


def _warm_cache(farm: Farm) -> None:
    """Refresh a cache that is cold or too old for scale, so that `submit` and `scale` by hand need nothing between."""
    refreshed = farm.writes.cache.status().refreshed
    if refreshed is None or refreshed + micros(farm.settings.cache.max_age) < farm.clock():
        with suppress(AlreadyRunningError):  # if it fails, the next refresh says why: submitting need not wait for it
            run_pass(farm, REFRESH)


def _request(farm: Farm, submission: Submission) -> Request:
    cwd = str(Path.cwd())
    options, suffix = _options_and_suffix(farm, submission)
    folder = submission.dest.endswith("/") or Path(normalised(submission.dest, cwd)).is_dir()
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
        return msgspec.json.decode(file.read_bytes())
    except OSError as error:
        msg = f"--options '{shown(str(file))}' cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    except msgspec.DecodeError as error:
        msg = f"--options '{shown(str(file))}' is not JSON: {error}"
        raise UsageError(msg) from error
