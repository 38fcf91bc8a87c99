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


def test_finished_jobs_leave_the_store_after_retention_and_go_to_the_archive_first() -> None:
    farm = done(1)
    farm.archive = FakeArchive()
    farm.clock.advance(30 * DAY + 1)
    outcome = farm.prune()
    assert Change("remove", "1 jobs", "finished longer ago than upkeep.retention") in outcome.changed
    assert farm.store.jobs == {}
    assert [job.id for job in farm.archive.jobs] == [f"{1:050x}"]


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
