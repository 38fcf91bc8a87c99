"""Delivering changes of state to listeners: when it is tried again, and what they are told."""

from msgspec import Struct

from nommerctl.domain.credentials import masked
from nommerctl.domain.job import EncodingJob, HistoryEntry, JobId
from nommerctl.domain.states import JobState
from nommerctl.domain.times import AHEAD, Instant, micros

_MINUTE = 60.0
_HOUR = 60 * _MINUTE

_GAPS = (5.0, 5 * _MINUTE, 30 * _MINUTE, *(hours * _HOUR for hours in (2, 5, 10, 14, 20, 24)))
"""Seconds from each failed attempt to the next: the schedule that the Standard Webhooks specification recommends under
"Deliverability and reliability" (github.com/standard-webhooks/standard-webhooks), 75 hours in all."""

MOST_ATTEMPTS = 1 + len(_GAPS)
"""Attempts of the whole schedule, the first one included."""


def next_attempt(failures: int, now: Instant) -> Instant:
    """Return when to try again after so many failed attempts, the last of them now."""
    return now + micros(_GAPS[min(failures, len(_GAPS)) - 1])


def due_at(job: EncodingJob) -> Instant:
    """Return from when on a job's listener is to be told, for one that has something untold: 0 is at once."""
    return job.delivery.next if job.delivery is not None else 0


def has_come(at: Instant, now: Instant) -> bool:
    """Whether the time of an attempt has come: also if it is so far off that the clock must have gone back since."""
    return at <= now or at > next_attempt(len(_GAPS), now) + AHEAD


def due(job: EncodingJob, now: Instant) -> bool:
    """Whether a job's listener is to be told of something now."""
    return bool(job.untold) and has_come(due_at(job), now)


class StateChange(Struct, frozen=True, kw_only=True):
    """A change of a job's state, as a listener is told of it: without credentials.

    `seq` is its number in the job's history, `at` when it came about, `now` when it is told.
    """

    id: JobId
    seq: int
    state: JobState
    at: Instant
    now: Instant
    source: str
    dest: str
    details: str | None = None
    client_id: str | None = None


def state_change(job: EncodingJob, entry: HistoryEntry, now: Instant) -> StateChange:
    """Return what to tell of an entry in a job's history."""
    return StateChange(
        id=job.id,
        seq=entry.seq,
        state=entry.state,
        at=entry.at,
        now=now,
        source=masked(job.source),
        dest=masked(job.dest),
        details=None if entry.details is None else masked(entry.details),
        client_id=job.client_id,
    )
