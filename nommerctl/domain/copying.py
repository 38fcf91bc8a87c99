"""Copying the jobs of one store into another: what becomes of each, and whether both hold the same in the end."""

import hashlib
from collections.abc import Mapping
from enum import Enum, auto
from typing import TypeAlias

import msgspec
from msgspec import Struct, structs

from nommerctl.domain.costs import job_cost
from nommerctl.domain.credentials import has_credentials
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.outcome import Outcome
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant
from nommerctl.errors import IllegalMoveError

_to_json = msgspec.json.Encoder()

_Story: TypeAlias = Mapping[int, tuple[JobState, Instant, str]]
"""A history without its details, which a store may cut: by `seq`."""


class Fate(Enum):
    """What becomes of a job of the source."""

    NEW = auto()
    """The destination does not have it: it is copied."""
    BEHIND = auto()
    """It went on in the source since it was copied: the destination takes it over."""
    SAME = auto()
    """Both have the same: left."""
    AHEAD = auto()
    """It went on in the destination since it was copied: left."""
    CONFLICT = auto()
    """It went on in both, or they are two jobs of one id: left, and reported."""


class Side(Struct, frozen=True):
    """How many jobs a store has of those that are compared, and the digest of them."""

    jobs: int
    sha256: str


class Copied(Struct, frozen=True, kw_only=True):
    """What came of a copy: `source` and `destination` are names of backends, `sides` those of both once compared.

    The facts of the outcome count the jobs by what became of them.
    """

    source: str
    destination: str
    outcome: Outcome
    sides: tuple[Side, Side] | None = None

    @property
    def agrees(self) -> bool:
        """Whether both were compared, and hold the same."""
        return self.sides is not None and self.sides[0] == self.sides[1]


def detached(job: EncodingJob) -> EncodingJob:
    """The job without what belongs to its place: in nobody's hands, and its attempt paid for as long as that lasted."""
    if job.lease is None:
        return job
    return structs.replace(job, lease=None, cost_usd=job_cost(job, job.lease.until))


def has_keys(job: EncodingJob) -> bool:
    """Whether its source or destination has keys or a password in it, as media-nommer's S3 URIs may: not copied."""
    return has_credentials(job.source) or has_credentials(job.dest)


def fate_of(job: EncodingJob, there: EncodingJob | None) -> Fate:
    """Return what becomes of a job of the source, by what the destination has of it.

    The longer history decides, if it only goes on from where the shorter one ends. Where both are the same, a pass may
    have told a listener, or sent a message, since: whoever did so last is ahead.
    """
    if there is None:
        return Fate.NEW
    if _content(job) == _content(there):
        return Fate.SAME
    mine, theirs = _story(job), _story(there)
    if job.created != there.created or not _agree(mine, theirs):
        return Fate.CONFLICT
    here, beyond = (_end(mine), job.told, job.queued_at), (_end(theirs), there.told, there.queued_at)
    return Fate.AHEAD if beyond > here else Fate.BEHIND


def taken_over(there: EncodingJob, *, job: EncodingJob) -> EncodingJob:
    """The move by which the destination's record becomes the source's; IllegalMoveError if it went on meanwhile.

    What its listener was told by either is not told again.
    """
    fate = fate_of(job, there)
    if fate is Fate.SAME:
        return there
    if fate is not Fate.BEHIND:
        msg = f"job {job.id} has changed meanwhile: it is not taken over"
        raise IllegalMoveError(msg)
    return structs.replace(detached(job), told=max(job.told, there.told))


def _content(job: EncodingJob) -> EncodingJob:
    return structs.replace(detached(job), version=0)


def _story(job: EncodingJob) -> _Story:
    return {entry.seq: (entry.state, entry.at, entry.by) for entry in job.history}


def _end(story: _Story) -> int:
    return max(story, default=0)


def _agree(mine: _Story, theirs: _Story) -> bool:
    """Whether one goes on from where the other ends. A history holds the last entries only: they have to meet."""
    common = mine.keys() & theirs.keys()
    if any(mine[seq] != theirs[seq] for seq in common):
        return False
    return not (mine and theirs) or min(_end(mine), _end(theirs)) in common


class Sums:
    """The digest of what two stores have of the same jobs, by 64 bytes a job: never are all jobs in memory."""

    def __init__(self) -> None:
        self._sums: dict[JobId, tuple[bytes, bytes]] = {}

    def add(self, job: EncodingJob, there: EncodingJob | None) -> None:
        """Note a job of the source, and what the destination has of it; a job that comes again counts as it is then."""
        self._sums[job.id] = _sum(job), b"" if there is None else _sum(there)

    def differing(self) -> list[JobId]:
        """Return the jobs that are not the same in both, by id."""
        return sorted(job_id for job_id, (mine, theirs) in self._sums.items() if mine != theirs)

    def sides(self) -> tuple[Side, Side]:
        """Return what each store has: SHA-256 over the SHA-256 of every record as JSON, in the order of the ids."""
        digests = hashlib.sha256(), hashlib.sha256()
        jobs = [0, 0]
        for job_id in sorted(self._sums):
            for side, each in enumerate(self._sums[job_id]):
                digests[side].update(each)
                jobs[side] += bool(each)
        return Side(jobs[0], digests[0].hexdigest()), Side(jobs[1], digests[1].hexdigest())


def _sum(job: EncodingJob) -> bytes:
    """Of all fields, defaults too: whether a record leaves these out depends on how it came about."""
    return hashlib.sha256(_to_json.encode(structs.asdict(_content(job)))).digest()
