"""What every job cache keeps: the fake, the one on disk, and the one that only reads what that one wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from nommerctl import ports
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import open_cache
from nommerctl.domain import moves
from nommerctl.domain.cached import CacheStatus
from nommerctl.domain.job import EncodingJob, HistoryEntry, Media, Progress
from nommerctl.domain.limits import AttemptLimits
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from tests.builders import job_id, make_job, make_lease
from tests.fakes.clock import START
from tests.fakes.job_cache import FakeJobCache


class Cache:
    """A job cache as two passes share it: one writes it, one reads it."""

    def __init__(self, writer: ports.JobCache, reader: ports.CachedJobs) -> None:
        self.writer = writer
        self.reader = reader


@pytest.fixture(params=["fake", "disk", "read-only"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    if request.param == "fake":
        fake = FakeJobCache()
        yield Cache(fake, fake)
        return
    folder = tmp_path / "cache"
    on_disk = open_cache(folder)
    yield Cache(on_disk, on_disk if request.param == "disk" else CachedJobs(folder))
    on_disk.close()


def full_job() -> EncodingJob:
    """A job with something in every field."""
    limits = AttemptLimits()
    job = moves.submitted(make_job(7, notify_url="http://shop.example/ready", client_id="ä 7"), by="cli")
    held = moves.claimed(job, lease=make_lease(), now=START + 1, limits=limits)
    held = structs.replace(held, progress=Progress(0.5, fps=24.0, speed=1.5, eta_s=8.25), media=Media(9.5, 640, 360))
    return structs.replace(held, details="déjà vu", command="ffmpeg -i x", log="…\n", told=1, version=3)


def test_a_cold_cache_is_empty(cache: Cache) -> None:
    assert cache.reader.get_cached_jobs() == {}
    assert cache.reader.get_job(job_id(1)) is None
    assert not cache.reader.is_job_cached(job_id(1))
    assert cache.reader.get_jobs_with_state(JobState.PENDING) == []
    assert cache.reader.count_by_state() == dict.fromkeys(JobState, 0)
    assert cache.reader.status() == CacheStatus()


def test_credentials_are_not_kept(cache: Cache) -> None:
    job = make_job(1, source="https://host/a?token=abc", notify_url="https://ann:pw@host/told?id=1")
    cache.writer.update_job(job)
    cached = cache.reader.get_job(job)
    assert cached is not None
    assert (cached.source, cached.notify_url) == ("https://host/a?token=***", "https://***@host/told?id=1")


def test_a_job_comes_back_as_it_was_put_in_but_for_what_ffmpeg_was_told_and_said(cache: Cache) -> None:
    job = full_job()
    cached = structs.replace(job, command=None, log=None)

    cache.writer.update_job(job)

    assert job.command
    assert job.log
    assert cache.reader.get_job(job.id) == cached
    assert cache.reader.get_job(job) == cached
    assert cache.reader.get_cached_jobs() == {job.id: cached}
    assert cache.reader.is_job_cached(job)
    assert cache.reader.is_job_cached(job.id)


def test_a_newer_record_replaces_an_older_one_and_its_state(cache: Cache) -> None:
    cache.writer.update_job(make_job(1, version=1))

    newer = make_job(1, version=2, state=JobState.FINISHED)
    cache.writer.update_job(newer)

    assert cache.reader.get_job(job_id(1)) == newer
    assert cache.reader.get_jobs_with_state(JobState.PENDING) == []
    assert cache.reader.get_jobs_with_state(JobState.FINISHED) == [newer]


def test_an_older_record_does_not_replace_a_newer_one(cache: Cache) -> None:
    newer = make_job(1, version=2, state=JobState.FINISHED)
    cache.writer.update_job(newer)

    cache.writer.update_jobs([make_job(1, version=1), make_job(2, version=1)])

    assert cache.reader.get_cached_jobs() == {job_id(1): newer, job_id(2): make_job(2, version=1)}


def test_a_record_of_the_same_version_replaces(cache: Cache) -> None:
    cache.writer.update_job(make_job(1, version=1))

    cache.writer.update_job(make_job(1, version=1, details="read again"))

    assert cache.reader.get_job(job_id(1)) == make_job(1, version=1, details="read again")


def test_of_records_of_one_job_in_a_batch_the_newest_stays(cache: Cache) -> None:
    cache.writer.update_jobs([make_job(1, version=1), make_job(1, version=3), make_job(1, version=2)])

    assert cache.reader.get_job(job_id(1)) == make_job(1, version=3)


def test_jobs_with_a_state_come_oldest_first(cache: Cache) -> None:
    old, young = make_job(9, created=START), make_job(3, created=START + 5)
    cache.writer.update_jobs([young, make_job(1, state=JobState.ERROR), old])

    assert cache.reader.get_jobs_with_state(JobState.PENDING) == [old, young]


def test_counts_by_state_name_every_state(cache: Cache) -> None:
    cache.writer.update_jobs([make_job(1), make_job(2), make_job(3, state=JobState.ERROR)])

    assert cache.reader.count_by_state() == dict.fromkeys(JobState, 0) | {JobState.PENDING: 2, JobState.ERROR: 1}


def test_removed_jobs_are_gone_and_removing_them_again_is_no_error(cache: Cache) -> None:
    cache.writer.update_jobs([make_job(number) for number in range(1, 5)])

    cache.writer.remove_job(job_id(1))
    cache.writer.remove_job(make_job(2))
    cache.writer.remove_jobs([job_id(1), job_id(3), "no id at all"])

    assert cache.reader.get_cached_jobs() == {job_id(4): make_job(4)}


def test_reset_makes_the_given_jobs_the_cached_ones(cache: Cache) -> None:
    cache.writer.update_jobs([make_job(1, version=1), make_job(2, version=1)])

    given = [make_job(2, version=2, state=JobState.ENCODING), make_job(3, version=1)]
    cache.writer.reset(given, as_of=START + micros(60))

    assert cache.reader.get_cached_jobs() == {job.id: job for job in given}


def test_reset_keeps_what_was_written_after_the_store_was_read(cache: Cache) -> None:
    as_of = START + micros(60)
    newer = make_job(1, version=5, state=JobState.FINISHED)
    submitted_meanwhile = make_job(2, changed=as_of, version=1)
    gone = make_job(3, changed=as_of - 1, version=9)
    cache.writer.update_jobs([newer, submitted_meanwhile, gone])

    cache.writer.reset([make_job(1, version=4)], as_of)

    assert cache.reader.get_cached_jobs() == {newer.id: newer, submitted_meanwhile.id: submitted_meanwhile}


def test_reset_with_nothing_empties_the_cache_but_for_its_status(cache: Cache) -> None:
    cache.writer.update_jobs([make_job(1), make_job(2)])
    cache.writer.set_status(lambda status: structs.replace(status, resynced=START))

    cache.writer.reset([], as_of=START + micros(60))

    assert cache.reader.get_cached_jobs() == {}
    assert cache.reader.status() == CacheStatus(resynced=START)


def test_a_batch_that_fails_half_way_changes_nothing(cache: Cache) -> None:
    def broken_off() -> Iterator[EncodingJob]:
        yield make_job(2)
        msg = "the store went away"
        raise ConnectionError(msg)

    cache.writer.update_job(make_job(1))

    with pytest.raises(ConnectionError):
        cache.writer.update_jobs(broken_off())
    with pytest.raises(ConnectionError):
        cache.writer.reset(broken_off(), as_of=START + micros(60))

    assert cache.reader.get_cached_jobs() == {job_id(1): make_job(1)}


def test_the_status_is_changed_from_what_it_was(cache: Cache) -> None:
    cache.writer.set_status(lambda status: structs.replace(status, refreshed=START, short=status.short + 1))
    cache.writer.set_status(lambda status: structs.replace(status, resync_wanted=True, short=status.short + 1))

    assert cache.reader.status() == CacheStatus(refreshed=START, resync_wanted=True, short=2)


def test_the_status_is_no_job(cache: Cache) -> None:
    cache.writer.set_status(lambda status: structs.replace(status, refreshed=START))

    cache.writer.remove_job("status")

    assert cache.reader.get_job("status") is None
    assert cache.reader.get_cached_jobs() == {}
    assert cache.reader.count_by_state() == dict.fromkeys(JobState, 0)
    assert cache.reader.status() == CacheStatus(refreshed=START)


def test_a_status_that_cannot_be_changed_stays(cache: Cache) -> None:
    def refuse(_: CacheStatus) -> CacheStatus:
        msg = "not now"
        raise RuntimeError(msg)

    cache.writer.set_status(lambda status: structs.replace(status, refreshed=START))

    with pytest.raises(RuntimeError, match="not now"):
        cache.writer.set_status(refuse)

    assert cache.reader.status() == CacheStatus(refreshed=START)
    cache.writer.update_job(make_job(1))
    assert cache.reader.is_job_cached(job_id(1))


def test_jobs_are_mapped_oldest_first_whatever_their_state(cache: Cache) -> None:
    jobs = [make_job(number, created=START - number, state=state) for number, state in enumerate(JobState)]
    cache.writer.update_jobs(jobs)

    assert cache.reader.map_jobs(list(JobState), lambda job: job.state) == list(reversed(JobState))
    assert cache.reader.map_jobs([JobState.ERROR, JobState.PENDING], lambda job: job.id) == [
        job.id for job in reversed(jobs) if job.state in {JobState.ERROR, JobState.PENDING}
    ]
    assert cache.reader.map_jobs([], lambda job: job.id) == []


def test_a_limit_takes_the_first_states_and_of_the_finished_jobs_the_last(cache: Cache) -> None:
    waiting = [make_job(number, state=JobState.PENDING) for number in range(3)]
    done = [make_job(number, state=JobState.FINISHED) for number in range(10, 13)]
    cache.writer.update_jobs([*waiting, *done])

    def some(*states: JobState, limit: int) -> set[str]:
        return set(cache.reader.map_jobs(states, lambda job: job.id, limit=limit))

    assert some(JobState.PENDING, JobState.FINISHED, limit=2) == {waiting[0].id, waiting[1].id}
    assert some(JobState.PENDING, JobState.FINISHED, limit=4) == {*(job.id for job in waiting), done[2].id}
    assert some(JobState.FINISHED, JobState.PENDING, limit=2) == {done[1].id, done[2].id}
    assert len(some(*JobState, limit=100)) == 6


def test_states_are_told_of_every_job(cache: Cache) -> None:
    jobs = [make_job(number, state=state) for number, state in enumerate(JobState)]
    cache.writer.update_jobs(jobs)

    assert cache.reader.states() == {job.id: job.state for job in jobs}


def test_what_came_into_its_state_last_is_the_last_however_long_ago_it_was_cached(cache: Cache) -> None:
    for number in (1, 2, 3):
        cache.writer.update_job(make_job(number, version=1, state=JobState.ENCODING))
    for number in (2, 3, 1):
        cache.writer.update_job(make_job(number, version=2, state=JobState.FINISHED))

    assert cache.reader.map_jobs([JobState.FINISHED], lambda job: job.id, limit=1) == [job_id(1)]


def test_a_job_may_come_twice_in_one_batch(cache: Cache) -> None:
    cache.writer.update_jobs([make_job(1, version=1), make_job(1, version=2, state=JobState.FINISHED)])

    assert cache.reader.get_cached_jobs() == {job_id(1): make_job(1, version=2, state=JobState.FINISHED)}
    assert cache.reader.count_by_state()[JobState.FINISHED] == 1


def test_whose_listeners_wait_is_told_without_reading_a_job(cache: Cache) -> None:
    entry = HistoryEntry(seq=1, state=JobState.PENDING, at=START, by="cli")
    waiting = [make_job(number, notify_url="http://shop.example/", history=(entry,)) for number in (1, 2, 3)]
    cache.writer.update_jobs([*waiting, make_job(4, history=(entry,))])
    assert cache.reader.untold(START) == [job.id for job in waiting]

    cache.writer.update_job(structs.replace(waiting[0], told=1, version=1))
    cache.writer.remove_job(waiting[1])
    assert cache.reader.untold(START) == [waiting[2].id]

    cache.writer.reset([], as_of=START + micros(60))
    assert cache.reader.untold(START) == []


def test_a_listener_that_took_nothing_is_left_alone_until_its_next_attempt(cache: Cache) -> None:
    entry = HistoryEntry(seq=1, state=JobState.PENDING, at=START, by="cli")
    job = make_job(1, notify_url="http://shop.example/", history=(entry,), version=1)
    failed = moves.untaken(job, seq=1, error="answered 500", now=START)
    cache.writer.update_jobs([job, structs.replace(failed, version=2)])
    assert cache.reader.untold(START + micros(4)) == []
    assert cache.reader.untold(START + micros(5)) == [job.id]

    cache.writer.update_job(structs.replace(moves.untaken(failed, seq=1, error="", now=START, gone=True), version=3))
    assert cache.reader.untold(START + micros(5)) == []

    cache.writer.update_job(structs.replace(job, version=4))
    assert cache.reader.untold(START) == [job.id]


def test_how_many_wait_for_a_node_that_stays_is_told_without_reading_a_job(cache: Cache) -> None:
    wanting = [make_job(number, interruptions=2) for number in (1, 2, 3)]
    cache.writer.update_jobs([*wanting, make_job(4, interruptions=1)])
    assert cache.reader.waiting_for_on_demand(START) == 3
    assert cache.reader.waiting_for_on_demand(wanting[1].changed) == 2

    cache.writer.update_job(structs.replace(wanting[0], state=JobState.DOWNLOADING, version=1))
    cache.writer.remove_job(wanting[1])
    assert cache.reader.waiting_for_on_demand(START) == 1
