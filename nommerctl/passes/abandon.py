"""The abandon pass: give up on unfinished jobs that show no sign of life. Media-nommer's `abandon_stale_jobs`."""

from collections.abc import Iterable, Sequence

from nommerctl.domain.batches import batches
from nommerctl.domain.config import UpkeepSettings
from nommerctl.domain.job import EncodingJob, JobId, held_without_lease
from nommerctl.domain.limits import AbandonAfter, AttemptLimits
from nommerctl.domain.moves import abandoned, stale
from nommerctl.domain.old_workers import jobs_in_hand, left_to_old_workers
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.states import IN_WORK
from nommerctl.domain.times import Instant, age, micros, seconds_between
from nommerctl.passes.announce import make_move
from nommerctl.passes.means import Effect, FarmReads, Performer
from nommerctl.ports import Clock

AT_ONCE = 10
"""Jobs given up in one step: as many messages as a queue takes at once."""


def abandon(
    reads: FarmReads,
    perform: Performer,
    *,
    upkeep: UpkeepSettings,
    limits: AttemptLimits,
    silent_after: float,
    clock: Clock,
) -> Outcome:
    """Make one pass. Each job is judged again in the write itself, so one that shows life meanwhile is kept (I5).

    A job in the hands of a node that lives is left to it, for a clock that jumped makes every lease look old: a node
    that lives and is silent is for scale to end. Media-nommer's workers say how many jobs they have in hand, and not
    which: so many of the last ones are left to those that gave a heartbeat within `silent_after` seconds.
    """
    now = clock()
    after = upkeep.abandon
    silent = reads.store.silent(in_work_before=now - micros(after.in_work), pending_before=now - micros(after.pending))
    gone = [job for job in silent if stale(job, now=now, after=after)]
    living = {node.id for node in reads.fleet.get_instances() if node.alive} if gone else set()
    theirs = _left_to_old_workers(reads, gone, silent_after, now)
    left = [job for job in gone if job.id not in theirs and (job.lease is None or job.lease.owner not in living)]
    for some in batches(left, AT_ONCE):
        perform.as_one([(_change(job, now), _abandon(job, after, limits, clock)) for job in some])
    return perform.outcome("abandon")


def _left_to_old_workers(
    reads: FarmReads, gone: Sequence[EncodingJob], silent_after: float, now: Instant
) -> frozenset[JobId]:
    """Which of the jobs that look dead are left to them; how many others they have in hand, the cache knows."""
    if not any(held_without_lease(job) for job in gone):
        return frozenset()
    in_hand = jobs_in_hand(reads.ledger.overview().heartbeats.values(), silent_after=silent_after, now=now)
    if not in_hand:
        return frozenset()
    cached = _held_in(reads, {job.id for job in gone})
    return left_to_old_workers(gone, others=cached, in_hand=in_hand)


def _held_in(reads: FarmReads, besides: Iterable[JobId]) -> int:
    ids = reads.cache.map_jobs(sorted(IN_WORK), lambda job: job.id if held_without_lease(job) else "")
    return len(set(ids) - {*besides, ""})


def _change(job: EncodingJob, now: Instant) -> Change:
    quiet = age(seconds_between(job.last_sign, now))
    return Change("abandon", job.id, f"no sign of life for {quiet} in {job.state}")


def _abandon(job: EncodingJob, after: AbandonAfter, limits: AttemptLimits, clock: Clock) -> Effect:
    return lambda writes: make_move(
        writes, job, lambda current: abandoned(current, now=clock(), after=after, limits=limits)
    )
