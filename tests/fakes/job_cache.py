"""A job cache in memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from nommerctl.domain.cached import CacheStatus, as_cached
from nommerctl.domain.delivery import due
from nommerctl.domain.job import EncodingJob, JobId, wants_on_demand
from nommerctl.domain.states import FINISHED_STATES, JobState
from nommerctl.domain.times import Instant

T = TypeVar("T")


class FakeJobCache:
    """A ports.JobCache for one thread; `jobs` is what it holds."""

    def __init__(self, jobs: Iterable[EncodingJob] = ()) -> None:
        self.jobs: dict[JobId, EncodingJob] = {job.id: job for job in jobs}
        self._status = CacheStatus()

    def get_job(self, job: JobId | EncodingJob) -> EncodingJob | None:
        return self.jobs.get(_id_of(job))

    def is_job_cached(self, job: JobId | EncodingJob) -> bool:
        return _id_of(job) in self.jobs

    def get_cached_jobs(self) -> dict[JobId, EncodingJob]:
        return dict(self.jobs)

    def get_jobs_with_state(self, state: JobState) -> list[EncodingJob]:
        return self.map_jobs([state], lambda job: job)

    def map_jobs(
        self, states: Sequence[JobState], make: Callable[[EncodingJob], T], *, limit: int | None = None
    ) -> list[T]:
        found: list[EncodingJob] = []
        for state in dict.fromkeys(states):
            some = [job for job in self.jobs.values() if job.state is state]
            found += reversed(some) if state in FINISHED_STATES else some
        return [make(job) for job in sorted(found[:limit], key=lambda job: (job.created, job.id))]

    def states(self) -> dict[JobId, JobState]:
        return {job.id: job.state for job in self.jobs.values()}

    def count_by_state(self) -> dict[JobState, int]:
        found = Counter(job.state for job in self.jobs.values())
        return {state: found[state] for state in JobState}

    def untold(self, now: Instant) -> list[JobId]:
        return sorted(job.id for job in self.jobs.values() if due(job, now))

    def waiting_for_on_demand(self, since: Instant) -> int:
        waiting = (job for job in self.jobs.values() if job.state is JobState.PENDING and wants_on_demand(job))
        return sum(job.last_sign >= since for job in waiting)

    def status(self) -> CacheStatus:
        return self._status

    def update_job(self, job: EncodingJob) -> None:
        self.update_jobs([job])

    def update_jobs(self, jobs: Iterable[EncodingJob]) -> None:
        for job in list(jobs):
            cached = self.jobs.get(job.id)
            if cached is None or cached.version <= job.version:
                if cached is not None and cached.state is not job.state:
                    del self.jobs[job.id]  # it is the last to come into its state
                self.jobs[job.id] = as_cached(job)

    def remove_job(self, job: JobId | EncodingJob) -> None:
        self.remove_jobs([_id_of(job)])

    def remove_jobs(self, ids: Iterable[JobId]) -> None:
        for job_id in list(ids):
            self.jobs.pop(job_id, None)

    def reset(self, jobs: Iterable[EncodingJob], as_of: Instant) -> None:
        given = list(jobs)
        kept = {job.id for job in given}
        self.remove_jobs([job.id for job in self.jobs.values() if job.id not in kept and job.changed < as_of])
        self.update_jobs(given)

    def set_status(self, change: Callable[[CacheStatus], CacheStatus]) -> None:
        self._status = change(self._status)


def _id_of(job: JobId | EncodingJob) -> JobId:
    return job if isinstance(job, str) else job.id
