from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from nommerctl.adapters.local.files import FileStorage
from nommerctl.domain.job import EncodePass, EncodingJob
from nommerctl.domain.times import Instant
from nommerctl.errors import TryAgainError, UsageError
from nommerctl.passes.submit import Request, check_files, client_job_id, plan_jobs
from nommerctl.ports import SourceLook
from tests.builders import job_id, make_job
from tests.fakes.clock import START
from tests.fakes.job_cache import FakeJobCache
from tests.passes.farm import FakeFarm

PASSES = (EncodePass(outfile_options=(("vcodec", "libx264"),)),)


def request(*sources: str, **more: Any) -> Request:  # noqa: ANN401 - any field of the request
    plain = Request(
        sources=sources,
        dest="/out",
        dest_is_folder=True,
        cwd="/home/me",
        farm="farm",
        by="me@here",
        options=PASSES,
        suffix="-web.mp4",
    )
    return structs.replace(plain, **more)


def plan(asked: Request) -> tuple[EncodingJob, ...]:
    numbers = iter(range(1, 100))
    return plan_jobs(asked, now=START, new_id=lambda: job_id(next(numbers)))


def test_each_source_is_named_into_the_folder() -> None:
    jobs = plan(request("a.mov", "/in/b.tar.mkv", "http://host/c%20d.mp4?x=1"))
    assert [(job.source, job.dest) for job in jobs] == [
        ("/home/me/a.mov", "/out/a-web.mp4"),
        ("/in/b.tar.mkv", "/out/b.tar-web.mp4"),
        ("http://host/c%20d.mp4?x=1", "/out/c d-web.mp4"),
    ]
    assert jobs[0].history[0].by == "me@here"
    assert jobs[0].queued_at == START


def test_objects_of_s3_are_sources_and_destinations_where_the_backend_takes_them() -> None:
    s3 = frozenset({"file", "s3"})
    jobs = plan(request("s3://films/a?b.mov", "c.mov", dest="s3://web", schemes=s3))
    assert [(job.source, job.dest) for job in jobs] == [
        ("s3://films/a?b.mov", "s3://web/a?b-web.mp4"),
        ("/home/me/c.mov", "s3://web/c-web.mp4"),
    ]
    (job,) = plan(request("s3://films/a.mov", dest="s3://web//x//", schemes=s3))
    assert job.dest == "s3://web//x//a-web.mp4"
    with pytest.raises(UsageError, match=r"^'s3:' is not supported by this backend"):
        plan(request("s3://films/a.mov"))


def test_one_source_goes_to_one_file() -> None:
    (job,) = plan(request("a.mov", dest="b.mp4", dest_is_folder=False))
    assert job.dest == "/home/me/b.mp4"


def test_a_client_id_makes_the_id_and_another_farm_another_one() -> None:
    (job,) = plan(request("a.mov", client_id="film 7"))
    assert job.id == client_job_id("farm", "film 7")
    assert job.id != client_job_id("other", "film 7")
    assert len(job.id) == 50


class GrowingStorage(FileStorage):
    """A source that is larger at each look."""

    def __init__(self, sizes: Iterator[int], modified: Instant) -> None:
        self._sizes = sizes
        self._modified = modified

    def look(self, source: str) -> SourceLook:  # noqa: ARG002 - there is one
        return SourceLook(next(self._sizes), self._modified)

    def check_destination(self, dest: str) -> None:
        """Anything can be written."""

    def is_same(self, source: str, dest: str) -> bool:  # noqa: ARG002
        return False


def test_fresh_sources_are_looked_at_twice_with_one_wait_for_all() -> None:
    waits: list[float] = []
    jobs = plan(request("a.mov", "b.mov"))
    steady = GrowingStorage(iter([5, 6, 5, 6]), modified=START - 1)
    check_files(jobs, steady, now=START, sleep=waits.append)
    assert waits == [0.5]
    growing = GrowingStorage(iter([5, 6, 5, 7]), modified=START - 1)
    with pytest.raises(UsageError, match=r"b\.mov' is still being written"):
        check_files(jobs, growing, now=START, sleep=waits.append)


def test_an_old_source_is_not_waited_for() -> None:
    waits: list[float] = []
    old = GrowingStorage(iter([5]), modified=START - 6_000_000)
    check_files(plan(request("a.mov")), old, now=START, sleep=waits.append)
    assert waits == []


def test_jobs_are_stored_queued_announced_and_cached() -> None:
    farm = FakeFarm()
    stored = farm.store_jobs([make_job(1), make_job(2)])
    assert [job.version for job in stored] == [1, 1]
    assert farm.new_jobs.depth().total == farm.changes.depth().total == 2
    assert set(farm.cache.get_cached_jobs()) == {job_id(1), job_id(2)}


def test_a_job_that_exists_is_left_as_it_is() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.work_off(job)
    (again,) = farm.store_jobs([make_job(1)])
    assert again.finished
    assert farm.new_jobs.depth().total == 0


def test_a_cache_that_is_full_does_not_fail_a_submit() -> None:
    class FullCache(FakeJobCache):
        def update_jobs(self, jobs: object) -> None:  # noqa: ARG002 - nothing fits
            msg = "the disk is full"
            raise TryAgainError(msg)

    farm = FakeFarm()
    farm.cache = FullCache()
    farm.store_jobs([make_job(1)])
    assert job_id(1) in farm.store.jobs
    assert farm.new_jobs.depth().total == 1
