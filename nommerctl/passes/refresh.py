"""The refresh pass: learn what changed, resync when it is due, tell those who asked.

Media-nommer's `refresh_jobs_with_state_changes` and `load_recent_jobs_at_startup`.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from nommerctl.domain.config import CacheSettings, UpkeepSettings
from nommerctl.domain.job import EncodingJob, JobId, is_job_id
from nommerctl.domain.moves import claimable, requeued
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.states import IN_WORK, JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.passes.means import Effect, FarmReads, FarmWrites, News, Performer
from nommerctl.passes.telling import tell
from nommerctl.ports import Clock

BATCH = 500
"""Jobs read from the store, and committed to the cache, at a time."""


def refresh(
    reads: FarmReads,
    perform: Performer,
    news: News,
    *,
    upkeep: UpkeepSettings,
    cache_settings: CacheSettings,
    clock: Clock,
    rebuild: bool = False,
    telling: bool = True,
) -> Outcome:
    """Make one pass; `rebuild` reads the whole store whether or not a resync is due, `telling` tells listeners."""
    facts = {"queue_depth": reads.changes.depth().total}
    why = resync_reason(reads, upkeep, clock(), rebuild=rebuild)
    said = news.changed_ids(perform.heed)
    ids = [text for text in said if is_job_id(text)]
    facts |= {"changes": len(said), "malformed": len(said) - len(ids)}
    if why is None:
        facts |= learn(reads, perform, ids)
    else:
        facts |= resync(reads, perform, upkeep=upkeep, cache_settings=cache_settings, now=clock(), why=why)
    for text in said:
        if not is_job_id(text):
            perform.note(Change("drop message", text[:80], "its body is not a job id"))
    perform.quietly(lambda _: news.acknowledge())
    learnt = clock()  # before telling: listeners that hang must not make the cache look old
    perform.quietly(lambda writes: writes.cache.set_status(lambda status: structs.replace(status, refreshed=learnt)))
    if telling:
        tell(reads, perform, learnt)
    return perform.outcome("refresh", facts=facts)


def learn(reads: FarmReads, perform: Performer, ids: Sequence[JobId]) -> dict[str, int]:
    """Read the jobs that are said to have changed and commit them to the cache.

    Jobs in work are read besides: their heartbeats bring progress, of which no message tells.
    """
    in_work = [job.id for state in IN_WORK for job in reads.cache.get_jobs_with_state(state)]
    read = list(dict.fromkeys([*ids, *in_work]))
    found: set[str] = set()
    for start in range(0, len(read), BATCH):
        jobs = reads.store.get(read[start : start + BATCH])
        found |= jobs.keys()
        known = {job_id: job for job_id in jobs if (job := reads.cache.get_job(job_id))}
        perform.quietly(_cached(jobs.values()))
        _note_news(perform, jobs.values(), known)
    return {"unknown": len(set(ids) - found)}


def _cached(jobs: Iterable[EncodingJob]) -> Effect:
    return lambda writes: writes.cache.update_jobs(jobs)


def _note_news(perform: Performer, jobs: Iterable[EncodingJob], known: Mapping[JobId, EncodingJob]) -> None:
    """Note the jobs whose state is news to the cache."""
    for job in jobs:
        before = known.get(job.id)
        if before is None or before.state is not job.state:
            perform.note(Change(job.state.value, job.id, f"{job.source}: {job.details}" if job.details else ""))


def resync_reason(reads: FarmReads, upkeep: UpkeepSettings, now: Instant, *, rebuild: bool) -> str | None:
    """Return why the whole store is to be read now, None if it need not be."""
    status = reads.cache.status()
    if rebuild:
        return "asked for"
    if status.refreshed is None or status.resynced is None:
        return "the cache is cold"
    if status.resync_wanted:
        return "cache and queue differ"
    if status.resynced + micros(upkeep.resync_every) <= now:
        return "the last one is older than upkeep.resync_every"
    return None


def resync(
    reads: FarmReads,
    perform: Performer,
    *,
    upkeep: UpkeepSettings,
    cache_settings: CacheSettings,
    now: Instant,
    why: str,
) -> dict[str, int]:
    """Make the cache what the store says, and send messages anew for jobs whose message is gone (I1).

    A cold cache knows nothing, so that all would be news: of what it missed only the jobs in ERROR are noted.
    """
    status, known = reads.cache.status(), reads.cache.get_cached_jobs()
    queued = reads.new_jobs.depth().total  # before the jobs are read: one that finishes meanwhile has lost no message
    unfinished = list(reads.store.unfinished())
    perform.heed()
    jobs = {job.id: job for job in unfinished}
    jobs |= {job.id: job for job in reads.store.untold()}
    jobs |= {job.id: job for job in reads.store.finished_since(now - micros(cache_settings.keep_finished))}
    perform(Change("resync", "cache", why), lambda writes: writes.cache.reset(jobs.values(), as_of=now))
    cold = status.refreshed is None
    _note_news(perform, (job for job in jobs.values() if not cold or job.state is JobState.ERROR), known)
    short = status.short + 1 if queued < len(unfinished) else 0
    overdue = [job for job in unfinished if _message_overdue(job, upkeep, now)] if short > 1 else []
    for job in overdue:
        perform(Change("requeue", job.id, "its message is gone"), _requeue(job, now))
    perform.quietly(
        lambda writes: writes.cache.set_status(
            lambda status: structs.replace(status, resynced=now, resync_wanted=False, short=0 if overdue else short)
        )
    )
    return {"resynced": len(jobs), "requeued": len(overdue)}


def _message_overdue(job: EncodingJob, upkeep: UpkeepSettings, now: Instant) -> bool:
    sent = max(job.queued_at, job.lease.until if job.lease else 0)
    return claimable(job, now) and sent + micros(upkeep.requeue_after) <= now


def _requeue(job: EncodingJob, now: Instant) -> Effect:
    def effect(writes: FarmWrites) -> None:
        with writes.together():
            writes.store.transition(job.id, lambda current: requeued(current, now=now))
            writes.new_jobs.send([job.id])

    return effect
