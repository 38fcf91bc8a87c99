"""What follows every change of a job's state that a pass makes."""

import contextlib
from collections.abc import Callable, Sequence

from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.states import JobState
from nommerctl.errors import AWAY
from nommerctl.passes.means import FarmWrites
from nommerctl.ports import JobCache


def make_move(writes: FarmWrites, job_id: JobId, move: Callable[[EncodingJob], EncodingJob]) -> None:
    """Move a job, queue it if it waits now, and say that it changed: by a message, which is what refresh goes by."""
    with writes.together():
        job = writes.store.transition(job_id, move)
        if job.state is JobState.PENDING:
            writes.new_jobs.send([job_id])
        writes.changes.send([job_id])
    hint(writes.cache, [job])


def hint(cache: JobCache, jobs: Sequence[EncodingJob]) -> None:
    """Cache jobs if that can be done now. The store has them: a cache that is locked or full must not fail the pass."""
    with contextlib.suppress(*AWAY):
        cache.update_jobs(jobs)
