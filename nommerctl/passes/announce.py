"""What follows every change of a job's state that a pass makes."""

import contextlib

from nommerctl.domain.job import EncodingJob
from nommerctl.errors import AWAY
from nommerctl.passes.means import FarmWrites
from nommerctl.ports import JobCache


def announce(writes: FarmWrites, job: EncodingJob) -> None:
    """Say that a job changed: by a message, which is what refresh goes by, and in our own cache right away."""
    writes.changes.send([job.id])
    hint(writes.cache, [job])


def hint(cache: JobCache, jobs: list[EncodingJob]) -> None:
    """Cache jobs if that can be done now. The store has them: a cache that is locked or full must not fail the pass."""
    with contextlib.suppress(*AWAY):
        cache.update_jobs(jobs)
