"""Checks of a farm on AWS: whether its tables and queues answer, the cache against the store, and the clock."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from nommerctl.adapters.cache_examination import CacheExamination
from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.job import JobId
from nommerctl.domain.soundness import QueueFacts, judge_cache, judge_queue
from nommerctl.domain.text import counted
from nommerctl.domain.timekeeping import judge_clock
from nommerctl.errors import AWAY
from nommerctl.passes.doctor import Check
from nommerctl.wiring.farm import Farm


def aws_checks(farm: Farm, heed: Callable[[], None]) -> list[Check]:
    """Return the checks; `heed` raises what ends a long one before its time."""
    return [
        Check("store", partial(_store, farm)),
        Check("ledger", partial(_ledger, farm)),
        Check("queue", partial(_queue, farm)),
        Check("cache", partial(_cache, farm, heed)),
        Check("clock", partial(_clock, farm)),
    ]


def _store(farm: Farm) -> Iterator[Finding]:
    farm.look().store.find("0", 1)
    yield Finding("store", Verdict.OK, "the table of jobs answers")


def _ledger(farm: Farm) -> Iterator[Finding]:
    reads = farm.look()
    known, shown = len(reads.ledger.overview().heartbeats), len(reads.fleet.get_instances())
    yield Finding("ledger", Verdict.OK, f"the table answers; {counted(known, 'heartbeat')}, EC2 shows {shown}")


def _queue(farm: Farm) -> Iterator[Finding]:
    reads = farm.look()
    reads.changes.depth()
    yield judge_queue(QueueFacts(depth=reads.new_jobs.depth(), dead=reads.new_jobs.dead_count()))


def _cache(farm: Farm, heed: Callable[[], None]) -> Iterator[Finding]:
    store = farm.look().store

    def versions(ids: Sequence[JobId]) -> Mapping[JobId, int]:
        return {job_id: job.version for job_id, job in store.get(ids).items()}

    facts = CacheExamination(farm.cache_folder, versions=versions, heed=heed).examine()
    yield judge_cache(str(farm.cache_folder), facts, max_age=farm.settings.cache.max_age, now=farm.clock())


def _clock(farm: Farm) -> Iterator[Finding]:
    dated = {
        f"the last {record.name}": max(record.started, record.succeeded or 0, record.unattended_since or 0)
        for record in farm.records.read()
    }
    with suppress(*AWAY):
        dated["the last refresh of the cache"] = farm.cached_jobs.status().refreshed or 0
    with suppress(*AWAY):
        beats = farm.look().ledger.overview().heartbeats.values()
        dated |= {f"the heartbeat of {beat.node}": beat.at for beat in beats}
    yield judge_clock(dated, farm.clock())
