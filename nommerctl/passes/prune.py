"""The prune pass: let finished jobs go, from the cache first and from the store later.

Media-nommer's `uncache_finished_jobs` and the pruning of its job state domain.
"""

from collections.abc import Iterable, Sequence

from nommerctl.domain.batches import batches
from nommerctl.domain.config import CacheSettings, UpkeepSettings
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.states import FINISHED_STATES, JobState
from nommerctl.domain.text import counted
from nommerctl.domain.times import Instant, micros
from nommerctl.passes.means import Effect, FarmReads, FarmWrites, Performer
from nommerctl.ports import Clock

BATCH = 500
"""Jobs removed by one effect, so that a signal is heeded between batches."""


def prune(
    reads: FarmReads, perform: Performer, *, upkeep: UpkeepSettings, cache_settings: CacheSettings, clock: Clock
) -> Outcome:
    """Make one pass. Jobs with changes still to be told stay, in the cache and in the store."""
    now = clock()
    _uncache(reads, perform, before=now - micros(cache_settings.keep_finished))
    for batch in batches(reads.store.finished_before(now - micros(upkeep.retention)), BATCH):
        why = "finished longer ago than upkeep.retention"
        reason = f"archived, {why}" if upkeep.archive else why
        perform(Change("remove", counted(len(batch), "job"), reason), _remove(batch))
    return perform.outcome("prune")


def _uncache(reads: FarmReads, perform: Performer, *, before: Instant) -> None:
    finished = [state for state in JobState if state in FINISHED_STATES]
    due = reads.cache.map_jobs(finished, lambda job: job.id if job.changed < before and not job.open else None)
    done = [job_id for job_id in due if job_id is not None]
    if done:
        change = Change("uncache", counted(len(done), "job"), "finished longer ago than cache.keep_finished")
        perform(change, lambda writes: writes.cache.remove_jobs(done))


def _remove(jobs: Sequence[EncodingJob]) -> Effect:
    """Archive first, then remove what nobody changed since it was read, then forget it."""

    def effect(writes: FarmWrites) -> None:
        if writes.archive is not None:
            writes.archive.append(jobs)
        writes.cache.remove_jobs(_removed(writes, jobs))

    return effect


def _removed(writes: FarmWrites, jobs: Iterable[EncodingJob]) -> list[str]:
    with writes.together():
        return [job.id for job in jobs if writes.store.remove(job)]
