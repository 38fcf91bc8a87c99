"""Whatever workers, passes and users do to a job, in any order and at any time, these things hold."""

from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from nommerctl.domain import moves
from nommerctl.domain.costs import job_cost
from nommerctl.domain.job import EncodingJob, Lease, Media, Progress
from nommerctl.domain.limits import AbandonAfter, AttemptLimits
from nommerctl.domain.moves import LEGAL_MOVES, Mover
from nommerctl.domain.states import IN_WORK, JobState
from nommerctl.domain.times import micros, seconds_between
from nommerctl.errors import IllegalMoveError, LeaseLostError
from tests.builders import make_job
from tests.fakes.clock import FakeClock

LIMITS = AttemptLimits(max_attempts=2, max_interruptions=1)
SILENCE = AbandonAfter(in_work=100, pending=300)
LEASE_SECONDS = 90
DOLLAR_A_SECOND = 3600.0

NEVER_CHANGED = ("id", "source", "dest", "created", "options", "nommer", "preset", "notify_url", "client_id", "version")
"""Fields that no move may touch; `version` belongs to the store."""

snippets = st.text(st.characters(exclude_categories=()), max_size=9)
texts = st.builds(str.__mul__, snippets, st.sampled_from([1, 600, 2000]))
progresses = st.none() | st.builds(Progress, fraction=st.floats(0, 1))


class JobLife(RuleBasedStateMachine):
    """One job, and everybody who may lay hands on it; workers come back with leases they lost long ago."""

    lease_ids = Bundle("lease_ids")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.leases_given = 0
        self.job = moves.submitted(
            make_job(created=self.clock(), changed=self.clock(), notify_url="https://listener.example/"), by="submit"
        )

    # --- what happens

    @initialize(lives=st.sampled_from([0, 24]))
    def come_of_age(self, lives: int) -> None:
        """Some jobs have a history already, almost as long as is kept."""
        for _ in range(lives):
            self.cancel()
            self.retry()

    @rule(seconds=st.sampled_from([1.0, 45.0, 89.0, 91.0, 150.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(target=lease_ids)
    def claim(self) -> str:
        self.leases_given += 1
        lease = Lease(
            id=f"lease-{self.leases_given}",
            owner=f"node-{self.leases_given}",
            until=self.lease_end(),
            since=self.clock(),
            usd_per_hour=DOLLAR_A_SECOND,
        )
        before = self.job
        if before.finished or (before.lease and before.lease.until > self.clock()):
            self.refused(lambda job: moves.claimed(job, lease=lease, now=self.clock(), limits=LIMITS))
            return lease.id
        self.move(Mover.CLAIM, lambda job: moves.claimed(job, lease=lease, now=self.clock(), limits=LIMITS))
        if self.job.state is JobState.DOWNLOADING:
            assert (self.job.lease, self.job.attempt) == (lease, before.attempt + 1)
        else:
            assert before.attempt - before.interruptions == LIMITS.max_attempts
        return lease.id

    @rule(lease_id=lease_ids, progress=progresses)
    def heartbeat(self, lease_id: str, progress: Progress | None) -> None:
        until = self.lease_end()
        self.held(lease_id, lambda job: moves.renewed(job, lease_id=lease_id, until=until, progress=progress))

    @rule(lease_id=lease_ids, to=st.sampled_from(JobState))
    def step_on(self, lease_id: str, to: JobState) -> None:
        until = self.lease_end()
        self.held(lease_id, lambda job: moves.advanced(job, lease_id=lease_id, to=to, until=until, now=self.clock()))

    @rule(log=texts)
    def work_goes_on(self, log: str) -> None:
        """Whoever holds the job does what comes next."""
        if self.job.lease is None:
            return
        follows = {JobState.DOWNLOADING: JobState.ENCODING, JobState.ENCODING: JobState.UPLOADING}
        if self.job.state in follows:
            self.step_on(self.job.lease.id, follows[self.job.state])
        else:
            self.finish(self.job.lease.id, log)
            assert self.job.state is JobState.FINISHED

    @rule(lease_id=lease_ids, log=texts)
    def finish(self, lease_id: str, log: str) -> None:
        media, now = Media(seconds=1.0), self.clock()
        self.held(
            lease_id,
            lambda job: moves.finished(job, lease_id=lease_id, now=now, media=media, command="ffmpeg", log=log),
        )

    @rule(lease_id=lease_ids, details=texts, log=st.none() | texts)
    def fail(self, lease_id: str, details: str, log: str | None) -> None:
        now = self.clock()
        self.held(
            lease_id,
            lambda job: moves.failed(job, lease_id=lease_id, now=now, details=details, command=None, log=log),
        )

    @rule(lease_id=lease_ids, why=texts)
    def hand_back(self, lease_id: str, why: str) -> None:
        now = self.clock()
        self.held(lease_id, lambda job: moves.handed_back(job, lease_id=lease_id, now=now, limits=LIMITS, why=why))

    @rule()
    def abandon(self) -> None:
        if self.job.lease and self.job.lease.until > self.clock():
            self.refused(lambda job: moves.abandoned(job, now=self.clock(), after=SILENCE, limits=LIMITS))
        else:
            self.move(Mover.ABANDON, lambda job: moves.abandoned(job, now=self.clock(), after=SILENCE, limits=LIMITS))

    @rule()
    def cancel(self) -> None:
        self.move(Mover.CANCEL, lambda job: moves.cancelled(job, now=self.clock(), by="operator"))

    @rule()
    def retry(self) -> None:
        self.move(Mover.RETRY, lambda job: moves.retried(job, now=self.clock(), by="operator"))

    @rule()
    def requeue(self) -> None:
        self.move(None, lambda job: moves.requeued(job, now=self.clock()))

    @rule(back=st.integers(0, 3))
    def tell(self, back: int) -> None:
        seq = self.job.history[-1].seq - back
        self.move(None, lambda job: moves.told(job, seq=seq))

    # --- what must hold of each of them

    def lease_end(self) -> int:
        return self.clock() + micros(LEASE_SECONDS)

    def refused(self, move: Callable[[EncodingJob], EncodingJob]) -> None:
        with pytest.raises(IllegalMoveError):
            move(self.job)

    def held(self, lease_id: str, move: Callable[[EncodingJob], EncodingJob]) -> None:
        """A move of a holder: refused if the job is not, or no longer, held under this lease."""
        if self.job.lease is None or self.job.lease.id != lease_id:
            with pytest.raises(LeaseLostError):
                move(self.job)
        else:
            self.move(Mover.HOLDER, move)

    def move(self, by: Mover | None, move: Callable[[EncodingJob], EncodingJob]) -> None:
        """A move that may be legal or not; if it is, it changes what it may, and is written down."""
        before = self.job
        try:
            after = move(before)
        except IllegalMoveError:
            return
        assert [getattr(after, name) for name in NEVER_CHANGED] == [getattr(before, name) for name in NEVER_CHANGED]
        assert after.told >= before.told
        assert after.cost_usd >= before.cost_usd
        if after.history == before.history:
            assert (after.state, after.changed) == (before.state, before.changed)
        else:
            entry = after.history[-1]
            assert (entry.seq, entry.state, entry.at) == (before.history[-1].seq + 1, after.state, self.clock())
            assert (after.changed, after.details) == (entry.at, entry.details)
            assert any(before.state in legal.origins and legal[1:] == (after.state, by) for legal in LEGAL_MOVES)
        if before.finished and after.state is not before.state:
            assert by is Mover.RETRY
        self.job = after

    # --- what must hold at any time

    @invariant()
    def only_a_job_in_work_has_a_lease(self) -> None:
        assert (self.job.lease is not None) is (self.job.state in IN_WORK)

    @invariant()
    def attempts_and_interruptions_keep_their_limits(self) -> None:
        job = self.job
        assert 0 <= job.attempt - job.interruptions <= LIMITS.max_attempts
        assert job.interruptions <= LIMITS.max_interruptions + (job.state is JobState.ERROR)

    @invariant()
    def it_costs_no_more_than_one_slot_since_it_was_submitted(self) -> None:
        assert job_cost(self.job, self.clock()) <= seconds_between(self.job.created, self.clock())

    @invariant()
    def the_history_is_short_and_in_order(self) -> None:
        assert 1 <= len(self.job.history) <= 200
        for earlier, later in pairwise(self.job.history):
            assert later.seq == earlier.seq + 1
            assert any(earlier.state in move.origins and move.to is later.state for move in LEGAL_MOVES)

    @invariant()
    def texts_are_short_and_storable(self) -> None:
        for text in (self.job.details, self.job.log):
            assert text is None or len(text.encode()) <= 4096
        stored = msgspec.json.encode(self.job)
        assert msgspec.json.decode(stored, type=EncodingJob) == self.job


TestJobLife = JobLife.TestCase
TestJobLife.settings = settings(max_examples=100, stateful_step_count=80, deadline=None, database=None)
