"""A job store in memory."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from msgspec import structs

from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.states import IN_WORK, UNFINISHED, JobState
from nommerctl.domain.times import Instant
from nommerctl.errors import IllegalMoveError, UsageError
from nommerctl.ports import Move


class FakeJobStore:
    """A ports.JobStore that keeps its promises among threads; `jobs` is what it holds.

    Like a store across a network it writes conditionally: a transition whose job was written meanwhile begins anew.
    """

    lag = 0.0

    def __init__(self) -> None:
        self.jobs: dict[JobId, EncodingJob] = {}
        self._lock = threading.Lock()

    def get(self, ids: Iterable[JobId]) -> dict[JobId, EncodingJob]:
        return {job_id: self.jobs[job_id] for job_id in ids if job_id in self.jobs}

    def find(self, prefix: str, limit: int) -> list[EncodingJob]:
        jobs = self._selected(lambda job: job.id.startswith(prefix))
        return sorted(jobs, key=lambda job: job.id)[:limit]

    def unfinished(self) -> Iterator[EncodingJob]:
        jobs = self._selected(lambda job: job.state in UNFINISHED)
        return iter(sorted(jobs, key=lambda job: (job.created, job.id)))

    def finished_untold(self) -> Iterator[EncodingJob]:
        return self._by_change(lambda job: job.finished and bool(job.untold))

    def undelivered(self) -> Iterator[EncodingJob]:
        return self._by_change(lambda job: job.undelivered)

    def silent(self, *, in_work_before: Instant, pending_before: Instant) -> Iterator[EncodingJob]:
        before = dict.fromkeys(IN_WORK, in_work_before) | {JobState.PENDING: pending_before}
        return self._by_change(lambda job: job.state in before and job.changed < before[job.state])

    def finished_since(self, since: Instant) -> Iterator[EncodingJob]:
        return self._by_change(lambda job: job.finished and job.changed >= since)

    def finished_before(self, before: Instant) -> Iterator[EncodingJob]:
        return self._by_change(lambda job: job.finished and job.changed < before and not job.untold)

    def in_state(self, state: JobState) -> Iterator[EncodingJob]:
        return self._by_change(lambda job: job.state is state)

    def submit(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        with self._lock:
            return [self.jobs.setdefault(job.id, structs.replace(job, version=job.version + 1)) for job in jobs]

    def transitions(self, steps: Sequence[tuple[EncodingJob, Move]]) -> list[EncodingJob]:
        written = []
        for job, move in steps:
            with suppress(IllegalMoveError, UsageError):
                written.append(self.transition(job, move))
        return written

    def transition(self, job: JobId | EncodingJob, move: Move) -> EncodingJob:
        return self._moved(job if isinstance(job, str) else job.id, move)

    def _moved(self, job_id: JobId, move: Move) -> EncodingJob:
        while True:
            job = self.jobs.get(job_id)
            if job is None:
                msg = f"no job {job_id} in the store"
                raise UsageError(msg)
            moved = move(job)
            if moved is job:
                return job
            moved = structs.replace(moved, version=max(job.version, moved.version) + 1)
            with self._lock:
                if self.jobs.get(job_id) is job:
                    self.jobs[job_id] = moved
                    return moved

    def keep_seen(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        return list(jobs)

    def remove(self, job: EncodingJob) -> bool:
        with self._lock:
            standing = self.jobs.get(job.id)
            if standing is None or standing.version != job.version:
                return False
            del self.jobs[job.id]
            return True

    def _selected(self, condition: Callable[[EncodingJob], bool]) -> list[EncodingJob]:
        with self._lock:
            return [job for job in self.jobs.values() if condition(job)]

    def _by_change(self, condition: Callable[[EncodingJob], bool]) -> Iterator[EncodingJob]:
        return iter(sorted(self._selected(condition), key=lambda job: (job.changed, job.id)))
