"""The job store in SimpleDB: media-nommer's own items, and beside them what they have no room for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial

from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.side_by_side import side_by_side
from nommerctl.adapters.aws.simpledb.domains import WRITTEN_AT_ONCE, Expected, Tried
from nommerctl.adapters.aws.simpledb.job_reads import SimpledbJobReads
from nommerctl.adapters.aws.simpledb.old_items import DETAILS, ID, STATE, changes_of, guard_of, item_of
from nommerctl.adapters.aws.simpledb.readings import OTHERS, Reading
from nommerctl.adapters.aws.simpledb.side_records import (
    FIRST,
    SEEN,
    attributes_of,
    fit_to_store,
    is_whole,
    kept_of,
    seen_value,
    side_of,
)
from nommerctl.domain.batches import batches
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import AWAY, IllegalMoveError, TryAgainError, UsageError
from nommerctl.ports import Clock, Move, Together

SUBMITTED_AT_ONCE = 100
"""Jobs of which those before are stored when an error comes out."""

TRIES = 50
"""Of a move, while others write the job all the time."""

KEPT_APART = 20
"""Changes by others that are kept beside a record before they are written into it."""

_UNDER_WAY = micros(3600)
"""How old a side record without an item is when its job's submit is not under way any more."""


class SimpledbJobStore(SimpledbJobReads):
    """A ports.JobStore.

    A write of ours has two steps. First the side record, on condition of its version: with that it is settled among
    ourselves. Then the item, if it changes, on condition of the last_modified_dtime that was read: who finds the second
    step missing makes it. Old programs write items without any condition. One that comes in between is found out by
    that; `report` is told, and the move is made once more, of what then stands. One that comes later is found by
    whoever reads the job next.

    Less is promised than by other stores: each job is stored by itself, so that of several which are submitted together
    some may be stored when an error comes out. Both steps are made in the context of `unbroken`, in which no time limit
    and no signal is heeded.
    """

    def __init__(
        self,
        clients: Clients,
        farm: str,
        settings: SimpledbSettings,
        clock: Clock,
        report: Callable[[str], None] = lambda _: None,
        *,
        strip_credentials: bool = False,
        unbroken: Together = nullcontext,
    ) -> None:
        super().__init__(clients, farm, settings, clock, report, strip_credentials=strip_credentials)
        self._unbroken = unbroken

    def submit(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Store new jobs, each by itself; those whose id exists come back as they stand."""
        new: dict[JobId, EncodingJob] = {}
        for job in jobs:
            if job.id not in new:
                item_of(job, "", self._zone)  # UsageError for one that has no room
                new[job.id] = fit_to_store(structs.replace(job, version=job.version + 1))
        stand: dict[JobId, EncodingJob] = {}
        for some in batches(new.values(), SUBMITTED_AT_ONCE):
            found = {reading.job.id: reading.job for reading in self._read(job.id for job in some)}
            made = side_by_side([partial(self._submitted, job) for job in some if job.id not in found])
            stand |= found | {job.id: job for job in made}
        return [stand[job.id] for job in jobs]

    def transition(self, job: JobId | EncodingJob, move: Move) -> EncodingJob:
        """Apply a move to a job as it stands, and again to what others make of it meanwhile, until it is written."""
        job_id = job if isinstance(job, str) else job.id
        return self._moved(job_id, self._reading(job_id), move)

    def transitions(self, steps: Sequence[tuple[EncodingJob, Move]]) -> list[EncodingJob]:
        """Make a move of each of many jobs, side by side; all but the first one of a job after the others."""
        found = {reading.job.id: reading for reading in self._read(job.id for job, _ in steps)}
        first: dict[JobId, int] = {}
        for place, (job, _) in enumerate(steps):
            first.setdefault(job.id, place)
        moves = [
            partial(self._tried, steps[place][0].id, found.get(job_id), steps[place][1])
            for job_id, place in first.items()
        ]
        written = dict(zip(first.values(), side_by_side(moves), strict=True))
        for place, (job, move) in enumerate(steps):
            if place not in written:
                written[place] = self._tried(job.id, self._reading(job.id), move)
        return [moved for _, moved in sorted(written.items()) if moved is not None]

    def remove(self, job: EncodingJob) -> bool:
        """Remove a job if its version is still the one given.

        It counts as removed too if somebody else removes it in the same moment.
        """
        reading = self._reading(job.id)
        if reading is None or reading.job.version != job.version:
            return False
        if not self._items.delete(job.id, self._guard(reading)) and self._reading(job.id) is not None:
            return False
        if reading.side is not None:
            self._sides.delete(job.id, reading.side.expected)
        self._remove_what_is_left()
        return True

    def keep_seen(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Keep the changes of these jobs that others made, complete what somebody died over; see ports.JobStore.

        A change is kept as one more value of an attribute, twenty-five jobs a request, without any condition: to keep
        it again changes nothing. Of a job that was never seen before and has no `notify_url` nothing is kept, but for
        when it was first seen if its item has no times. What cannot be kept of a job is left for the next time.
        """
        halves = [reading for reading in self._noted.values() if reading.pending]  # their jobs may be in no list yet
        lacking = [reading for reading in self._noted.values() if reading.first is not None or reading.damaged]
        heard = {job.id for job in jobs} | self._unlisted
        self._unlisted = set()
        noted = {job_id: noted for job_id in heard if (noted := self._noted.pop(job_id, None)) is not None}
        side_by_side([partial(self._mend, partial(self._complete, reading)) for reading in halves])
        for reading in [*halves, *lacking]:
            self._noted.pop(reading.job.id, None)
        kept = {job_id: reading for job_id, reading in noted.items() if self._is_to_be_kept(reading)}
        self._keep(kept.values(), lacking)
        for reading in kept.values():
            self._say_what_was_overruled(reading)
        full = {job_id for job_id, each in kept.items() if each.side and len(each.side.values) >= KEPT_APART}
        for job_id in sorted(full | {each.job.id for each in lacking if each.damaged}):
            self._mend(partial(self._rewrite, job_id))
        self._remove_what_is_left()
        return [structs.replace(job, told=0) if _newly_heard_of(kept.get(job.id)) else job for job in jobs]

    # --- one job

    def _submitted(self, job: EncodingJob) -> EncodingJob:
        """Store a new job; return it, or the job that somebody else has stored under its id."""
        fence = self._zone.text(job.changed)
        for _ in range(TRIES):
            side = attributes_of(job, fence=fence, before="")
            with self._unbroken():
                settled = self._put_beside(job, side, Expected("version", None))
                if settled and self._items.put(job.id, item_of(job, fence, self._zone), Expected(ID, None)):
                    return job
            reading = self._reading(job.id)
            if reading is not None:
                return reading.job
            self._mend_beside(job.id)
        raise self._busy(job.id)

    def _mend_beside(self, job_id: JobId) -> None:
        """Do away with a side record without an item: store the job that was to be submitted, else remove it."""
        side = next(iter(side_of(found) for found in [self._sides.get(job_id)] if found is not None), None)
        if side is not None and side.record is not None and not side.before and is_whole(side.record):
            self._items.put(job_id, item_of(side.record, side.fence, self._zone), Expected(ID, None))
        elif side is not None:
            self._sides.delete(job_id, side.expected)

    def _tried(self, job_id: JobId, reading: Reading | None, move: Move) -> EncodingJob | None:
        with suppress(IllegalMoveError, UsageError):
            return self._moved(job_id, reading, move)
        return None

    def _moved(self, job_id: JobId, reading: Reading | None, move: Move) -> EncodingJob:
        """Make a move of a job that was just read."""
        for _ in range(TRIES):
            if reading is None:
                msg = f"no job {job_id} in the store"
                raise UsageError(msg)
            if reading.pending:
                self._complete(reading)
            else:
                moved = self._made(reading, move)
                if moved is reading.job or self._written(reading, moved):
                    return moved
            reading = self._reading(job_id)
        raise self._busy(job_id)

    def _made(self, reading: Reading, move: Move) -> EncodingJob:
        """Return what a move makes of a job as it is to be written, the job itself if it changes nothing."""
        job = reading.job
        moved = move(job)
        if moved is job:
            return job
        return fit_to_store(structs.replace(moved, version=max(job.version, moved.version) + 1))

    def _written(self, reading: Reading, moved: EncodingJob) -> bool:
        """Write a job over the one that it was made of; return whether it is written."""
        job = reading.job
        changes = (moved.state, moved.details, moved.changed) != (job.state, job.details, job.changed)
        guard = self._guard(reading) if changes else None  # an item that has none is found out before the first step
        fence = self._fence(moved.changed, reading.raw) if changes else reading.raw
        side = attributes_of(moved, fence=fence, before=reading.raw)
        expected = reading.side.expected if reading.side is not None else Expected("version", None)
        with self._unbroken():
            if not self._put_beside(moved, side, expected):
                return False
            done = guard is None or self._put_changes(reading, moved, fence, guard)
        if not done and not self._stands(reading, moved, fence):
            return False
        if reading.side is not None and reading.side.values:
            with suppress(*AWAY):  # else they are passed over, for the record has them
                self._sides.drop(job.id, SEEN, reading.side.values)
        return True

    def _fence(self, changed: Instant, raw: str) -> str:
        fence = self._zone.text(changed)
        return fence if fence != raw else self._zone.text(changed + 1)

    def _put_changes(self, reading: Reading, job: EncodingJob, fence: str, guard: Expected) -> bool:
        changes = changes_of(job, fence, has_details=DETAILS in reading.item)
        return self._items.put(job.id, changes, guard)

    def _guard(self, reading: Reading) -> Expected:
        guard = guard_of(reading.item)
        if guard is None:
            msg = (
                f"job {reading.job.id}: its item in domain '{self._items.name}' has nothing to know it by: put it right"
            )
            raise IllegalMoveError(msg)
        return guard

    def _put_beside(self, job: EncodingJob, side: Mapping[str, str], expected: Expected) -> bool:
        """Write a side record; return whether that was done, by an earlier try perhaps, whose answer was lost."""
        tried = self._sides.try_put(job.id, side, expected)
        if tried is not Tried.UNSURE:
            return tried is Tried.DONE
        found = self._sides.get(job.id)
        return found is not None and side_of(found).record == kept_of(job)

    def _stands(self, reading: Reading, moved: EncodingJob, fence: str) -> bool:
        """Whether the second step was made all the same: by an earlier try, or by somebody who found it missing."""
        standing = self._reading(moved.id)
        if standing is None:
            self._sides.delete(moved.id, Expected("version", str(moved.version)))
            return False
        if standing.raw == fence and standing.item.get(STATE) == (moved.state.value,):
            return True
        if standing.side is not None and standing.side.version > moved.version:
            return True
        self._report(
            f"job {moved.id} was made {standing.job.state} by an old program while nommerctl made it {moved.state}"
            f" from {reading.job.state}: what that wrote stands"
        )
        return False

    def _complete(self, reading: Reading) -> None:
        """Make the second step of a write for somebody who has made the first."""
        if reading.side is not None and reading.side.record is not None:
            self._put_changes(reading, reading.side.record, reading.side.fence, self._guard(reading))

    def _rewrite(self, job_id: JobId) -> None:
        """Write a record anew, with what is kept beside it; no error if the job is gone meanwhile."""
        reading = self._reading(job_id)
        if reading is not None:
            self._moved(job_id, reading, structs.replace)

    def _mend(self, act: Callable[[], None]) -> None:
        """Do what the next one would have to do otherwise, if it can be done: one job does not hold up the others."""
        try:
            with suppress(TryAgainError, UsageError):
                act()
        except IllegalMoveError as error:
            self._report(str(error))

    def _busy(self, job_id: JobId) -> TryAgainError:
        return TryAgainError(f"job {job_id} is being written by others all the time: try again")

    # --- what others did

    def _say_what_is_none(self) -> None:
        """Nothing, whatever the domain holds besides jobs: cron would mail it with every resync. Doctor says it."""

    def _keep(self, changed: Iterable[Reading], undated: Iterable[Reading]) -> None:
        written = {each.job.id: {SEEN: seen_value(each.unkept)} for each in changed if each.unkept is not None}
        for each in undated:
            if each.first is not None:
                written[each.job.id] = written.get(each.job.id, {}) | {FIRST: str(each.first)}
        for some in batches(written.items(), WRITTEN_AT_ONCE):
            self._sides.put_batch(dict(some), replace=False)

    def _is_to_be_kept(self, reading: Reading) -> bool:
        return reading.unkept is not None and (reading.side is not None or reading.job.notify_url is not None)

    def _say_what_was_overruled(self, reading: Reading) -> None:
        """Report that an old program wrote a job that a worker of ours had in hand, or that we had finished."""
        record = reading.side.record if reading.side is not None else None
        if record is None or reading.job.version > record.version + 1:  # it was said of the first change
            return
        if record.history and record.history[-1].by == OTHERS:  # it is none of ours that was written over
            return
        if record.finished or (record.lease is not None and record.lease.id):
            self._report(
                f"job {record.id} was made {reading.job.state} by an old program, over nommerctl's {record.state}: what"
                " that wrote stands"
            )

    def _remove_what_is_left(self) -> None:
        """Remove side records whose item is gone, but for those of jobs that are just being submitted."""
        astray, self._astray = self._astray, set()
        if not astray:
            return
        there = {reading.job.id for reading in self._read(astray, noting=False)}
        for job_id, found in self._beside(astray - there).items():
            side = side_of(found)
            submitted = side.record.created if side.record is not None and not side.before else 0
            if submitted + _UNDER_WAY < self._clock():
                self._sides.delete(job_id, side.expected)


def _newly_heard_of(reading: Reading | None) -> bool:
    """Whether a job was kept that was never seen before: then its listener has been told nothing by us."""
    return reading is not None and reading.first_heard_of
