"""What is read of the job store in SimpleDB: the items of media-nommer's jobs, with their side records."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

from nommerctl.adapters.aws.ahead import ahead
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import jobs_table
from nommerctl.adapters.aws.simpledb.domains import NAMED_AT_ONCE, PAGE, Attributes, Domain, quoted
from nommerctl.adapters.aws.simpledb.old_items import CHANGED, STATE, ItemForm, raw_of
from nommerctl.adapters.aws.simpledb.readings import Reading, differs, read
from nommerctl.adapters.aws.simpledb.side_records import (
    LISTENED,
    OPEN,
    UNTOLD,
    Side,
    changed_before,
    changed_since,
    lacks_changes,
    side_of,
)
from nommerctl.adapters.aws.simpledb.zones import OldZone
from nommerctl.domain.batches import batches
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.domain.job import EncodingJob, JobId, is_job_id
from nommerctl.domain.states import FINISHED_STATES, IN_WORK, JobState
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, micros
from nommerctl.ports import Clock

_PREFIX = re.compile(r"[0-9a-f]{0,50}")

_ASKED_SINGLY = 20 * NAMED_AT_ONCE
"""Of so many jobs it is asked whether they have side records; of more, which side records there are."""

_MARGIN = micros(24 * 3600)
"""By how much the text of a local time may be off when it is compared as a text."""

_NO_TIME = f"{CHANGED} is null or {CHANGED} >= ':'"
"""Of an item whose last change is no time, at least by its first character: a colon comes after the digits."""


def _none_of(states: Collection[JobState]) -> str:
    """Return the condition of items in none of some states, of those in no state at all too."""
    others = " and ".join(f"{STATE} != {quoted(state.value)}" for state in sorted(states))
    return f"(({others}) or {STATE} is null)"


def _one_of(states: Collection[JobState]) -> str:
    named = ", ".join(quoted(state.value) for state in sorted(states))
    return f"{STATE} in ({named})"


def _by_change(job: EncodingJob) -> tuple[Instant, JobId]:
    return job.changed, job.id


class SimpledbJobReads:
    """A ports.JobReads.

    An item and the side record of a job are two, and not written in one step: an item whose side record does not go
    with it is read once more, to tell what somebody else wrote from what we were just writing. Items that are no jobs
    are left out, and `report` is told how many; it is told which side records are damaged, too, each once. A job that
    somebody wrote badly has a `fault`. With `strip_credentials` no job has keys of AWS in its source and destination.
    Lists are whole in memory: SimpleDB sorts times as the texts that they are.
    """

    lag = 0.0

    def __init__(
        self,
        clients: Clients,
        farm: str,
        settings: SimpledbSettings,
        clock: Clock,
        report: Callable[[str], None] = lambda _: None,
        *,
        strip_credentials: bool = False,
    ) -> None:
        self._items = Domain(clients, settings.job_domain, ours=False)
        self._sides = Domain(clients, jobs_table(farm), ours=True)
        self._zone = OldZone(settings.old_zone)
        self._form = ItemForm(self._zone, strip_credentials)
        self._clock = clock
        self._report = report
        self._no_jobs: set[str] = set()
        self._said = 0
        self._noted: dict[JobId, Reading] = {}
        self._unlisted: set[JobId] = set()
        self._astray: set[JobId] = set()
        self._damaged: set[JobId] = set()

    def get(self, ids: Iterable[JobId]) -> dict[JobId, EncodingJob]:
        """Return those of the named jobs that exist, each as it is now."""
        return {reading.job.id: reading.job for reading in self._read(ids)}

    def find(self, prefix: str, limit: int) -> list[EncodingJob]:
        """Return up to `limit` jobs whose id begins with `prefix`, by id."""
        if not _PREFIX.fullmatch(prefix) or limit <= 0:
            return []
        if is_job_id(prefix):
            return list(self.get([prefix]).values())
        names = self._items.select(
            f"itemName() like {quoted(prefix + '%')}", order="itemName()", limit=min(limit, PAGE), what="itemName()"
        )
        return list(self.get(islice((name for name, _ in names if is_job_id(name)), limit)).values())

    def unfinished(self) -> Iterator[EncodingJob]:
        """Yield every unfinished job, oldest `created` first."""
        found = self._listed(_none_of(FINISHED_STATES), f"phase = {quoted(OPEN)}", noting=True)
        yield from sorted((job for job in found if not job.finished), key=lambda job: (job.created, job.id))

    def finished_untold(self) -> Iterator[EncodingJob]:
        """Yield every finished job that a `notify_url` still has to be told of, oldest `changed` first.

        Their side records say so, but for those of jobs that somebody else has finished: these are still open there.
        """
        untold = self._named(self._sides, f"phase = {quoted(UNTOLD)}")
        open_ = self._named(self._sides, f"(phase = {quoted(OPEN)} and {LISTENED}) or phase is null")
        finished = open_ - self._named(self._items, _none_of(FINISHED_STATES)) if open_ else open_
        found = self.get(untold | finished)
        self._astray |= finished - found.keys()
        yield from sorted((job for job in found.values() if job.finished and job.untold), key=_by_change)

    def undelivered(self) -> Iterator[EncodingJob]:
        """Yield every job whose listener was given up, oldest `changed` first."""
        found = self.get(self._named(self._sides, "dead = '1'"))
        yield from sorted((job for job in found.values() if job.undelivered), key=_by_change)

    def silent(self, *, in_work_before: Instant, pending_before: Instant) -> Iterator[EncodingJob]:
        """Yield every job in work, and every PENDING one, with `changed` before its instant, oldest first."""
        before = dict.fromkeys(IN_WORK, in_work_before) | {JobState.PENDING: pending_before}
        latest = max(before.values()) + _MARGIN
        found = self._listed(
            f"{_none_of(FINISHED_STATES)} and ({self._before(latest)})",
            f"phase = {quoted(OPEN)} and {changed_before(latest)}",
        )
        yield from sorted(
            (job for job in found if job.state in before and job.changed < before[job.state]), key=_by_change
        )

    def finished_since(self, since: Instant) -> Iterator[EncodingJob]:
        """Yield every finished job with `changed` at or after `since`, oldest first."""
        earliest = max(since - _MARGIN, 0)
        found = self._listed(
            f"{_one_of(FINISHED_STATES)} and ({CHANGED} >= {quoted(self._zone.text(earliest))} or {_NO_TIME})",
            f"phase != {quoted(OPEN)} and {changed_since(earliest)}",
        )
        yield from sorted((job for job in found if job.finished and job.changed >= since), key=_by_change)

    def finished_before(self, before: Instant) -> Iterator[EncodingJob]:
        """Yield every finished job with `changed` before `before` and nothing untold, oldest first."""
        found = self._listed(
            f"{_one_of(FINISHED_STATES)} and ({self._before(before + _MARGIN)})", changed_before(before), whole=True
        )
        yield from sorted(
            (job for job in found if job.finished and not job.untold and job.changed < before), key=_by_change
        )

    def in_state(self, state: JobState) -> Iterator[EncodingJob]:
        """Yield every job in this state, oldest `changed` first; one in an unknown state is PENDING, or in two."""
        where = _none_of(FINISHED_STATES) if state is JobState.PENDING else _one_of({state})
        found = self._listed(where, f"state = {quoted(state.value)}")
        yield from sorted((job for job in found if job.state is state), key=_by_change)

    def _before(self, at: Instant) -> str:
        ahead_of_all = self._zone.text(self._clock() + _MARGIN)  # and what is no time comes after it too
        return f"{CHANGED} < {quoted(self._zone.text(at))} or {CHANGED} >= {quoted(ahead_of_all)} or {CHANGED} is null"

    def _listed(self, items: str, sides: str, *, noting: bool = False, whole: bool = False) -> Iterator[EncodingJob]:
        """Yield the jobs whose items fulfil one condition, and whose side records, as a rule, the other.

        If the first takes in all that the other does (`whole`), side records without such an item may be left over.
        Other side records without one are of jobs whose item does not have our last write yet, or of which somebody has
        written more since: unless that is kept already, they are read too, and noted.
        """
        found = {name: item for name, item in self._items.select(items) if self._is_job(name)}
        self._say_what_is_none()
        beside = dict(self._sides.select(sides))
        alone = {name: side_of(beside[name]) for name in beside.keys() - found.keys() if is_job_id(name)}
        if whole:
            self._astray |= alone.keys()
            alone = {name: side for name, side in alone.items() if side.record is not None and side.record.finished}
        beside |= self._beside(found.keys() - beside.keys())
        ours = {job_id: side_of(beside[job_id]) for job_id in found if job_id in beside}
        doubtful = {job_id for job_id, side in ours.items() if differs(found[job_id], side)}
        for reading in self._read(doubtful, noting=noting):
            yield reading.job
        for job_id in found.keys() - doubtful:
            reading = self._reading_of(job_id, found[job_id], ours.get(job_id))
            if noting or reading.first is not None or reading.damaged:
                self._note(reading)
            yield reading.job
        for reading in self._read(sorted(name for name, side in alone.items() if not lacks_changes(side))):
            self._unlisted.add(reading.job.id)
            yield reading.job

    def _beside(self, ids: Collection[JobId]) -> dict[str, Attributes]:
        """Return the side records of those of some jobs that have one."""
        if len(ids) > _ASKED_SINGLY:
            ids = self._named(self._sides).intersection(ids)
        found: dict[str, Attributes] = {}
        for some in ahead(self._sides.get_many, batches(sorted(ids), NAMED_AT_ONCE)):
            found |= some
        return found

    def _named(self, domain: Domain, where: str = "") -> set[JobId]:
        return {name for name, _ in domain.select(where, what="itemName()") if is_job_id(name)}

    def _read(self, ids: Iterable[JobId], *, noting: bool = True) -> Iterator[Reading]:
        """Yield what is read of those of some jobs that exist, in their order."""
        wanted = filter(is_job_id, dict.fromkeys(ids))
        for readings in ahead(self._readings, batches(wanted, NAMED_AT_ONCE)):
            for reading in readings:
                if noting:
                    self._note(reading)
                yield reading

    def _readings(self, ids: Sequence[JobId]) -> list[Reading]:
        """Return what is read of those of up to NAMED_AT_ONCE jobs that exist.

        An item is read before its side record, which is written first: so at most it goes with the write before. If it
        does not, it is read again: if it has not changed, somebody else has written it.
        """
        items = _fetched(self._items, ids)
        sides = _sides(self._sides, items)
        doubtful = [job_id for job_id, side in sides.items() if differs(items[job_id], side)]
        while doubtful:
            again = _fetched(self._items, doubtful)
            rewritten = [job_id for job_id in again if raw_of(again[job_id]) != raw_of(items[job_id])]
            items = {job_id: item for job_id, item in items.items() if job_id not in doubtful} | again
            sides = {job_id: side for job_id, side in sides.items() if job_id not in rewritten}
            sides |= _sides(self._sides, rewritten)
            doubtful = [job_id for job_id in rewritten if job_id in sides and differs(items[job_id], sides[job_id])]
        return [self._reading_of(job_id, items[job_id], sides.get(job_id)) for job_id in ids if job_id in items]

    def _reading(self, job_id: JobId) -> Reading | None:
        """Return what is read of one job, None if it does not exist."""
        return next(iter(self._readings([job_id])), None) if is_job_id(job_id) else None

    def _reading_of(self, job_id: JobId, item: Attributes, side: Side | None) -> Reading:
        reading = read(job_id, item, side, self._form, self._clock())
        if reading.damaged and job_id not in self._damaged:
            self._damaged.add(job_id)
            self._report(
                f"job {job_id}: what nommerctl kept of it in domain '{self._sides.name}' is damaged, so that it goes on"
                " as its item says: who had it in hand, its attempts and its history are lost"
            )
        return reading

    def _note(self, reading: Reading) -> None:
        """Remember what `keep_seen` has to do for a job, if anything."""
        if reading.pending or reading.unkept is not None or reading.first is not None or reading.damaged:
            self._noted[reading.job.id] = reading
        else:
            self._noted.pop(reading.job.id, None)

    def _is_job(self, name: str) -> bool:
        if not is_job_id(name):
            self._no_jobs.add(name)
        return is_job_id(name)

    def _say_what_is_none(self) -> None:
        """Report items that are no jobs, when there are some that were not reported yet."""
        if len(self._no_jobs) > self._said:
            self._said = len(self._no_jobs)
            self._report(
                f"domain '{self._items.name}' has {counted(self._said, 'item')} whose name is no id of a job, as"
                f" '{shown(min(self._no_jobs))}': left alone"
            )


def _fetched(domain: Domain, ids: Collection[JobId]) -> dict[JobId, Attributes]:
    """Return those of up to NAMED_AT_ONCE items that there are."""
    if len(ids) != 1:
        return domain.get_many(ids)
    (job_id,) = ids
    item = domain.get(job_id)
    return {} if item is None else {job_id: item}


def _sides(domain: Domain, ids: Collection[JobId]) -> dict[JobId, Side]:
    return {job_id: side_of(found) for job_id, found in _fetched(domain, ids).items()}
