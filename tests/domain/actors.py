"""Each move of a job, as somebody in the tests makes it: on a job long silent, with the lease `mine` if it has one."""

from collections.abc import Callable

from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob, HistoryEntry, Media, Progress
from nommerctl.domain.limits import AbandonAfter, AttemptLimits
from nommerctl.domain.states import IN_WORK, JobState
from nommerctl.domain.times import Instant, micros
from tests.builders import make_job, make_lease
from tests.fakes.clock import START

DAY = 24 * 3600.0
NOW = START + micros(30 * DAY)
LIMITS = AttemptLimits(max_attempts=3, max_interruptions=10)
SILENCE = AbandonAfter(in_work=DAY, pending=14 * DAY)
MEDIA = Media(seconds=12.5, width=1280, height=720)
LEASE = make_lease("mine", owner="node-1", until=START + micros(90))


def job_in(state: JobState, *, attempt: int = 1, interruptions: int = 0) -> EncodingJob:
    """A job in a state, long silent; one in work has a lease that has ended."""
    history = (HistoryEntry(seq=4, state=state, at=START, by="node-1"),)
    lease = LEASE if state in IN_WORK else None
    return make_job(
        state=state, changed=START, lease=lease, attempt=attempt, interruptions=interruptions, history=history
    )


def claim(job: EncodingJob, now: Instant = NOW) -> EncodingJob:
    lease = make_lease("new", owner="node-2", until=now + micros(90))
    return moves.claimed(job, lease=lease, now=now, limits=LIMITS)


def advance(to: JobState) -> Callable[[EncodingJob], EncodingJob]:
    return lambda job: moves.advanced(job, lease_id="mine", to=to, until=NOW + micros(90), now=NOW)


def finish(job: EncodingJob, log: str = "frame=300") -> EncodingJob:
    return moves.finished(job, lease_id="mine", now=NOW, media=MEDIA, command="ffmpeg -i in.mov out.mp4", log=log)


def fail(job: EncodingJob, details: str = "no such codec", log: str = "Error") -> EncodingJob:
    return moves.failed(job, lease_id="mine", now=NOW, details=details, command="ffmpeg -i in.mov", log=log)


def hand_back(job: EncodingJob) -> EncodingJob:
    return moves.handed_back(job, lease_id="mine", now=NOW, limits=LIMITS, why="SIGTERM")


def renew(job: EncodingJob) -> EncodingJob:
    return moves.renewed(job, lease_id="mine", until=NOW + micros(90), progress=Progress(fraction=0.5))


def abandon(job: EncodingJob, now: Instant = NOW) -> EncodingJob:
    return moves.abandoned(job, now=now, after=SILENCE, limits=LIMITS)


def cancel(job: EncodingJob) -> EncodingJob:
    return moves.cancelled(job, now=NOW, by="operator")


def retry(job: EncodingJob) -> EncodingJob:
    return moves.retried(job, now=NOW, by="operator")
