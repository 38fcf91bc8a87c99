"""The abandon pass: give up on unfinished jobs that show no sign of life. Media-nommer's `abandon_stale_jobs`."""

from nommerctl.domain.batches import batches
from nommerctl.domain.config import UpkeepSettings
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.limits import AbandonAfter, AttemptLimits
from nommerctl.domain.moves import abandoned, stale
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.times import Instant, age, micros, seconds_between
from nommerctl.passes.announce import make_move
from nommerctl.passes.means import Effect, FarmReads, Performer
from nommerctl.ports import Clock

AT_ONCE = 10
"""Jobs given up in one step: as many messages as a queue takes at once."""


def abandon(
    reads: FarmReads, perform: Performer, *, upkeep: UpkeepSettings, limits: AttemptLimits, clock: Clock
) -> Outcome:
    """Make one pass. Each job is judged again in the write itself, so one that shows life meanwhile is kept (I5).

    A job in the hands of a node that lives is left to it, for a clock that jumped makes every lease look old: a node
    that lives and is silent is for scale to end.
    """
    now = clock()
    after = upkeep.abandon
    silent = reads.store.silent(in_work_before=now - micros(after.in_work), pending_before=now - micros(after.pending))
    gone = [job for job in silent if stale(job, now=now, after=after)]
    living = {node.id for node in reads.fleet.get_instances() if node.alive} if gone else set()
    left = [job for job in gone if job.lease is None or job.lease.owner not in living]
    for some in batches(left, AT_ONCE):
        perform.as_one([(_change(job, now), _abandon(job, after, limits, clock)) for job in some])
    return perform.outcome("abandon")


def _change(job: EncodingJob, now: Instant) -> Change:
    quiet = age(seconds_between(job.last_sign, now))
    return Change("abandon", job.id, f"no sign of life for {quiet} in {job.state}")


def _abandon(job: EncodingJob, after: AbandonAfter, limits: AttemptLimits, clock: Clock) -> Effect:
    return lambda writes: make_move(
        writes, job, lambda current: abandoned(current, now=clock(), after=after, limits=limits)
    )
