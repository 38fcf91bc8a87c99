"""A job, read from its item and its side record: which of the two holds, and what others did that we did not know."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import structs

from nommerctl.adapters.aws.simpledb.domains import Attributes
from nommerctl.adapters.aws.simpledb.old_items import CREATED, STATE, ItemForm, OldItem, is_ambiguous, parsed, raw_of
from nommerctl.adapters.aws.simpledb.side_records import Seen, Side, is_whole, known_to
from nommerctl.adapters.aws.simpledb.zones import OldZone, latest
from nommerctl.domain.job import EncodingJob, HistoryEntry, JobId, Lease
from nommerctl.domain.states import FINISHED_STATES, IN_WORK, JobState
from nommerctl.domain.times import Instant

OTHERS = "media-nommer"
"""Who is said to have made a change that nommerctl did not make."""

OLD_WORKER = "an old worker"

NOBODY_KNOWN = "unknown"
"""Who has a job in a state that nommerctl does not know: as for media-nommer, it is unfinished."""


_STATES = tuple(JobState)
"""In the order of a job's life."""


class Reading(NamedTuple):
    """A job as it stands, and what it was read from: `item`, with its fence as it is (`raw`), and `side`.

    It is `pending` if its side record has been written and its item not yet: whoever writes next completes that.
    `unkept` is a change by others of which there is no trace but the item. `first` is the instant of this reading, if
    the item has no times and it is not kept yet when it was first seen.
    """

    job: EncodingJob
    item: Attributes
    side: Side | None
    raw: str
    pending: bool = False
    unkept: Seen | None = None
    first: Instant | None = None

    @property
    def damaged(self) -> bool:
        """Whether its record is lost."""
        return self.side is not None and self.side.damaged

    @property
    def first_heard_of(self) -> bool:
        """Whether nothing was kept of what became of the job."""
        return self.side is None or not self.side.has_changes


def differs(item: Attributes, side: Side) -> bool:
    """Whether an item is not what our record of it goes with: somebody wrote it, or the two are not of one time."""
    if side.record is None:
        return False
    raw = raw_of(item)
    if raw != side.fence:
        return raw != side.before
    return side.record.fault is None and item.get(STATE) != (side.record.state.value,)


def read(job_id: JobId, item: Attributes, side: Side | None, form: ItemForm, now: Instant) -> Reading:
    """Return the job in an item and its side record, which were read so that they belong together."""
    raw = raw_of(item)
    side = None if side is None else _redated(side, item, form.zone, now)
    record = side.record if side is not None else None
    if side is not None and record is not None and not differs(item, side):
        whole = record.fault is None and is_whole(record) and not is_ambiguous(item)
        job = record if whole else _with_what_is_given(record, parsed(item, form, now))
        return Reading(job, item, side, raw, pending=raw != side.fence)
    old = parsed(item, form, now)
    merged = _Merge(job_id, raw, old, side, now)
    return Reading(merged.job(), item, side, raw, unkept=merged.unkept, first=merged.first)


def _redated(side: Side, item: Attributes, zone: OldZone, now: Instant) -> Side:
    """Return a side record with the instants of what others did last as they are in the zone that is set now.

    The one that was set when it was written may have been wrong.
    """
    seen = tuple(each._replace(at=_meant(each.text, each.at, zone, now)) for each in side.seen)
    if seen != side.seen:
        side = side._replace(seen=tuple(sorted(seen, key=lambda each: each.at)))
    record = side.record
    if record is None or not record.history or record.history[-1].by != OTHERS:
        return side
    first, last, created = record.history[0], record.history[-1], record.created
    if (first.seq, first.by) == (1, OTHERS):
        created = _meant(next(iter(item.get(CREATED, ())), ""), created, zone, now)
    changed = _meant(side.fence, record.changed, zone, now)
    if (created, changed) == (record.created, record.changed):
        return side
    history = (*record.history[:-1], structs.replace(last, at=changed))
    lease = record.lease
    if lease is not None and not lease.id:
        lease = structs.replace(lease, until=changed)
    return side._replace(record=structs.replace(record, created=created, changed=changed, history=history, lease=lease))


def _meant(text: str, at: Instant, zone: OldZone, now: Instant) -> Instant:
    """Return what a text means that was read as an instant once: this one, if it may be, or if it is no time."""
    instants = zone.passed(text, now)
    found = at if at in instants else latest(instants, now)
    return at if found is None else found


def _with_what_is_given(record: EncodingJob, old: OldItem) -> EncodingJob:
    """What does not change in a job's life, as its item has it now: it may have been put right there."""
    return structs.replace(
        record,
        source=old.source,
        dest=old.dest,
        nommer=old.nommer,
        options=old.options,
        notify_url=old.notify_url,
        fault=old.fault,
    )


class _Merge:
    """What comes of an item that somebody else wrote, and of what we know of its job."""

    def __init__(self, job_id: JobId, raw: str, old: OldItem, side: Side | None, now: Instant) -> None:
        self._id = job_id
        self._old = old
        self._now = now
        self._side = side
        self._record = side.record if side is not None else None
        self._history = self._record.history if self._record is not None else ()
        self._said = latest(old.changed, now)
        self.first = now if self._said is None and self._guess is None else None
        seen = side.seen if side is not None else ()
        self._current = self._found(raw, seen)
        self._added = list(self._unknown(seen))
        self.unkept = next((each for each in self._added[-1:] if each not in seen), None)

    def _found(self, raw: str, seen: tuple[Seen, ...]) -> Seen | None:
        """The change that the item shows: as it was seen already, if it was; None if it shows none that we know of."""
        state = self._old.state
        if state is None:
            return None
        known = [each for each in seen if (each.state, each.text) == (state, raw)]
        if known:
            return known[-1]
        return Seen(self._dated, state, raw, self._old.details)

    @property
    def _guess(self) -> Instant | None:
        """When an item was changed that does not say so, as far as anything tells."""
        if self._record is not None:
            return self._record.changed
        first = self._side.first if self._side is not None else None
        return first if self._old.created is None else self._old.created

    @property
    def _dated(self) -> Instant:
        """When the item was changed last; if it does not say so, the best guess: else it would look forlorn."""
        found = (at for at in (self._said, self._guess) if at is not None)
        return next(found, self._now)

    def _unknown(self, seen: tuple[Seen, ...]) -> Iterator[Seen]:
        """Yield the changes that the record's history lacks: in the order of their instants, at last what now is."""
        known, since = known_to(self._history)
        last = self._history[-1] if self._history else None
        for each in seen:
            if each != self._current and (each.at, each.state) not in known and each.at >= since:
                known.add((each.at, each.state))
                last = None
                yield each
        current = self._current
        if current is not None and (last is None or (last.at, last.state) != (current.at, current.state)):
            yield current

    def job(self) -> EncodingJob:
        """The job as it stands: state and what is given by the item, all else by our record of it."""
        old, record, history = self._old, self._record, self._whole_history()
        state = old.state or JobState.PENDING
        at = self._dated if self._current is None else self._current.at
        if record is None:
            created = at if old.created is None else old.created
            record = EncodingJob(
                id=self._id, source="", dest="", created=created, changed=at, options=(), told=self._told(history)
            )
        return structs.replace(
            _with_what_is_given(record, old),
            state=state,
            details=old.details,
            changed=at,
            lease=self._hands(state, at),
            progress=None,
            history=history,
            version=self._version(state, at),
        )

    def _version(self, state: JobState, at: Instant) -> int:
        """That of our record, and one for each change since; without a record, in microseconds, when it was changed.

        So it rises all the same if a record is lost, or the farm gets another name. That a clock of an old host is
        behind, or leaves out microseconds, is made up for by the order of the states, and the number of changes.
        """
        counted = self._side.version + len(self._added) if self._side is not None else 0
        if self._record is not None:
            return counted
        dated = max(at, self._old.created or 0, *(each.at for each in self._added))
        return max(counted, dated + _STATES.index(state) + len(_STATES) * max(len(self._added) - 1, 0))

    def _hands(self, state: JobState, at: Instant) -> Lease | None:
        if self._old.state is None:
            return Lease(id="", owner=NOBODY_KNOWN, until=at)
        return Lease(id="", owner=OLD_WORKER, until=at) if state in IN_WORK else None

    def _whole_history(self) -> tuple[HistoryEntry, ...]:
        first = self._history[-1].seq + 1 if self._history else 1
        entries = (
            HistoryEntry(seq=seq, state=each.state, at=each.at, by=OTHERS, details=each.details)
            for seq, each in enumerate(self._added, start=first)
        )
        return (*self._history, *entries)

    def _told(self, history: tuple[HistoryEntry, ...]) -> int:
        """Of a job without a record: a finished one that we never saw before was told by media-nommer itself."""
        unheard = self._side is None or not self._side.has_changes
        first_sight = unheard and self._old.state in FINISHED_STATES
        return history[-1].seq if history and first_sight else 0
