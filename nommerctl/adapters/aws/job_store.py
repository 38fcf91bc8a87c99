"""The job store in DynamoDB: an item for each job, written on condition that nobody wrote in between."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from msgspec import structs

from nommerctl.adapters.aws.job_items import bytes_of, fit_to_store, fit_to_submit, item_of, job_of, key_of
from nommerctl.adapters.aws.job_reads import DynamoJobReads
from nommerctl.adapters.aws.tables import WRITTEN_AT_ONCE, Item, Standing, Write, delete, put, transactions
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.errors import IllegalMoveError, UsageError
from nommerctl.ports import Move

MOVED_AT_ONCE = 25
"""Jobs of one transaction of moves: it is cancelled whole when one of them was written meanwhile."""


class _Step(NamedTuple):
    """A job as it is to be written, the move that made it so, and the place of both among what was asked for."""

    place: int
    move: Move
    moved: EncodingJob
    write: Write


class DynamoJobStore(DynamoJobReads):
    """A ports.JobStore.

    A write whose answer is lost is given again, by botocore. If it had been done, the second one finds what the first
    one wrote and counts as done; but if somebody wrote in between, the move is made once more of what he wrote.
    """

    def submit(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Store new jobs in transactions of up to 100; those whose id exists come back as they stand."""
        new: dict[JobId, EncodingJob] = {}
        for job in jobs:
            new.setdefault(job.id, structs.replace(job, version=job.version + 1))
        items = {job_id: fit_to_submit(job) for job_id, job in new.items()}
        stand: dict[JobId, EncodingJob] = {}
        for batch in transactions(items, WRITTEN_AT_ONCE, size=lambda job_id: bytes_of(items[job_id])):
            stand |= self._submitted({job_id: items[job_id] for job_id in batch})
        return [stand.get(job.id, new[job.id]) for job in jobs]

    def transition(self, job: JobId | EncodingJob, move: Move) -> EncodingJob:
        """Apply a move to a job as it is given, or read; and to the job as it stands, if it was written since then."""
        if isinstance(job, str):
            return self._moved(self._existing(job), move)
        moved = _ventured(job, move)
        if moved is None:
            return self._moved(self._existing(job.id), move)
        standing = self._put(_over(job, moved), moved)
        return moved if standing is moved else self._moved(standing, move)

    def transitions(self, steps: Sequence[tuple[EncodingJob, Move]]) -> list[EncodingJob]:
        """Make a move of each of many jobs, in transactions of up to 25.

        A transaction costs twice the write units of its writes done singly, fractions of a cent for a thousand; but it
        saves 24 of 25 requests, and it is their time that keeps a pass from its end. Moves that cannot be made of a job
        as it is given, and all but the first of one job, are made singly after the others.
        """
        together: list[_Step] = []
        singly: dict[int, tuple[JobId, Move]] = {}
        seen: set[JobId] = set()
        for place, (job, move) in enumerate(steps):
            moved = None if job.id in seen else _ventured(job, move)
            seen.add(job.id)
            if moved is None:
                singly[place] = job.id, move
            else:
                together.append(_Step(place, move, moved, _over(job, moved)))
        written: dict[int, EncodingJob] = {}
        for batch in transactions(together, MOVED_AT_ONCE, size=lambda step: bytes_of(step.write.asked["Item"])):
            written |= self._moved_together(batch)
        now = self.get(job_id for job_id, _ in singly.values())
        for place, (job_id, move) in singly.items():
            with suppress(IllegalMoveError, UsageError):
                written[place] = now[job_id] = self._moved(self._known(job_id, now.get(job_id)), move)
        return [written[place] for place in sorted(written)]

    def keep_seen(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Return the jobs: nobody else writes them."""
        return list(jobs)

    def remove(self, job: EncodingJob) -> bool:
        """Remove a job if its version is still the one given.

        It counts as removed too if it is not there any more and an earlier try may have done it, without an answer.
        """
        version = {":version": {"N": str(job.version)}}
        standing = self._table.write(delete(key_of(job.id), condition="#version = :version", values=version))
        return standing is None or (standing.repeated and not standing.item)

    def _submitted(self, items: dict[JobId, Item]) -> dict[JobId, EncodingJob]:
        """Write the items of one transaction but for those of jobs that exist; return these jobs."""
        standing: dict[JobId, EncodingJob] = {}
        while new := [job_id for job_id in items if job_id not in standing]:
            failed = self._table.write_together(
                [put(items[job_id], condition="attribute_not_exists(#id)") for job_id in new]
            )
            if not failed:
                break
            standing |= {new[place]: job_of(new[place], old.item, self._table.name) for place, old in failed.items()}
        return standing

    def _moved(self, job: EncodingJob, move: Move) -> EncodingJob:
        """Make a move of a job that was just read, and of what others make of it meanwhile, until it is written."""
        while True:
            moved = _made(job, move)
            if moved is job:
                return job
            job = self._put(_over(job, moved), moved)
            if job is moved:
                return moved

    def _moved_together(self, steps: Sequence[_Step]) -> dict[int, EncodingJob]:
        """Make moves in one transaction; those that were overtaken singly, and the others in another one."""
        written: dict[int, EncodingJob] = {}
        while steps:
            failed = self._table.write_together([step.write for step in steps])
            for place, found in failed.items():
                step = steps[place]
                with suppress(IllegalMoveError, UsageError):
                    standing = self._standing(step.moved, found)
                    done = standing is step.moved
                    written[step.place] = standing if done else self._moved(standing, step.move)
            if not failed:
                return written | {step.place: step.moved for step in steps}
            steps = [step for place, step in enumerate(steps) if place not in failed]
        return written

    def _put(self, write: Write, moved: EncodingJob) -> EncodingJob:
        """Write a job over the one it was made of; return the one that then stands, `moved` itself if it is that."""
        standing = self._table.write(write)
        return moved if standing is None else self._standing(moved, standing)

    def _standing(self, moved: EncodingJob, found: Standing) -> EncodingJob:
        """Return the job that stood in the way of a write, `moved` itself if an earlier try has written that."""
        job = self._known(moved.id, job_of(moved.id, found.item, self._table.name) if found.item else None)
        return moved if found.repeated and job == moved else job

    def _existing(self, job_id: JobId) -> EncodingJob:
        return self._known(job_id, self.get([job_id]).get(job_id))

    def _known(self, job_id: JobId, job: EncodingJob | None) -> EncodingJob:
        if job is None:
            msg = f"no job {job_id} in the store"
            raise UsageError(msg)
        return job


def _made(job: EncodingJob, move: Move) -> EncodingJob:
    """Return what a move makes of a job as it is to be written, the job itself if it changes nothing."""
    moved = move(job)
    return job if moved is job else fit_to_store(structs.replace(moved, version=max(job.version, moved.version) + 1))


def _ventured(job: EncodingJob, move: Move) -> EncodingJob | None:
    """Return what a move makes of a job that was read earlier; None if that says nothing about the job as it is now."""
    try:
        moved = _made(job, move)
    except IllegalMoveError:
        return None
    return None if moved is job else moved


def _over(job: EncodingJob, moved: EncodingJob) -> Write:
    """Return what writes a job over the one that it was made of."""
    version = {":version": {"N": str(job.version)}}
    return put(item_of(moved), condition="#version = :version", values=version)
