"""The job cache on disk does, call for call, what the one in memory does."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import structs

from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import open_cache
from nommerctl.domain.cached import CacheStatus
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from tests.builders import job_id, make_job
from tests.fakes.clock import START
from tests.fakes.job_cache import FakeJobCache

numbers = st.integers(1, 5)
instants = st.integers(START, START + 5)
jobs = st.builds(
    make_job,
    numbers,
    version=st.integers(0, 3),
    state=st.sampled_from(JobState),
    created=instants,
    changed=instants,
    details=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)


class DiskCacheMachine(RuleBasedStateMachine):
    """Every step is made on both caches; after each they hold the same, whoever reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name) / "cache"
        self.model = FakeJobCache()
        self.real = open_cache(self.folder)

    def teardown(self) -> None:
        self.real.close()
        self.home.cleanup()

    @rule(job=jobs)
    def update(self, job: EncodingJob) -> None:
        self.model.update_job(job)
        self.real.update_job(job)

    @rule(batch=st.lists(jobs, max_size=5))
    def update_many(self, batch: list[EncodingJob]) -> None:
        self.model.update_jobs(batch)
        self.real.update_jobs(batch)

    @rule(number=numbers)
    def remove(self, number: int) -> None:
        self.model.remove_job(job_id(number))
        self.real.remove_job(job_id(number))

    @rule(batch=st.lists(numbers, max_size=3))
    def remove_many(self, batch: list[int]) -> None:
        self.model.remove_jobs(map(job_id, batch))
        self.real.remove_jobs(map(job_id, batch))

    @rule(batch=st.lists(jobs, max_size=5), as_of=instants)
    def reset(self, batch: list[EncodingJob], as_of: int) -> None:
        self.model.reset(batch, as_of)
        self.real.reset(batch, as_of)

    @rule(refreshed=st.none() | instants)
    def set_status(self, refreshed: int | None) -> None:
        def change(status: CacheStatus) -> CacheStatus:
            return structs.replace(status, refreshed=refreshed, short=status.short + 1)

        self.model.set_status(change)
        self.real.set_status(change)

    @rule()
    def open_again(self) -> None:
        self.real.close()
        self.real = open_cache(self.folder)

    @invariant()
    def same(self) -> None:
        reader = CachedJobs(self.folder)
        assert reader.get_cached_jobs() == self.real.get_cached_jobs() == self.model.get_cached_jobs()
        assert reader.count_by_state() == self.real.count_by_state() == self.model.count_by_state()
        assert reader.status() == self.real.status() == self.model.status()
        for state in JobState:
            assert self.real.get_jobs_with_state(state) == self.model.get_jobs_with_state(state)


DiskCacheMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None, database=None)
TestDiskCache = DiskCacheMachine.TestCase
