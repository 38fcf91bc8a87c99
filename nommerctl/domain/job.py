"""The encoding job: its record. How it may change stands in moves.py.

None of the records here can be part of a cycle, so none is given to Python's collector (`gc=False`): with 100,000 of
them in memory it would look at all of them again and again.
"""

import re
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from nommerctl.domain.states import FINISHED_STATES, IN_WORK, JobState
from nommerctl.domain.times import Instant, impossible, micros

JobId: TypeAlias = str
"""Fifty lower-case hexadecimal characters."""

Price: TypeAlias = Annotated[float, Meta(ge=0, lt=1e6)]
"""US dollars per hour."""

Dollars: TypeAlias = Annotated[float, Meta(ge=0)]
"""US dollars."""

SHORT_ID = 12
"""Characters of an id that tell it from all others of a farm, in practice."""

PATIENCE_WITH_SPOT = 2
"""After so many interruptions a job is to run where nothing is taken back."""

ON_DEMAND_WITHIN = 600.0
"""Seconds that a job is left to a node which is not taken back: as long as one may take to boot (scale.boot_limit)."""

_JOB_ID = re.compile(r"[0-9a-f]{50}")


class Lease(Struct, frozen=True, omit_defaults=True, gc=False):
    """A worker's right to a job: `id` is random, `owner` is a node's id, `until` an instant.

    `seconds` is how long it lasts from each renewal, 0 if that is not known. `last_call` is until when its holder may
    still renew it after it has ended, before another worker takes the job over; 0 while nobody wants to. `since` is the
    instant of the claim, 0 if that is not known, and `usd_per_hour` what the slot costs that the job takes up, 0 if
    that is not known.

    One without an `id` stands for a worker that takes no leases, media-nommer's: `until` is when it last said anything.
    """

    id: str
    owner: str
    until: Instant
    seconds: float = 0.0
    last_call: Instant = 0
    since: Instant = 0
    usd_per_hour: Price = 0.0


class Progress(Struct, frozen=True, gc=False):
    """How far an encode is. `fraction` is 0 to 1, `speed` in multiples of real time, `eta_s` seconds still to go."""

    fraction: float
    fps: float | None = None
    speed: float | None = None
    eta_s: float | None = None


class Media(Struct, frozen=True, gc=False):
    """What was measured of the verified output: its duration in seconds, its picture in pixels (None for sound)."""

    seconds: float
    width: int | None = None
    height: int | None = None


class HistoryEntry(Struct, frozen=True, gc=False):
    """One change of state: `seq` counts from 1 over the whole life of the job, `by` says who did it."""

    seq: int
    state: JobState
    at: Instant
    by: str
    details: str | None = None


class EncodePass(Struct, frozen=True, gc=False):
    """One run of ffmpeg in media-nommer's form: option lists of [name, value], value null for a bare flag."""

    outfile_options: tuple[tuple[str, str | int | float | None], ...] = ()
    infile_options: tuple[tuple[str, str | int | float | None], ...] = ()
    move_atom_to_front: bool = False


class Delivery(Struct, frozen=True, omit_defaults=True, gc=False):
    """How telling `notify_url` stands when it did not take something: history entry `seq`, and so nothing after it.

    `failures` counts the attempts in a row that failed, `next` is the instant of the next one and `error` says in one
    phrase how the last one failed. When it is `dead`, nobody is told of the job any more until somebody revives it.
    When it is `gone` too, its listener answered that it is for good: nobody is told at that URL of any job until then.
    """

    seq: int
    failures: int
    next: Instant = 0
    error: str = ""
    dead: bool = False
    gone: bool = False


class EncodingJob(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The record of a job, the same in every store.

    `version` is raised by every write and is the condition of the next. `changed` is the instant of the last change
    of state; `told` is the `seq` of the last history entry that `notify_url` was told of, `delivery` how it failed to
    take the next one, None if it did not. `options` holds the passes that ffmpeg makes, resolved from `preset` at
    submit, so that a changed preset does not change a job that waits. `cost_usd` is what the attempts cost that have
    ended, in US dollars. `fault` is what is wrong with the record as others wrote it, None where nothing is: such a job
    cannot be encoded.
    """

    id: JobId
    source: str
    dest: str
    created: Instant
    changed: Instant
    options: tuple[EncodePass, ...]
    nommer: str = "ffmpeg"
    preset: str | None = None
    state: JobState = JobState.PENDING
    details: str | None = None
    notify_url: str | None = None
    client_id: str | None = None
    queued_at: Instant = 0
    attempt: int = 0
    interruptions: int = 0
    lease: Lease | None = None
    progress: Progress | None = None
    media: Media | None = None
    command: str | None = None
    log: str | None = None
    history: tuple[HistoryEntry, ...] = ()
    told: int = 0
    delivery: Delivery | None = None
    cost_usd: Dollars = 0.0
    fault: str | None = None
    version: int = 0

    @property
    def finished(self) -> bool:
        """Whether the job is in one of FINISHED_STATES."""
        return self.state in FINISHED_STATES

    @property
    def untold(self) -> tuple[HistoryEntry, ...]:
        """The history entries that `notify_url` still has to be told of, oldest first; none if it was given up."""
        return () if self.undelivered else self.untaken

    @property
    def untaken(self) -> tuple[HistoryEntry, ...]:
        """The history entries that `notify_url` has not taken, whether or not it is still told; none without a URL."""
        if self.notify_url is None:
            return ()
        return tuple(entry for entry in self.history if entry.seq > self.told)

    @property
    def undelivered(self) -> bool:
        """Whether its listener was given up: some of its history has not been told, and is not going to be."""
        return self.delivery is not None and self.delivery.dead

    @property
    def open(self) -> bool:
        """Whether a pass still has something to do for it: unfinished, or finished with changes not yet told."""
        return not self.finished or bool(self.untold)

    @property
    def last_sign(self) -> Instant:
        """The last proof that somebody cared: a change of state, or the end of the lease that a heartbeat renewed."""
        return max(self.changed, self.lease.until) if self.lease else self.changed

    @property
    def node(self) -> str | None:
        """The node that holds the job or held it last, None if no worker ever did."""
        if self.lease:
            return self.lease.owner
        in_work = [entry.by for entry in self.history if entry.state in IN_WORK]
        return in_work[-1] if in_work else None


def short_id(job_id: JobId) -> str:
    """Return as much of an id as a person needs to name the job."""
    return job_id[:SHORT_ID]


def is_job_id(text: str) -> bool:
    """Whether a text, such as the body of a message, has the form of a job id."""
    return _JOB_ID.fullmatch(text) is not None


def lease_live(job: EncodingJob, now: Instant) -> bool:
    """Whether a worker holds the job at this instant: not if its lease was renewed at one that is still to come."""
    lease = job.lease
    if lease is None or lease.until <= now:
        return False
    return lease.seconds == 0 or not impossible(lease.until - micros(lease.seconds), now)


def held_without_lease(job: EncodingJob) -> bool:
    """Whether somebody who takes no leases has it in hand: nobody else may take it, until abandon gives it up."""
    return not job.finished and job.lease is not None and not job.lease.id


def wants_on_demand(job: EncodingJob) -> bool:
    """Whether a job was interrupted so often that it asks for a node that is not taken back."""
    return not job.finished and job.interruptions >= PATIENCE_WITH_SPOT


def waits_for_on_demand(job: EncodingJob, now: Instant) -> bool:
    """Whether a spot node is to leave such a job to others: for a while only, since there may be no others."""
    if not wants_on_demand(job) or impossible(job.last_sign, now):
        return False
    return job.last_sign + micros(ON_DEMAND_WITHIN) > now
