"""How a job may change: the table of legal moves, as data, and one function for each move.

Every function takes the job as just read and returns it as it is to be written; none of them writes. A move that the
table does not hold raises IllegalMoveError; a holder whose lease is not the job's lease gets LeaseLostError.
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import structs

from nommerctl.domain.costs import job_cost
from nommerctl.domain.credentials import masked
from nommerctl.domain.delivery import MOST_ATTEMPTS, next_attempt
from nommerctl.domain.job import (
    Delivery,
    EncodingJob,
    HistoryEntry,
    Lease,
    Media,
    Progress,
    held_without_lease,
    lease_live,
)
from nommerctl.domain.limits import AbandonAfter, AttemptLimits
from nommerctl.domain.states import IN_WORK, UNFINISHED, JobState
from nommerctl.domain.text import counted, storable
from nommerctl.domain.times import Instant, age, impossible, micros, seconds_between
from nommerctl.errors import IllegalMoveError, LeaseLostError

DETAILS_BYTES = 4096
LOG_BYTES = 4096
HISTORY_ENTRIES = 50
UNTOLD_ENTRIES = 150
"""How many entries more a history keeps for a listener that does not answer."""


class Mover(StrEnum):
    """Who makes a move."""

    CLAIM = "claim"
    HOLDER = "lease holder"
    ABANDON = "abandon"
    CANCEL = "cancel"
    RETRY = "retry"


class Move(NamedTuple):
    """From one of `origins` to `to`, made by `by`."""

    origins: frozenset[JobState]
    to: JobState
    by: Mover


_S = JobState
LEGAL_MOVES: tuple[Move, ...] = (
    Move(UNFINISHED, _S.DOWNLOADING, Mover.CLAIM),
    Move(frozenset({_S.DOWNLOADING}), _S.ENCODING, Mover.HOLDER),
    Move(frozenset({_S.ENCODING}), _S.UPLOADING, Mover.HOLDER),
    Move(frozenset({_S.UPLOADING}), _S.FINISHED, Mover.HOLDER),
    Move(IN_WORK, _S.ERROR, Mover.HOLDER),
    Move(IN_WORK, _S.ERROR, Mover.CLAIM),
    Move(IN_WORK, _S.ERROR, Mover.ABANDON),
    Move(IN_WORK, _S.PENDING, Mover.HOLDER),
    Move(UNFINISHED, _S.ABANDONED, Mover.ABANDON),
    Move(UNFINISHED, _S.ABANDONED, Mover.CANCEL),
    Move(frozenset({_S.ERROR, _S.ABANDONED}), _S.PENDING, Mover.RETRY),
)


def _tail(text: str, limit: int) -> str:
    """Keep the end of a text within a number of UTF-8 bytes, from the beginning of a line if it has several.

    Masked first: half a URI does not look like one, and nobody needs the credentials in what was said.
    """
    data = storable(masked(text)).encode()
    if len(data) <= limit:
        return data.decode()
    cut = data[-limit:].decode(errors="ignore")
    _, newline, lines = cut.partition("\n")
    return lines if newline and lines else cut


def _changed(job: EncodingJob, to: JobState, by: Mover, *, who: str, now: Instant, details: str | None) -> EncodingJob:
    if not any(job.state in move.origins and move.to is to and move.by is by for move in LEGAL_MOVES):
        msg = f"job {job.id} is {job.state}: {by} cannot make it {to}"
        raise IllegalMoveError(msg)
    if details is not None:
        details = _tail(details, DETAILS_BYTES)
    seq = job.history[-1].seq + 1 if job.history else 1
    entry = HistoryEntry(seq=seq, state=to, at=now, by=who, details=details)
    return structs.replace(job, state=to, changed=now, details=details, history=_kept(job, entry))


def _kept(job: EncodingJob, entry: HistoryEntry) -> tuple[HistoryEntry, ...]:
    """The history with one entry more: the last ones, and older ones for as long as they have not been told."""
    history = (*job.history, entry)
    last = history[-HISTORY_ENTRIES:]
    if job.notify_url is None:
        return last
    untold = tuple(each for each in history[:-HISTORY_ENTRIES] if each.seq > job.told)
    return (*untold[-UNTOLD_ENTRIES:], *last)


def submitted(job: EncodingJob, *, by: str) -> EncodingJob:
    """A new job as it is first stored: PENDING, queued at once, with the first line of its history."""
    entry = HistoryEntry(seq=1, state=JobState.PENDING, at=job.created, by=by)
    return structs.replace(job, queued_at=job.created, history=(entry,))


def claimable(job: EncodingJob, now: Instant) -> bool:
    """Whether a worker may claim it: it waits, or the lease of whoever had it has ended."""
    return job.state in UNFINISHED and not lease_live(job, now) and not held_without_lease(job)


def _exhausted(job: EncodingJob, limits: AttemptLimits) -> bool:
    return job.state in IN_WORK and job.attempt - job.interruptions >= limits.max_attempts


def _released(job: EncodingJob, now: Instant) -> EncodingJob:
    """The job in nobody's hands any more, and what the attempt cost added to what it cost before."""
    return structs.replace(job, lease=None, cost_usd=job_cost(job, now))


def _given_up(job: EncodingJob, by: Mover, *, who: str, now: Instant) -> EncodingJob:
    failures = job.attempt - job.interruptions
    tried = counted(failures, "attempt")
    details = f"given up after {tried}: the worker of the last one ({job.node}) vanished in {job.state}"
    return _released(_changed(job, JobState.ERROR, by, who=who, now=now, details=details), now)


def claimed(job: EncodingJob, *, lease: Lease, now: Instant, limits: AttemptLimits) -> EncodingJob:
    """DOWNLOADING under a new lease, attempt + 1; or ERROR when its attempts are used up.

    Raises IllegalMoveError while somebody else's lease lives, or when the job is finished.
    """
    if not claimable(job, now):
        held = job.lease is not None and not job.finished
        holder = f"held by {job.lease.owner}" if job.lease and held else str(job.state)
        msg = f"job {job.id} cannot be claimed: it is {holder}"
        raise IllegalMoveError(msg)
    if _exhausted(job, limits):
        return _given_up(job, Mover.CLAIM, who=lease.owner, now=now)
    begun = _changed(job, JobState.DOWNLOADING, Mover.CLAIM, who=lease.owner, now=now, details=None)
    return structs.replace(_released(begun, now), lease=lease, attempt=job.attempt + 1, progress=None)


def taken(job: EncodingJob, *, lease: Lease, now: Instant, limits: AttemptLimits, respite: float) -> EncodingJob:
    """What a worker makes of a job whose message it received: `claimed`, but not from under a holder that may live.

    A lease that has ended says little when the clock has jumped, or the machine has slept: the holder is to renew it
    with its next heartbeat. So it is first given a last call, of `respite` seconds; that is no change of state. A
    holder that is alive renews its lease meanwhile, and the call is over. IllegalMoveError while it lasts.
    """
    held = job.lease
    if held is None or not claimable(job, now) or 0 < held.last_call <= now:
        return claimed(job, lease=lease, now=now, limits=limits)
    if held.last_call and not impossible(held.last_call, now):
        msg = f"job {job.id} cannot be claimed: its holder {held.owner} has a last call"
        raise IllegalMoveError(msg)
    return structs.replace(job, lease=structs.replace(held, last_call=now + micros(respite)))


def _held(job: EncodingJob, lease_id: str) -> Lease:
    if job.lease is None or job.lease.id != lease_id:
        msg = f"job {job.id} is {job.state} and no longer held under this lease"
        raise LeaseLostError(msg)
    return job.lease


def _prolonged(lease: Lease, until: Instant) -> Lease:
    return structs.replace(lease, until=until, last_call=0)


def renewed(job: EncodingJob, *, lease_id: str, until: Instant, progress: Progress | None) -> EncodingJob:
    """The heartbeat of a holder: its lease lasts longer, its progress is kept. Not a change of state."""
    lease = _held(job, lease_id)
    return structs.replace(job, lease=_prolonged(lease, until), progress=progress or job.progress)


def advanced(job: EncodingJob, *, lease_id: str, to: JobState, until: Instant, now: Instant) -> EncodingJob:
    """One step on (ENCODING, UPLOADING) by the holder, whose lease is renewed by it and whose progress begins anew."""
    lease = _held(job, lease_id)
    if to not in IN_WORK:
        msg = f"job {job.id} is not made {to} by a step on: that would leave it a lease"
        raise IllegalMoveError(msg)
    step = _changed(job, to, Mover.HOLDER, who=lease.owner, now=now, details=None)
    return structs.replace(step, lease=_prolonged(lease, until), progress=None)


def finished(
    job: EncodingJob, *, lease_id: str, now: Instant, media: Media, command: str | None, log: str | None
) -> EncodingJob:
    """FINISHED: the output is in its place."""
    lease = _held(job, lease_id)
    done = _changed(job, JobState.FINISHED, Mover.HOLDER, who=lease.owner, now=now, details=None)
    return structs.replace(
        _released(done, now),
        progress=Progress(fraction=1.0),
        media=media,
        command=command and storable(command),
        log=log and _tail(log, LOG_BYTES),
    )


def failed(
    job: EncodingJob, *, lease_id: str, now: Instant, details: str, command: str | None, log: str | None
) -> EncodingJob:
    """ERROR with the reason: encoding it again would fail again, so no attempt is left."""
    lease = _held(job, lease_id)
    stopped = _changed(job, JobState.ERROR, Mover.HOLDER, who=lease.owner, now=now, details=details)
    return structs.replace(
        _released(stopped, now),
        command=storable(command) if command else job.command,
        log=log and _tail(log, LOG_BYTES),
    )


def handed_back(job: EncodingJob, *, lease_id: str, now: Instant, limits: AttemptLimits, why: str) -> EncodingJob:
    """PENDING again, interruptions + 1, because the worker has to go; ERROR when that happened too often."""
    lease = _held(job, lease_id)
    interruptions = job.interruptions + 1
    if interruptions > limits.max_interruptions:
        details = f"given up after {counted(interruptions, 'interruption')}, the last one: {why}"
        stopped = _changed(job, JobState.ERROR, Mover.HOLDER, who=lease.owner, now=now, details=details)
        return structs.replace(_released(stopped, now), interruptions=interruptions)
    back = _changed(job, JobState.PENDING, Mover.HOLDER, who=lease.owner, now=now, details=why)
    return structs.replace(_released(back, now), interruptions=interruptions, progress=None, queued_at=now)


def stale(job: EncodingJob, *, now: Instant, after: AbandonAfter) -> bool:
    """Whether abandon should act on it: unfinished, no live lease, no sign of life for too long."""
    if job.finished or lease_live(job, now):
        return False
    allowed = after.pending if job.state is JobState.PENDING else after.in_work
    return job.last_sign + micros(allowed) < now


def abandoned(job: EncodingJob, *, now: Instant, after: AbandonAfter, limits: AttemptLimits) -> EncodingJob:
    """ABANDONED for its silence, or ERROR when its attempts are used up anyway; IllegalMoveError if it shows life."""
    if not stale(job, now=now, after=after):
        msg = f"job {job.id} is {job.state} and shows life: not abandoned"
        raise IllegalMoveError(msg)
    if _exhausted(job, limits):
        return _given_up(job, Mover.ABANDON, who="abandon", now=now)
    details = f"no sign of life for {age(seconds_between(job.last_sign, now))} in {job.state}"
    gone = _changed(job, JobState.ABANDONED, Mover.ABANDON, who="abandon", now=now, details=details)
    return _released(gone, now)


def cancelled(job: EncodingJob, *, now: Instant, by: str) -> EncodingJob:
    """ABANDONED because somebody said so; a worker that has it in hand finds its lease gone."""
    gone = _changed(job, JobState.ABANDONED, Mover.CANCEL, who=by, now=now, details=f"cancelled by {by}")
    return _released(gone, now)


def retried(job: EncodingJob, *, now: Instant, by: str) -> EncodingJob:
    """PENDING again from ERROR or ABANDONED, with all its attempts before it; what it has cost stays."""
    again = _changed(job, JobState.PENDING, Mover.RETRY, who=by, now=now, details=None)
    return structs.replace(
        again, lease=None, attempt=0, interruptions=0, progress=None, media=None, command=None, log=None, queued_at=now
    )


def requeued(job: EncodingJob, *, now: Instant) -> EncodingJob:
    """A new message is about to be sent for it; not a change of state. IllegalMoveError unless it can be claimed."""
    if not claimable(job, now):
        msg = f"job {job.id} is {job.state}: it needs no message"
        raise IllegalMoveError(msg)
    return structs.replace(job, queued_at=now)


def told(job: EncodingJob, *, seq: int) -> EncodingJob:
    """Everything up to history entry `seq` has been delivered to `notify_url`; never moves back."""
    waiting = job.delivery if job.delivery is not None and job.delivery.seq > seq else None
    return structs.replace(job, told=max(job.told, seq), delivery=waiting)


def untaken(
    job: EncodingJob, *, seq: int, error: str, now: Instant, attempts: int = MOST_ATTEMPTS, gone: bool = False
) -> EncodingJob:
    """`notify_url` did not take history entry `seq`: it is tried again later, or given up after so many `attempts`.

    Given up at once too if it is `gone` for good. Nothing changes if somebody has told it since, or given it up.
    """
    if job.told >= seq or job.undelivered:
        return job
    before = job.delivery.failures if job.delivery is not None and job.delivery.seq == seq else 0
    failures = before + 1
    if gone or failures >= attempts:
        return structs.replace(job, delivery=Delivery(seq=seq, failures=failures, error=error, dead=True, gone=gone))
    delivery = Delivery(seq=seq, failures=failures, next=next_attempt(failures, now), error=error)
    return structs.replace(job, delivery=delivery)


def revived(job: EncodingJob) -> EncodingJob:
    """Its listener is told again, from what it did not take on; nothing changes if it was not given up."""
    return structs.replace(job, delivery=None) if job.undelivered else job
