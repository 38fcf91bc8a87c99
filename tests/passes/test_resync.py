"""Comparing the cache and the queue with the whole store: when, and what comes of it."""

from collections.abc import Iterator, Sequence

from msgspec import structs

from nommerctl.domain.config import UpkeepSettings
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.outcome import Change
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant
from nommerctl.passes.refresh import REQUEUED
from nommerctl.ports import Move
from tests.builders import job_id, make_lease
from tests.fakes.job_store import FakeJobStore
from tests.passes.farm import FakeFarm


def test_a_resync_comes_when_it_is_due_and_not_before() -> None:
    farm = FakeFarm()
    farm.refresh()
    farm.clock.advance(3599)
    assert farm.refresh().changed == ()
    farm.clock.advance(2)
    assert farm.refresh().changed == (Change("resync", "cache", "the last one is older than upkeep.resync_every"),)


def test_a_resync_that_scale_wants_comes_at_once() -> None:
    farm = FakeFarm()
    farm.refresh()
    farm.cache.set_status(lambda status: structs.replace(status, resync_wanted=True))
    assert farm.refresh().changed == (Change("resync", "cache", "cache and queue differ"),)
    assert farm.refresh().changed == ()


def test_rebuild_reads_the_whole_store() -> None:
    farm = FakeFarm()
    farm.refresh()
    assert farm.refresh(rebuild=True).changed == (Change("resync", "cache", "asked for"),)


def test_i1_a_job_whose_message_is_gone_gets_a_new_one_on_the_second_resync() -> None:
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    (job,) = farm.submit(1)
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    farm.clock.advance(901)
    farm.refresh(rebuild=True)
    assert farm.new_jobs.depth().total == 0
    outcome = farm.refresh(rebuild=True)
    assert Change("requeue", job.id, "its message is gone") in outcome.changed
    assert farm.new_jobs.depth().total == 1


def test_jobs_whose_messages_are_there_are_not_queued_again_however_old() -> None:
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    farm.submit(1, 2)
    farm.clock.advance(5000)
    for _ in range(3):
        farm.refresh(rebuild=True)
    assert farm.new_jobs.depth().total == 2


def test_of_many_messages_that_seem_to_be_gone_some_are_sent_anew_at_a_time_the_oldest_first() -> None:
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    jobs = farm.submit(*range(REQUEUED + 30))
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    farm.clock.advance(901)
    farm.refresh(rebuild=True)
    outcome = farm.refresh(rebuild=True)
    assert outcome.facts["requeued"] == REQUEUED
    assert farm.new_jobs.depth().total == REQUEUED
    for _ in range(2):
        farm.refresh(rebuild=True)
    assert farm.new_jobs.depth().total == len(jobs)


def test_only_as_many_get_a_new_message_as_seem_to_be_gone() -> None:
    # given three that wait, and the message of one of them is gone
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    farm.submit(1, 2, 3)
    farm.new_jobs.delete(farm.new_jobs.receive(1, 90))
    farm.clock.advance(901)
    # when
    farm.refresh(rebuild=True)
    outcome = farm.refresh(rebuild=True)
    # then
    assert outcome.facts["requeued"] == 1
    assert farm.new_jobs.depth().total == 3


def test_no_message_is_missed_of_a_job_that_somebody_without_leases_has_in_hand() -> None:
    # given an old worker, which deletes the message before it begins
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    held, waiting = farm.submit(1, 2)
    farm.store.transition(
        held.id, lambda job: structs.replace(job, state=JobState.ENCODING, lease=make_lease("", owner="an old worker"))
    )
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    farm.new_jobs.send([waiting.id])
    farm.clock.advance(5000)
    # when, then
    for _ in range(3):
        assert farm.refresh(rebuild=True).facts["requeued"] == 0
    assert farm.new_jobs.depth().total == 1


def test_a_job_that_changed_just_now_is_waited_for_whenever_its_message_was_sent() -> None:
    # given a job of an old producer, which leaves no word of that
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    farm.submit(1)
    farm.store.transition(job_id(1), lambda job: structs.replace(job, queued_at=0))
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    farm.clock.advance(800)
    # when, then
    for _ in range(3):
        assert farm.refresh(rebuild=True).facts["requeued"] == 0


def test_a_job_that_changed_meanwhile_gets_no_message() -> None:
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    job, other = farm.submit(1, 2)
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    farm.clock.advance(901)
    farm.refresh(rebuild=True)

    class OvertakenStore(FakeJobStore):
        def transitions(self, steps: Sequence[tuple[EncodingJob, Move]]) -> list[EncodingJob]:
            farm.claim(job)
            return super().transitions(steps)

    store = OvertakenStore()
    store.jobs = farm.store.jobs
    farm.store = store
    outcome = farm.refresh(rebuild=True)
    assert [change.target for change in outcome.changed if change.action == "requeue"] == [other.id]
    assert farm.new_jobs.depth().total == 1


class LaggingStore(FakeJobStore):
    """A store whose lists do not show a job of which it says so; `get` does."""

    lag = 60.0

    def __init__(self, unseen: str, jobs: dict[str, EncodingJob]) -> None:
        super().__init__()
        self.jobs = jobs
        self._unseen = unseen

    def unfinished(self) -> Iterator[EncodingJob]:
        return (job for job in super().unfinished() if job.id != self._unseen)

    def finished_since(self, since: Instant) -> Iterator[EncodingJob]:
        return (job for job in super().finished_since(since) if job.id != self._unseen)


def test_a_resync_forgets_no_job_that_the_lists_do_not_show_yet() -> None:
    farm = FakeFarm()
    farm.refresh()
    (job,) = farm.submit(1)
    farm.store = LaggingStore(job.id, farm.store.jobs)
    farm.changes = type(farm.changes)(farm.clock)
    farm.refresh(rebuild=True)
    assert farm.cache.is_job_cached(job)


def test_a_resync_learns_of_what_changed_though_no_list_shows_it() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.refresh()
    farm.clock.advance(600)
    farm.store = LaggingStore(job.id, farm.store.jobs)
    farm.work_off(job)
    farm.refresh(rebuild=True)
    cached = farm.cache.get_job(job)
    assert cached is not None
    assert cached.state is JobState.FINISHED


def test_a_job_that_finishes_during_a_resync_has_lost_no_message() -> None:
    # given a farm in which a job ends while the store is read
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    waiting, working = farm.submit(1, 2)
    farm.clock.advance(5000)
    messages = {message.body: message for message in farm.new_jobs.receive(10, 5000)}
    farm.new_jobs.extend([messages[waiting.id]], 0)

    class BusyStore(FakeJobStore):
        def unfinished(self) -> Iterator[EncodingJob]:
            found = list(super().unfinished())
            farm.new_jobs.delete([messages[working.id]])
            return iter(found)

    store = BusyStore()
    store.jobs = farm.store.jobs
    farm.store = store
    # when it is resynced again and again
    for _ in range(2):
        outcome = farm.refresh(rebuild=True)
    assert outcome.facts["requeued"] == 0


def test_a_job_in_error_is_noted_even_if_its_message_was_lost() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.refresh()
    for number in range(4):
        farm.claim(job, lease=f"lease-{number}", seconds=1)
        farm.clock.advance(2)
    farm.changes = type(farm.changes)(farm.clock)
    assert [change.action for change in farm.refresh(rebuild=True).changed] == ["resync", "ERROR"]


def test_a_job_that_was_queued_lately_is_not_queued_again() -> None:
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    farm.submit(1)
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    farm.clock.advance(800)
    for _ in range(3):
        farm.refresh(rebuild=True)
    assert farm.new_jobs.depth().total == 0


def test_i1_a_job_of_a_dead_worker_whose_message_is_gone_is_queued_again() -> None:
    farm = FakeFarm(upkeep=UpkeepSettings(requeue_after=900))
    (job,) = farm.submit(1)
    farm.claim(job, seconds=90)
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    farm.clock.advance(90 + 899)
    for _ in range(3):
        farm.refresh(rebuild=True)
    assert farm.new_jobs.depth().total == 0
    farm.clock.advance(2)
    farm.refresh(rebuild=True)
    assert farm.new_jobs.depth().total == 1
