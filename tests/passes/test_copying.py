"""Copying the jobs of one store into another, in memory: all of them, again at any time, and nothing overwritten."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest
from msgspec import structs

from nommerctl.domain.copying import Copied
from nommerctl.domain.fleet import Heartbeat, Launch
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.moves import cancelled, retried
from nommerctl.domain.outcome import Change
from nommerctl.domain.states import JobState
from nommerctl.errors import ExitCode, TerminatedPassError, UsageError
from nommerctl.passes.copying import KEYS, CopyReads, CopyWrites, Route, copy_jobs
from nommerctl.passes.performing import DoerOf, RehearsalOf
from tests.builders import job_id, make_job
from tests.fakes.job_store import FakeJobStore
from tests.fakes.queue import FakeQueue
from tests.passes.farm import FakeFarm, nothing

ROUTE = Route("simpledb", "aws")


class NarrowStore(FakeJobStore):
    """A store that has no room for a job with a long source."""

    def submit(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        for job in jobs:
            if len(job.source) > 100:
                msg = f"the record of job {job.id} is too large"
                raise UsageError(msg)
        return super().submit(jobs)


class Killed(BaseException):
    """Nothing catches it."""


@dataclass
class Move:
    """A farm to leave, and where its jobs go."""

    old: FakeFarm = field(default_factory=FakeFarm)

    def __post_init__(self) -> None:
        self.new = FakeFarm(clock=self.old.clock)
        self.new.store = NarrowStore()
        self.progress: list[tuple[str, int]] = []

    def copy(self, *, dry_run: bool = False, writes: CopyWrites | None = None) -> Copied:
        reads = CopyReads(
            source=self.old.store,
            ledger=self.old.ledger,
            destination=self.new.store,
            new_jobs=self.new.new_jobs,
        )
        doing = RehearsalOf[CopyWrites](heed=nothing) if dry_run else DoerOf(writes or self.writes, heed=nothing)
        return copy_jobs(
            reads, doing, ROUTE, silent_after=180, now=self.old.clock(), moved=lambda *far: self.progress.append(far)
        )

    @property
    def writes(self) -> CopyWrites:
        return CopyWrites(self.new.store, self.new.new_jobs, self.new.changes, nullcontext)

    def cancel_in(self, farm: FakeFarm, number: int, by: str = "somebody") -> EncodingJob:
        return farm.store.transition(job_id(number), lambda job: cancelled(job, now=farm.clock(), by=by))

    def same(self) -> bool:
        """Whether both hold the same but for versions and leases."""
        stores = [
            {key: structs.replace(job, version=0, lease=None) for key, job in farm.store.jobs.items()}
            for farm in (self.old, self.new)
        ]
        return stores[0] == stores[1]


@pytest.fixture
def move() -> Move:
    return Move()


def queued(queue: FakeQueue) -> list[str]:
    return [message.body for message in queue.receive(10_000, 0)]


def test_every_job_is_copied_whole_and_what_waits_is_queued_there(move: Move) -> None:
    # given jobs that wait, that are in work, and that are finished with all that they tell of themselves
    jobs = move.old.submit(*range(250), notify_url="https://listener.example/")
    move.old.work_off(jobs[0])
    move.old.claim(jobs[1])
    move.cancel_in(move.old, 2)

    copied = move.copy()

    assert copied.agrees
    assert copied.outcome.code() is ExitCode.DONE
    assert copied.outcome.facts == {"new": 250, "behind": 0, "same": 0, "ahead": 0, "requeued": 0}
    assert move.same()
    assert move.new.store.jobs[jobs[1].id].lease is None
    assert sorted(queued(move.new.new_jobs)) == sorted(job.id for job in jobs if job.id not in {job_id(0), job_id(2)})
    assert len(queued(move.new.changes)) == 250  # the finished ones have a listener to be told
    assert move.progress == [(what, done) for what in ("copying", "comparing") for done in (100, 200, 250)]


def test_a_job_with_keys_in_it_is_not_copied_and_it_is_said_what_to_do(move: Move) -> None:
    job, other, good = move.old.submit(1, 2, 3)
    keys = "s3://AKIAKEY:hunter2@films/clip"
    move.old.store.jobs[job.id] = structs.replace(job, source=keys)
    move.old.store.jobs[other.id] = structs.replace(other, dest=keys)

    for dry_run in (True, False):
        copied = move.copy(dry_run=dry_run)

        assert copied.outcome.code() is ExitCode.ITEMS_FAILED
        assert [failed.target for failed in copied.outcome.failed] == [job.id, other.id]
        assert {failed.message for failed in copied.outcome.failed} == {KEYS}
    assert move.new.store.jobs.keys() == {good.id}
    assert sorted(queued(move.new.new_jobs)) == [good.id]


def test_the_copy_is_newer_than_what_a_cache_holds(move: Move) -> None:
    (job,) = move.old.submit(1)
    move.old.claim(job)
    move.copy()
    assert move.new.store.jobs[job.id].version > move.old.store.jobs[job.id].version
    move.old.finish(job)
    move.copy()
    assert move.new.store.jobs[job.id].version > move.old.store.jobs[job.id].version


def test_the_job_that_was_in_work_is_worked_off_in_the_new_place(move: Move) -> None:
    (job,) = move.old.submit(1)
    move.old.claim(job)
    move.copy()
    move.new.work_off(job)
    assert move.new.store.jobs[job.id].state is JobState.FINISHED


def test_again_it_writes_nothing(move: Move) -> None:
    move.old.submit(1, 2)
    first = move.copy()
    before = dict(move.new.store.jobs)
    again = move.copy()
    assert again.outcome.changed == ()
    assert (again.sides, again.outcome.facts["same"]) == (first.sides, 2)
    assert move.new.store.jobs == before
    assert len(queued(move.new.new_jobs)) == 2


def test_a_dry_run_says_what_would_be_copied_and_writes_nothing(move: Move) -> None:
    move.old.submit(1)
    copied = move.copy(dry_run=True)
    assert copied.outcome.changed == (Change("copy", job_id(1), "aws does not have it"),)
    assert (copied.sides, copied.outcome.dry_run) == (None, True)
    assert move.new.store.jobs == {}
    assert queued(move.new.new_jobs) == []


def test_what_went_on_in_the_source_is_taken_over(move: Move) -> None:
    # given a job that was cancelled after it was copied, and one that was retried
    move.old.submit(1, 2)
    move.cancel_in(move.old, 2)
    move.copy()
    move.cancel_in(move.old, 1)
    move.old.store.transition(job_id(2), lambda job: retried(job, now=move.old.clock(), by="somebody"))

    copied = move.copy()

    assert {(change.action, change.target) for change in copied.outcome.changed} == {
        ("update", job_id(1)),
        ("update", job_id(2)),
    }
    assert copied.agrees
    assert move.same()
    assert job_id(2) in queued(move.new.new_jobs)


def test_what_went_on_in_the_destination_is_left_alone(move: Move) -> None:
    move.old.submit(1, 2)
    move.copy()
    gone_on = move.cancel_in(move.new, 1)

    copied = move.copy()

    assert move.new.store.jobs[job_id(1)] == gone_on
    assert copied.agrees
    assert copied.sides is not None
    assert [side.jobs for side in copied.sides] == [1, 1]
    assert (copied.outcome.facts["ahead"], copied.outcome.code()) == (1, ExitCode.DONE)


def test_what_went_on_in_both_is_a_conflict_and_nothing_is_overwritten(move: Move) -> None:
    move.old.submit(1, 2)
    move.copy()
    move.cancel_in(move.old, 1, by="here")
    there = move.cancel_in(move.new, 1, by="there")

    for dry_run in (True, False):
        copied = move.copy(dry_run=dry_run)
        (failure,) = copied.outcome.failed
        assert (failure.action, failure.target) == ("copy", job_id(1))
        assert "which is left as it is" in failure.message
        assert copied.outcome.code() is ExitCode.ITEMS_FAILED
    assert not copied.agrees
    assert move.new.store.jobs[job_id(1)] == there


def test_a_job_that_is_too_large_fails_alone(move: Move) -> None:
    move.old.store.submit([make_job(1), make_job(2, source="/" + "long" * 30), make_job(3)])
    copied = move.copy()
    assert [(failure.target, failure.message) for failure in copied.outcome.failed] == [
        (job_id(2), f"the record of job {job_id(2)} is too large")
    ]
    assert set(move.new.store.jobs) == {job_id(1), job_id(3)}
    assert queued(move.new.new_jobs) == [job_id(1), job_id(3)]
    assert (copied.agrees, copied.outcome.facts["new"]) == (False, 2)


def test_what_is_written_behind_its_back_is_found_by_comparing(move: Move) -> None:
    # given a job that is submitted to the old farm just when the copy has read all of it
    move.old.submit(1)
    far = move.progress.append

    class Late(list[tuple[str, int]]):
        def append(self, at: tuple[str, int]) -> None:
            far(at)
            if at[0] == "copying":
                move.old.submit(2)

    move.progress = Late()
    copied = move.copy()
    assert [side.jobs for side in copied.sides or ()] == [2, 1]
    (failure,) = copied.outcome.failed
    assert failure.message == (
        f"1 job differs ({job_id(2)} is the first), for something has written meanwhile: stop cron and workers, and run"
        " the same command again"
    )
    # when it is run again
    move.progress = []
    assert move.copy().agrees


@pytest.mark.parametrize("call", range(9))
def test_killed_at_any_write_and_run_again_every_job_is_there_and_queued(move: Move, call: int) -> None:
    # given three hundreds, each of which is one write and the messages to two queues
    move.old.submit(*range(250))
    left = iter(range(call))

    def dying(act: object) -> None:
        if next(left, None) is None:
            raise Killed(act)

    class MortalStore(FakeJobStore):
        def submit(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
            dying("submit")
            return move.new.store.submit(jobs)

    class MortalQueue(FakeQueue):
        def __init__(self, queue: FakeQueue) -> None:
            super().__init__(move.old.clock)
            self._queue = queue

        def send(self, bodies: Sequence[str]) -> None:
            dying("send")
            self._queue.send(bodies)

    mortal = CopyWrites(MortalStore(), MortalQueue(move.new.new_jobs), MortalQueue(move.new.changes), nullcontext)
    with pytest.raises(Killed):
        move.copy(writes=mortal)

    assert move.copy().agrees
    assert move.same()
    assert set(queued(move.new.new_jobs)) == {job_id(number) for number in range(250)}
    assert move.copy().outcome.changed == ()


def test_it_refuses_while_a_node_gives_heartbeats(move: Move) -> None:
    move.old.submit(1)
    now = move.old.clock()
    move.old.ledger.beat(Heartbeat(node="node-1", started=now, at=now, slots=1))
    move.old.clock.advance(100)
    with pytest.raises(UsageError, match=r"nodes of backend simpledb still work: .* node-1 \(100 s ago\): stop cron"):
        move.copy()
    assert move.new.store.jobs == {}
    move.old.clock.advance(81)
    assert move.copy().agrees


def test_it_refuses_while_an_order_for_nodes_is_not_settled(move: Move) -> None:
    order = Launch(token="order-1", generation=0, count=1, slots=1, ordered=move.old.clock(), request="{}")
    move.old.ledger.journal(order)
    with pytest.raises(UsageError, match="the order 'order-1' for nodes of backend simpledb is not settled"):
        move.copy()


def test_it_ends_between_two_hundreds_when_it_is_told_to(move: Move) -> None:
    move.old.submit(*range(250))
    told_after = iter(range(3))  # what is heeded: once before each hundred, and before its write

    def heed() -> None:
        if next(told_after, None) is None:
            raise TerminatedPassError

    doer = DoerOf(move.writes, heed=heed)
    reads = CopyReads(move.old.store, move.old.ledger, move.new.store, move.new.new_jobs)
    with pytest.raises(TerminatedPassError):
        copy_jobs(reads, doer, ROUTE, silent_after=180, now=0, moved=lambda *_: None)
    assert len(move.new.store.jobs) == 100
    assert move.copy().outcome.facts["new"] == 150
