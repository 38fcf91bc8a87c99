"""Checks of a farm that keeps its jobs on this machine: store, queue, cache, and the clock by what they hold."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from nommerctl.adapters.cache_examination import CacheExamination
from nommerctl.adapters.local.store_examination import StoreExamination
from nommerctl.domain.checkup import Finding
from nommerctl.domain.job import JobId
from nommerctl.domain.soundness import judge_cache, judge_queue, judge_store
from nommerctl.domain.timekeeping import judge_clock
from nommerctl.domain.times import Instant
from nommerctl.errors import AWAY
from nommerctl.passes.doctor import Check
from nommerctl.wiring.farm import Farm
from nommerctl.wiring.local import NEW_JOBS, known_jobs


def local_checks(farm: Farm, heed: Callable[[], None]) -> list[Check]:
    """Return the checks; `heed` raises what ends a long one before its time."""
    examination = StoreExamination(farm.store_file, heed)
    return [
        Check("store", partial(_store, farm, examination)),
        Check("queue", lambda: [judge_queue(examination.queue(NEW_JOBS, farm.clock()))]),
        Check("cache", partial(_cache, farm, heed, examination.versions)),
        Check("clock", partial(_clock, farm, examination.newest_change)),
    ]


def _store(farm: Farm, examination: StoreExamination) -> Iterator[Finding]:
    known = None
    with suppress(*AWAY):  # a cache that cannot be read has a check of its own
        known = known_jobs(farm.cached_jobs)  # before the store is looked for: another process may just be making both
    yield judge_store(str(farm.store_file), examination.store(), folder=str(farm.cache_folder), known=known)


def _cache(
    farm: Farm, heed: Callable[[], None], versions: Callable[[Sequence[JobId]], Mapping[JobId, int]]
) -> Iterator[Finding]:
    facts = CacheExamination(farm.cache_folder, versions=versions, heed=heed).examine()
    yield judge_cache(str(farm.cache_folder), facts, max_age=farm.settings.cache.max_age, now=farm.clock())


def _clock(farm: Farm, newest_change: Callable[[], Instant]) -> Iterator[Finding]:
    """The clock is read after all that it is compared with. What cannot be read has a check of its own."""
    dated = {
        f"the last {record.name}": max(record.started, record.succeeded or 0, record.unattended_since or 0)
        for record in farm.records.read()
    }
    with suppress(*AWAY):
        dated["the last change of a job"] = newest_change()
    with suppress(*AWAY):
        dated["the last refresh of the cache"] = farm.cached_jobs.status().refreshed or 0
    with suppress(*AWAY):
        dated |= {
            f"the heartbeat of {beat.node}": beat.at for beat in farm.look().ledger.overview().heartbeats.values()
        }
    yield judge_clock(dated, farm.clock())
