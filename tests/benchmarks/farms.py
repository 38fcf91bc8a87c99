"""Makes farms of any size, quickly: through the adapters that passes use, but many jobs in a transaction."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from msgspec import structs

from nommerctl.adapters.presets import PresetLibrary
from nommerctl.domain.job import EncodingJob, HistoryEntry, Lease, Media, Progress
from nommerctl.domain.states import FINISHED_STATES, IN_WORK, JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.wiring.farm import Farm, Invocation, load
from tests.builders import job_id

AT_ONCE = 20_000
"""Jobs in one transaction."""

HOUR = micros(3600)
DAY = 24 * HOUR
FAILED = 20
AT_WORK = 8

Mix: TypeAlias = Callable[[int, int, Instant], EncodingJob]
"""Makes job `number` of `count` as it stands now."""

_COMMAND = (
    f"ffmpeg -protocol_whitelist file -i file:/var/lib/nommerctl/workers/a1b2-1/0c5d/source {'-option value ' * 90}"
)
_LOG = "[info] frame= 1500 fps=212 q=-1.0 Lsize=4096kB time=00:01:00.00 bitrate=559.2kbits/s speed=8.5x\n" * 41
"""As long as they are in real records: 1.3 KB, and all of the 4 KB that are kept of ffmpeg's log."""


def waiting(number: int, count: int, now: Instant) -> EncodingJob:  # noqa: ARG001 - a Mix
    """Every job waits: the farm was just given all of its work."""
    return _waiting(number, now)


def swamped(number: int, count: int, now: Instant) -> EncodingJob:
    """Nearly every job waits: 20 failed and 8 are in work."""
    return _unfinished_or_failed(number, count, now)


def busy(number: int, count: int, now: Instant) -> EncodingJob:
    """A day of work, all of it in the cache: 8 in 10 jobs finished today, 20 failed, 8 are in work, the others wait."""
    if number < count * 8 // 10:
        return _finished(number, now - HOUR - (number * 20 * HOUR) // count)
    return _unfinished_or_failed(number, count, now)


def grown(number: int, count: int, now: Instant) -> EncodingJob:
    """A farm with a past: as a busy one, but 19 in 20 of the finished jobs are from the four weeks before today."""
    if number < count * 8 // 10:
        earlier = 25 * HOUR + (number * 28 * DAY) // count
        return _finished(number, now - (earlier if number % 20 else HOUR))
    return _unfinished_or_failed(number, count, now)


def _unfinished_or_failed(number: int, count: int, now: Instant) -> EncodingJob:
    left = count - number
    if left <= FAILED:
        return _job(number, created=now - 2 * HOUR, state=JobState.ERROR, ended=now - HOUR + left)
    if left <= FAILED + AT_WORK:
        return _job(number, created=now - 2 * HOUR, state=JobState.ENCODING, ended=now - left)
    return _waiting(number, now)


def _waiting(number: int, now: Instant) -> EncodingJob:
    return _job(number, created=now - HOUR + number, state=JobState.PENDING)


def _finished(number: int, ended: Instant) -> EncodingJob:
    return _job(number, created=ended - HOUR, state=JobState.FINISHED, ended=ended)


def _job(number: int, *, created: Instant, state: JobState, ended: Instant = 0) -> EncodingJob:
    job = EncodingJob(
        id=job_id(number),
        source=f"/srv/film/2026/season-{number % 40:02}/episode-{number}.mov",
        dest=f"/srv/encoded/season-{number % 40:02}/episode-{number}-web-720p.mp4",
        created=created,
        changed=created,
        preset="web-720p",
        options=_PASSES,
        queued_at=created,
        history=(HistoryEntry(seq=1, state=JobState.PENDING, at=created, by="alice@studio"),),
        version=1,
    )
    if state is JobState.PENDING:
        return job
    way = (JobState.DOWNLOADING, JobState.ENCODING, *((JobState.UPLOADING, state) if state in FINISHED_STATES else ()))
    steps = tuple(
        HistoryEntry(seq=seq, state=each, at=ended - micros(60) + seq, by="studio-a1b2-1")
        for seq, each in enumerate(way, start=2)
    )
    job = structs.replace(job, state=state, changed=ended, attempt=1, history=(*job.history, *steps))
    if state in IN_WORK:
        lease = Lease(id="0c5d1f2a3b4c5d6e", owner="studio-a1b2-1", until=ended + micros(3600))
        return structs.replace(job, lease=lease, progress=Progress(fraction=0.5, fps=212.0, speed=8.5, eta_s=30.0))
    if state is JobState.ERROR:
        details = "ffmpeg failed: the source ends in the midst of a picture"
        return structs.replace(job, details=details, command=_COMMAND, log=_LOG)
    media = Media(seconds=60.0, width=1280, height=720)
    return structs.replace(job, command=_COMMAND, log=_LOG, media=media, progress=Progress(fraction=1.0))


_PASSES = PresetLibrary().load("web-720p").passes


def fill(state_dir: Path, count: int, mix: Mix) -> None:
    """Make the farm's store with so many jobs, and a message for each that waits."""
    farm = Farm(load(Invocation(state_dir=str(state_dir))))
    now = farm.clock()
    for jobs in _portions(mix(number, count, now) for number in range(count)):
        farm.backend.store.submit(jobs)
        farm.backend.new_jobs.send([job.id for job in jobs if job.state is JobState.PENDING])
    farm.close()


def _portions(jobs: Iterable[EncodingJob]) -> Iterator[list[EncodingJob]]:
    left = iter(jobs)
    while portion := list(itertools.islice(left, AT_ONCE)):
        yield portion
