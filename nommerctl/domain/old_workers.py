"""Media-nommer's own workers, which take no leases: what they have in hand is known by its number alone."""

from collections.abc import Iterable, Sequence

from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.job import EncodingJob, JobId, held_without_lease
from nommerctl.domain.times import Instant, impossible, micros


def jobs_in_hand(beats: Iterable[Heartbeat], *, silent_after: float, now: Instant) -> int:
    """How many jobs old workers say that they have in hand, those that said so within `silent_after` seconds."""
    since = now - micros(silent_after)
    return sum(
        beat.active for beat in beats if not beat.takes_leases and beat.at >= since and not impossible(beat.at, now)
    )


def left_to_old_workers(stale: Sequence[EncodingJob], *, others: int, in_hand: int) -> frozenset[JobId]:
    """Which of the `stale` jobs are left to old workers that have so many `in_hand`.

    It may be any of those that have no lease; a job that changed last is the likeliest. So the `others`, which changed
    lately, come first, and then the stale ones, newest change first.
    """
    held = sorted((job for job in stale if held_without_lease(job)), key=lambda job: (-job.changed, job.id))
    return frozenset(job.id for job in held[: max(in_hand - others, 0)])
