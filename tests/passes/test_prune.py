from collections.abc import Sequence

from nommerctl.domain.config import UpkeepSettings
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.outcome import Change
from tests.fakes.archive import FakeArchive
from tests.passes.farm import FakeFarm

DAY = 24 * 3600.0


def done(*numbers: int, notify_url: str | None = None) -> FakeFarm:
    farm = FakeFarm()
    for job in farm.submit(*numbers, notify_url=notify_url):
        farm.work_off(job)
    farm.refresh()
    return farm


def test_finished_jobs_leave_the_cache_after_keep_finished() -> None:
    farm = done(1, 2)
    farm.clock.advance(DAY - 1)
    assert farm.prune().changed == ()
    farm.clock.advance(2)
    outcome = farm.prune()
    assert outcome.changed == (Change("uncache", "2 jobs", "finished longer ago than cache.keep_finished"),)
    assert farm.cache.get_cached_jobs() == {}
    assert len(farm.store.jobs) == 2


class WatchedArchive(FakeArchive):
    """An archive that notes whether the jobs were still in the store when it got them."""

    def __init__(self, farm: FakeFarm) -> None:
        super().__init__()
        self.came_first = False
        self._farm = farm

    def append(self, jobs: Sequence[EncodingJob]) -> None:
        self.came_first = all(job.id in self._farm.store.jobs for job in jobs)
        super().append(jobs)


def test_finished_jobs_leave_the_store_after_retention_and_go_to_the_archive_first() -> None:
    farm = done(1)
    farm.upkeep = UpkeepSettings(archive="/jobs.jsonl")
    farm.archive = archive = WatchedArchive(farm)
    farm.clock.advance(30 * DAY + 1)
    outcome = farm.prune()
    assert Change("remove", "1 job", "archived, finished longer ago than upkeep.retention") in outcome.changed
    assert farm.store.jobs == {}
    assert ([job.id for job in archive.jobs], archive.came_first) == ([f"{1:050x}"], True)


def test_without_an_archive_they_go_all_the_same() -> None:
    farm = done(1)
    farm.clock.advance(30 * DAY + 1)
    assert Change("remove", "1 job", "finished longer ago than upkeep.retention") in farm.prune().changed
    assert farm.store.jobs == {}


def test_open_jobs_stay() -> None:
    farm = FakeFarm()
    farm.submit(1)
    farm.refresh()
    farm.clock.advance(60 * DAY)
    assert farm.prune().changed == ()
    assert len(farm.cache.get_cached_jobs()) == len(farm.store.jobs) == 1


def test_finished_jobs_with_changes_still_to_be_told_stay() -> None:
    farm = FakeFarm()
    farm.notifier.failing["http://dead.example/"] = "timed out"
    (job,) = farm.submit(1, notify_url="http://dead.example/")
    farm.work_off(job)
    farm.refresh()
    farm.clock.advance(60 * DAY)
    assert farm.prune().changed == ()
    assert farm.cache.is_job_cached(job.id)
    assert job.id in farm.store.jobs


def test_told_jobs_go() -> None:
    farm = done(1, notify_url="http://listener.example/")
    farm.clock.advance(60 * DAY)
    farm.prune()
    assert farm.store.jobs == {}
    assert farm.cache.get_cached_jobs() == {}


def test_i6_a_dry_run_removes_nothing() -> None:
    farm = done(1)
    farm.clock.advance(60 * DAY)
    assert [change.action for change in farm.prune(dry_run=True).changed] == ["uncache", "remove"]
    assert len(farm.store.jobs) == len(farm.cache.get_cached_jobs()) == 1
