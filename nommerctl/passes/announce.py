"""What follows every change of a job's state that a pass makes."""

import contextlib
from collections.abc import Sequence

from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from nommerctl.errors import AWAY, IllegalMoveError, UsageError
from nommerctl.passes.means import FarmWrites
from nommerctl.ports import JobCache, Move


def make_move(writes: FarmWrites, job: EncodingJob, move: Move) -> None:
    """Move a job, queue it if it waits now, and say that it changed: by a message, which is what refresh goes by.

    IllegalMoveError for one that vanished meanwhile, too.
    """
    with writes.together():
        try:
            moved = writes.store.transition(job, move)
        except UsageError as error:  # it was there just now
            raise IllegalMoveError(str(error)) from error
        if moved.state is JobState.PENDING:
            writes.new_jobs.send([job.id])
        writes.changes.send([job.id])
    hint(writes.cache, [moved])


def hint(cache: JobCache, jobs: Sequence[EncodingJob]) -> None:
    """Cache jobs if that can be done now. The store has them: a cache that is locked or full must not fail the pass."""
    with contextlib.suppress(*AWAY):
        cache.update_jobs(jobs)
