"""The refresh pass: learn what changed, resync when it is due, tell those who asked.

Media-nommer's `refresh_jobs_with_state_changes`, `load_recent_jobs_at_startup` and job state notifier.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from msgspec import structs

from nommerctl.domain.config import CacheSettings, UpkeepSettings
from nommerctl.domain.job import IN_WORK, EncodingJob, HistoryEntry, is_job_id
from nommerctl.domain.moves import claimable, requeued, told
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.times import Instant, micros
from nommerctl.ports import Clock, Effect, FarmReads, FarmWrites, News, Performer

TURN = 60.0
"""Seconds after which telling begins with another host."""

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
) -> Outcome:
    """Make one pass; `rebuild` reads the whole store whether or not a resync is due."""
    facts = {"queue_depth": reads.changes.depth().total, **learn(reads, perform, news)}
    due = resync_reason(reads, upkeep, clock(), rebuild=rebuild)
    if due is not None:
        facts |= resync(reads, perform, upkeep=upkeep, cache_settings=cache_settings, now=clock(), why=due)
    learnt = clock()  # before telling: listeners that hang must not make the cache look old
    perform.quietly(lambda writes: writes.cache.set_status(lambda status: structs.replace(status, refreshed=learnt)))
    tell(reads, perform, turn=learnt // micros(TURN))
    return perform.outcome("refresh", facts=facts)


def learn(reads: FarmReads, perform: Performer, news: News) -> dict[str, int]:
    """Read every job that is said to have changed, commit it to the cache, then acknowledge (I4).

    Jobs in work are read besides: their heartbeats bring progress, of which no message tells.
    """
    said = news.changed_ids(perform.heed)
    ids = [text for text in said if is_job_id(text)]
    in_work = [job.id for state in IN_WORK for job in reads.cache.get_jobs_with_state(state)]
    read = list(dict.fromkeys([*ids, *in_work]))
    found: set[str] = set()
    for start in range(0, len(read), BATCH):
        jobs = reads.store.get(read[start : start + BATCH])
        found |= jobs.keys()
        _cache(reads, perform, jobs.values())
    for text in said:
        if not is_job_id(text):
            perform.note(Change("drop message", text[:80], "its body is not a job id"))
    perform.quietly(lambda _: news.acknowledge())
    return {"changes": len(said), "malformed": len(said) - len(ids), "unknown": len(set(ids) - found)}


def _cache(reads: FarmReads, perform: Performer, jobs: Iterable[EncodingJob]) -> None:
    """Commit jobs to the cache in one transaction, and note those whose state is news to it."""
    jobs = list(jobs)
    known = {job.id: reads.cache.get_job(job.id) for job in jobs}
    perform.quietly(lambda writes: writes.cache.update_jobs(jobs))
    for job in jobs:
        before = known[job.id]
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
    """Make the cache what the store says, and send messages anew for jobs whose message is gone (I1)."""
    unfinished = list(reads.store.unfinished())
    perform.heed()
    jobs = {job.id: job for job in unfinished}
    jobs |= {job.id: job for job in reads.store.untold()}
    jobs |= {job.id: job for job in reads.store.finished_since(now - micros(cache_settings.keep_finished))}
    perform(Change("resync", "cache", why), lambda writes: writes.cache.reset(jobs.values(), as_of=now))
    lacking = reads.new_jobs.depth().total < len(unfinished)
    short = reads.cache.status().short + 1 if lacking else 0
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
        writes.store.transition(job.id, lambda current: requeued(current, now=now))
        writes.new_jobs.send([job.id])

    return effect


def tell(reads: FarmReads, perform: Performer, *, turn: int) -> None:
    """Deliver what is untold: in order for each job, one after the other to each host, hosts side by side.

    What a listener does not take stays untold, with all later changes of its job, and the next pass tries again. Each
    `turn` begins with another host, so that some that hang do not keep the others waiting for ever.
    """
    hosts: dict[str, list[list[tuple[Change, Effect]]]] = {}
    ids = []
    for job in reads.store.untold():
        ids.append(job.id)
        chain = [(Change("tell", job.id, entry.state.value), _tell(job, entry)) for entry in job.untold]
        hosts.setdefault(urlsplit(str(job.notify_url)).netloc, []).append(chain)
    if not hosts:
        return
    groups = list(hosts.values())
    first = turn % len(groups)
    perform.together([*groups[first:], *groups[:first]])
    perform.quietly(lambda writes: writes.cache.update_jobs(writes.store.get(ids).values()))


def _tell(job: EncodingJob, entry: HistoryEntry) -> Effect:
    fields = {"unique_id": job.id, "job_state": entry.state.value, "job_state_details": entry.details or ""}

    def effect(writes: FarmWrites) -> None:
        writes.notifier.tell(str(job.notify_url), fields)
        writes.store.transition(job.id, lambda current: told(current, seq=entry.seq))

    return effect
