"""The refresh pass: learn what changed, resync when it is due, tell those who asked.

Media-nommer's `refresh_jobs_with_state_changes` and `load_recent_jobs_at_startup`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from nommerctl.domain.batches import batches
from nommerctl.domain.config import CacheSettings, NotifySettings, UpkeepSettings
from nommerctl.domain.credentials import masked
from nommerctl.domain.delivery import due
from nommerctl.domain.job import EncodingJob, JobId, held_without_lease, is_job_id
from nommerctl.domain.moves import claimable, requeued
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.states import IN_WORK, JobState
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant, impossible, micros
from nommerctl.passes.means import Effect, FarmReads, FarmWrites, News, Performer
from nommerctl.passes.telling import tell
from nommerctl.ports import Clock, JobReads

BATCH = 500
"""Jobs read from the store, and committed to the cache, at a time."""

REQUEUED = 1000
"""Jobs that get a new message in one resync, oldest first: a service counts its messages only roughly, and may seem to
have lost one when it has lost none."""

REQUEUED_AT_ONCE = 25
"""Of them those of one step."""


def refresh(
    reads: FarmReads,
    perform: Performer,
    news: News,
    *,
    upkeep: UpkeepSettings,
    cache_settings: CacheSettings,
    notify: NotifySettings,
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
        found = learn(reads, perform, ids, clock())
    else:
        found = resync(reads, perform, upkeep=upkeep, cache_settings=cache_settings, now=clock(), why=why)
        found.due.extend(_catch_up(reads, perform, ids, cache_settings=cache_settings, now=clock()))
    facts |= found.facts
    for text in said:
        if not is_job_id(text):
            perform.note(Change("drop message", shown(text)[:80], "its body is not a job id"))
    perform.quietly(lambda _: news.acknowledge())
    learnt = clock()  # before telling: listeners that hang must not make the cache look old
    perform.quietly(lambda writes: writes.cache.set_status(lambda status: structs.replace(status, refreshed=learnt)))
    if telling:
        tell(reads, perform, clock, attempts=notify.attempts, learnt=found.due)
    return perform.outcome("refresh", facts=facts)


class Learnt(NamedTuple):
    """What was learnt: facts for the outcome, and which jobs have something of which somebody is to be told now."""

    facts: dict[str, int]
    due: list[JobId]


def learn(reads: FarmReads, perform: Performer, ids: Sequence[JobId], now: Instant) -> Learnt:
    """Read the jobs that are said to have changed and commit them to the cache.

    Jobs in work are read besides: no message tells of how far they are.
    """
    in_work = [job.id for state in IN_WORK for job in reads.cache.get_jobs_with_state(state)]
    read = list(dict.fromkeys([*ids, *in_work]))
    found: set[JobId] = set()
    to_tell: list[JobId] = []
    for start in range(0, len(read), BATCH):
        jobs = _kept(list(reads.store.get(read[start : start + BATCH]).values()), perform)
        found |= {job.id for job in jobs}
        known = {job.id: (job.state, job.fault) for each in jobs if (job := reads.cache.get_job(each))}
        perform.quietly(_cached(jobs))
        for job in jobs:
            if known.get(job.id) != (job.state, job.fault):
                perform.note(_news(job))
        to_tell += (job.id for job in jobs if due(job, now))
    return Learnt({"unknown": len(set(ids) - found)}, to_tell)


def _catch_up(
    reads: FarmReads, perform: Performer, ids: Sequence[JobId], *, cache_settings: CacheSettings, now: Instant
) -> list[JobId]:
    """Keep and cache what is said to have changed, and may just have been in no list of the store.

    Or in one of finished jobs, of which those that nobody heard of before are not kept. Return which are to be told of.
    """
    since = now - micros(cache_settings.keep_finished)
    to_tell: list[JobId] = []
    for some in batches(ids, BATCH):
        jobs = _kept(list(reads.store.get(some).values()), perform)
        perform.quietly(_cached([job for job in jobs if job.open or job.changed >= since]))
        to_tell += (job.id for job in jobs if due(job, now))
    return to_tell


def _kept(jobs: Sequence[EncodingJob], perform: Performer) -> Sequence[EncodingJob]:
    """Let the store keep what others did to jobs; return them as they then stand. Before anybody else hears of it."""
    kept = [*jobs]  # what a dry run goes on with

    def keep(writes: FarmWrites) -> None:
        kept[:] = writes.store.keep_seen(jobs)

    perform.quietly(keep)
    return kept


def _kept_as_read(jobs: Iterable[EncodingJob], perform: Performer) -> Iterator[EncodingJob]:
    """Yield jobs that come in a list of the store, kept as far as they are open.

    A finished one that was never heard of is not: no message said that it had changed, so it has been so for long.
    """
    for some in batches(jobs, BATCH):
        open_ = {job.id: job for job in _kept([job for job in some if job.open], perform)}
        yield from (open_.get(job.id, job) for job in some)


def _cached(jobs: Iterable[EncodingJob]) -> Effect:
    return lambda writes: writes.cache.update_jobs(jobs)


def _news(job: EncodingJob) -> Change:
    why = job.fault or job.details
    of = f"{shown(job.source)}: " if job.source else ""
    return Change(job.state.value, job.id, f"{of}{masked(why)}" if why else "")


def resync_reason(reads: FarmReads, upkeep: UpkeepSettings, now: Instant, *, rebuild: bool) -> str | None:
    """Return why the whole store is to be read now, None if it need not be."""
    status = reads.cache.status()
    if rebuild:
        return "asked for"
    if status.refreshed is None or status.resynced is None:
        return "the cache is cold"
    if status.resync_wanted:
        return "cache and queue differ"
    if impossible(status.resynced, now):
        return "the clock went back since the last one"
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
) -> Learnt:
    """Make the cache what the store says, and send messages anew for jobs whose message is gone (I1).

    What the store may not show yet stays in the cache if it is there. A cold cache knows nothing, so that all would be
    news: of what it missed only the jobs in ERROR, and those with a fault, are noted.
    """
    status = reads.cache.status()
    survey = _Survey(known=None if status.refreshed is None else reads.cache.states())
    queued = reads.new_jobs.depth().total  # before the jobs are read: one that finishes meanwhile has lost no message
    since = now - micros(cache_settings.keep_finished)
    found = _kept_as_read(worth_caching(reads.store, finished_since=since), perform)
    jobs = survey.of(found, perform, upkeep, now)
    as_of = now - micros(reads.store.lag)
    perform(Change("resync", "cache", why), lambda writes: writes.cache.reset(jobs, as_of=as_of))
    for _ in jobs:
        pass  # a dry run resets nothing, so nobody has read them yet
    for change in survey.news:
        perform.note(change)
    missing = max(survey.announced - queued, 0)
    short = status.short + 1 if missing else 0
    overdue = survey.overdue[:missing] if short > 1 else []
    for some in batches(overdue, REQUEUED_AT_ONCE):
        _requeue(perform, some, now)
    perform.quietly(
        lambda writes: writes.cache.set_status(
            lambda status: structs.replace(status, resynced=now, resync_wanted=False, short=0 if overdue else short)
        )
    )
    return Learnt({"resynced": survey.read, "requeued": len(overdue)}, survey.due)


def worth_caching(store: JobReads, *, finished_since: Instant) -> Iterator[EncodingJob]:
    """Yield the open jobs and those that finished lately: once each, but for those that change meanwhile."""
    yield from store.unfinished()
    yield from store.finished_untold()
    yield from (job for job in store.finished_since(finished_since) if not job.open)


class _Survey:
    """What a resync notes of the store while it reads it, job by job: never are all of them in memory.

    `announced` counts the jobs that a message should be there for: not those that old workers have in hand, who delete
    it first. `overdue` are those that wait for theirs for too long, oldest first.
    """

    def __init__(self, known: Mapping[JobId, JobState] | None) -> None:
        self._known = known
        self.read = 0
        self.announced = 0
        self.overdue: list[EncodingJob] = []
        self.due: list[JobId] = []
        self.news: list[Change] = []

    def of(
        self, jobs: Iterable[EncodingJob], perform: Performer, upkeep: UpkeepSettings, now: Instant
    ) -> Iterator[EncodingJob]:
        """Yield jobs that are read, and note of them what there is to note."""
        for job in jobs:
            perform.heed()
            self.read += 1
            self.announced += not job.finished and not held_without_lease(job)
            if len(self.overdue) < REQUEUED and _message_overdue(job, upkeep, now):
                self.overdue.append(job)
            if due(job, now):
                self.due.append(job.id)
            if self._is_news(job):
                self.news.append(_news(job))
            yield job

    def _is_news(self, job: EncodingJob) -> bool:
        if self._known is None:
            return job.state is JobState.ERROR or job.fault is not None
        return self._known.get(job.id) is not job.state


def _message_overdue(job: EncodingJob, upkeep: UpkeepSettings, now: Instant) -> bool:
    sent = max(job.queued_at, job.changed, job.lease.until if job.lease else 0)
    return claimable(job, now) and (sent + micros(upkeep.requeue_after) <= now or impossible(sent, now))


def _requeue(perform: Performer, jobs: Sequence[EncodingJob], now: Instant) -> None:
    """Send messages for jobs anew, but for those that have changed so that they need none."""
    sent = [job.id for job in jobs]  # as far as a dry run can tell

    def effect(writes: FarmWrites) -> None:
        with writes.together():
            steps = [(job, lambda current: requeued(current, now=now)) for job in jobs]
            sent[:] = [job.id for job in writes.store.transitions(steps)]
            writes.new_jobs.send(sent)

    perform.quietly(effect)
    for job_id in sent:
        perform.note(Change("requeue", job_id, "its message is gone"))
