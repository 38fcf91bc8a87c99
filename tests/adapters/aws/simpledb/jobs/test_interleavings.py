"""Old workers and ours at one job in any order, with deaths and writes in between, against what ought to come of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest
from botocore.retries.standard import ExponentialBackoff
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nommerctl.adapters.aws.clients import Clients
from nommerctl.domain.job import held_without_lease
from nommerctl.domain.moves import cancelled, retried, told
from nommerctl.domain.states import FINISHED_STATES, JobState
from nommerctl.errors import IllegalMoveError, UnreachableError
from nommerctl.ports import Move
from tests.adapters.aws.simpledb.jobs.deployment import URL, Deployment, course
from tests.fakes.clock import FakeClock
from tests.simpledb.server import Cut, SimpleDB
from tests.simpledb_jobs import OURS, simpledb_farm

OLD_STATES = ("DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED", "ERROR")
NEVER_MIND = ("nothing", "old write before", "old write between", "dies between", "answer lost")
"""What comes in between while we make a move."""


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""A failure is not made smaller: with a server behind each step that takes minutes."""


class Interleavings(RuleBasedStateMachine):
    """One job. `course` are the changes that are settled, `unkept` is one that only the item shows."""

    server: SimpleDB
    clients: Clients

    @initialize()
    def begin(self) -> None:
        simpledb_farm(self.server)
        self.clients.sdb.create_domain(DomainName=OURS)
        self.deployment = Deployment(self.server, self.clients, FakeClock(), zone="America/New_York")
        self.store = self.deployment.store()
        self.job = self.deployment.produce(notify_url=URL)
        self.course: list[str] = []
        self.unkept: str | None = "PENDING"
        self.state = "PENDING"
        self.version = 0
        self.leases = 0
        self.raced = self.half_done = False

    # --- old programs

    @rule(state=st.sampled_from(OLD_STATES))
    def old_write(self, state: str) -> None:
        self.deployment.clock.advance(1)
        self.deployment.write(self.job, state)
        self.state = self.unkept = state
        self.half_done = False

    # --- ours

    @rule()
    def refresh(self) -> None:
        """The changes that are seen now are kept, whatever comes."""
        self.deployment.refreshed(self.job)
        self.half_done = False
        self._settle()

    @rule(amid=st.sampled_from(NEVER_MIND), old=st.sampled_from(OLD_STATES))
    def claim(self, amid: str, old: str) -> None:
        self.leases += 1
        self._make(lambda: self.deployment.claim(f"lease-{self.leases}", seconds=2), amid, old)

    @rule(amid=st.sampled_from(NEVER_MIND), old=st.sampled_from(OLD_STATES), to=st.sampled_from(["on", "end"]))
    def work(self, amid: str, old: str, to: str) -> None:
        name = f"lease-{self.leases}"
        steps = {"DOWNLOADING": JobState.ENCODING, "ENCODING": JobState.UPLOADING}
        step = steps.get(self.state, JobState.ENCODING)
        finish = to == "end" and self.state == "UPLOADING"
        self._make(lambda: self.deployment.finish(name) if finish else self.deployment.advance(step, name), amid, old)

    @rule(amid=st.sampled_from(NEVER_MIND), old=st.sampled_from(OLD_STATES))
    def abandon(self, amid: str, old: str) -> None:
        self._make(self.deployment.abandon, amid, old)

    @rule(amid=st.sampled_from(NEVER_MIND), old=st.sampled_from(OLD_STATES), again=st.booleans())
    def by_hand(self, amid: str, old: str, *, again: bool) -> None:
        def move() -> Move:
            return partial(retried if again else cancelled, now=self.deployment.clock.advance(1), by="ops")

        self._make(move, amid, old)

    @precondition(lambda self: self.course)
    @rule()
    def tell(self) -> None:
        """What changes no state makes no change of it; what was seen by then is settled by it."""
        job = self.store.get([self.job])[self.job]
        if job.untold:
            self.store.transition(job, partial(told, seq=job.untold[0].seq))
            self.half_done = False
            self._settle()

    # --- what has to hold

    @invariant()
    def others_read_what_ought_to_stand(self) -> None:
        job = self.deployment.job(self.job)
        expected = [*self.course, *([] if self.unkept is None else [self.unkept])]
        assert (job.state.value, course(job)) == (self.state, expected)
        assert self.version <= job.version
        self.version = job.version
        at = [entry.at for entry in job.history]
        assert self.raced or at == sorted(at), "a move that is made again still has its time"
        assert job.finished is (job.state in FINISHED_STATES)
        assert (self.unkept is None) or held_without_lease(job) is (self.state in OLD_STATES[:3])
        assert job.told <= job.history[-1].seq

    @invariant()
    def old_code_reads_the_item(self) -> None:
        self.deployment.old.load(self.job)

    # --- a move of ours, and what comes in between

    def _make(self, prepare: Callable[[], Move], amid: str, old: str) -> None:
        move = prepare()
        stood = self.store.get([self.job])[self.job]
        legal = self._outcome(move)
        came: list[str] = []

        def old_write() -> None:
            self.deployment.clock.advance(1)
            self.deployment.write(self.job, old)
            came.append(old)

        with self._amid("nothing" if self.half_done else amid, old_write), suppress(IllegalMoveError, UnreachableError):
            self.store.transition(stood, move)
        self.raced |= bool(came)
        self.half_done = legal is not None and amid == "dies between" and not self.half_done
        if legal is None:
            assert came == []
            return
        self._settle()
        self.course.append(legal)
        self.state = legal
        if came:
            self.state = self.unkept = old
            after = self._outcome_over(move)
            if after is not None:
                self._settle()
                self.course.append(after)
                self.state = after

    @contextmanager
    def _amid(self, amid: str, old_write: Callable[[], None]) -> Iterator[None]:
        deployment = self.deployment
        match amid:
            case "old write before":
                deployment.before_write(1, old_write)
            case "old write between":
                deployment.before_write(2, old_write)
            case "dies between":
                deployment.cut_write(2, Cut.BEFORE)
            case "answer lost":
                deployment.cut_write(1, Cut.AFTER, 1)
            case _:
                pass
        yield
        self.server.heal()

    def _outcome(self, move: Move) -> str | None:
        """The state that a move makes of the job as it is read, None if it is not legal."""
        try:
            return move(self.deployment.job(self.job)).state.value
        except IllegalMoveError:
            return None

    def _outcome_over(self, move: Move) -> str | None:
        """What it has made of what an old worker wrote meanwhile: nothing of what is finished, or in its hands."""
        stands = self.deployment.state(self.job)
        if stands == self.state:
            return None
        made = {JobState.ABANDONED.value, JobState.PENDING.value, JobState.DOWNLOADING.value}
        assert self.state != "FINISHED", "what an old worker has finished is never written over"
        assert stands in made, (move, stands)
        return stands

    def _settle(self) -> None:
        if self.unkept is not None:
            self.course.append(self.unkept)
            self.unkept = None


@pytest.mark.parametrize("examples", [15, pytest.param(100, marks=pytest.mark.slow)])
def test_old_workers_and_ours_at_one_job_in_any_order(
    sdb_server: SimpleDB, clients: Clients, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    Interleavings.server, Interleavings.clients = sdb_server, clients
    profile = settings(max_examples=examples, stateful_step_count=15, deadline=None, phases=PHASES)
    run_state_machine_as_test(Interleavings, settings=profile)
