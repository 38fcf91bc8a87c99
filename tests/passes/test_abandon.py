import pytest
from msgspec import structs

from nommerctl.domain.config import UpkeepSettings
from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.job import EncodingJob, JobId, Lease
from nommerctl.domain.outcome import Change
from nommerctl.domain.states import JobState
from nommerctl.ports import Move
from tests.fakes.job_store import FakeJobStore
from tests.passes.farm import FakeFarm

HOUR = 3600.0
DAY = 24 * HOUR


def test_a_job_whose_worker_vanished_is_abandoned_after_a_day_of_silence_and_announced() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.claim(job, seconds=90)
    farm.refresh()
    farm.clock.advance(90 + DAY - 1)
    assert farm.abandon().changed == ()
    farm.clock.advance(2)
    outcome = farm.abandon()
    assert outcome.changed == (Change("abandon", job.id, "no sign of life for 24 h in DOWNLOADING"),)
    assert farm.store.jobs[job.id].state is JobState.ABANDONED
    assert farm.changes.depth().total == 1
    assert farm.cache.get_jobs_with_state(JobState.ABANDONED)


def test_waiting_in_a_long_queue_is_not_death() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.clock.advance(13 * DAY)
    assert farm.abandon().changed == ()
    farm.clock.advance(DAY + 1)
    farm.abandon()
    assert farm.store.jobs[job.id].state is JobState.ABANDONED


def test_i5_what_waits_does_not_shorten_the_patience_with_what_is_in_work() -> None:
    farm = FakeFarm(upkeep=UpkeepSettings(abandon_after=2 * DAY, abandon_pending_after=DAY))
    held, waiting = farm.submit(1, 2)
    farm.claim(held, seconds=1)
    farm.clock.advance(DAY + HOUR)
    assert [change.target for change in farm.abandon().changed] == [waiting.id]
    farm.clock.advance(DAY)
    assert [change.target for change in farm.abandon().changed] == [held.id]


def test_a_live_lease_keeps_a_job_however_old() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.claim(job, seconds=3 * DAY)
    farm.clock.advance(2 * DAY)
    assert farm.abandon().changed == ()


def test_one_whose_attempts_are_used_up_is_an_error_not_abandoned() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    for number in range(3):
        farm.claim(job, lease=f"lease-{number}", seconds=1)
        farm.clock.advance(2)
    farm.clock.advance(DAY)
    farm.abandon()
    assert farm.store.jobs[job.id].state is JobState.ERROR


def test_i5_a_job_that_finishes_meanwhile_stays_finished() -> None:
    # given a job that looks dead when the pass reads it
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.claim(job, seconds=1)
    farm.clock.advance(2 + DAY)

    # and finishes before the pass writes
    def finish_first() -> None:
        if farm.store.jobs[job.id].state is JobState.DOWNLOADING:
            farm.finish(job)

    farm.heed = finish_first
    outcome = farm.abandon()
    assert farm.store.jobs[job.id].state is JobState.FINISHED
    assert outcome.changed == ()
    assert outcome.held[0].by == "changed meanwhile"


def test_an_abandoned_job_is_told_of() -> None:
    farm = FakeFarm(upkeep=UpkeepSettings(abandon_pending_after=HOUR))
    farm.submit(1, notify_url="http://listener.example/")
    farm.clock.advance(HOUR + 1)
    farm.abandon()
    farm.refresh()
    assert [fields["job_state"] for _, fields in farm.notifier.told] == ["PENDING", "ABANDONED"]
    assert farm.notifier.told[-1][1]["job_state_details"] == "no sign of life for 60 min in PENDING"


def test_i6_a_dry_run_abandons_nothing() -> None:
    farm = FakeFarm(upkeep=UpkeepSettings(abandon_pending_after=HOUR))
    (job,) = farm.submit(1)
    farm.clock.advance(HOUR + 1)
    assert [change.action for change in farm.abandon(dry_run=True).changed] == ["abandon"]
    assert farm.store.jobs[job.id].state is JobState.PENDING


# --- media-nommer's own workers


def in_old_hands(farm: FakeFarm, number: int) -> EncodingJob:
    """A job that an old worker has begun just now, as the store shows it."""
    (job,) = farm.submit(number)
    now = farm.clock()
    lease = Lease(id="", owner="an old worker", until=now)
    return farm.store.transition(
        job.id, lambda it: structs.replace(it, state=JobState.ENCODING, changed=now, lease=lease)
    )


def says(farm: FakeFarm, node: str, active: int) -> None:
    """An old worker gives a heartbeat."""
    now = farm.clock()
    farm.ledger.beat(Heartbeat(node=node, started=now, at=now, slots=2, active=active, takes_leases=False))


@pytest.mark.parametrize(("active", "kept"), [(0, []), (1, [2]), (2, [1, 2])])
def test_so_many_silent_jobs_are_left_to_old_workers_as_these_say_that_they_have_in_hand(
    active: int, kept: list[int]
) -> None:
    farm = FakeFarm()
    first = in_old_hands(farm, 1)
    farm.clock.advance(60)
    second = in_old_hands(farm, 2)
    farm.clock.advance(DAY + 1)
    farm.refresh()

    says(farm, "i-old", active)
    outcome = farm.abandon()

    left = {number for number, job in ((1, first), (2, second)) if farm.store.jobs[job.id].state is JobState.ENCODING}
    assert sorted(left) == kept
    assert len(outcome.changed) == 2 - len(kept)


def test_jobs_that_changed_lately_are_in_their_hands_before_those_that_did_not() -> None:
    # given a job that an old worker let go of without a word, and two that others are at
    farm = FakeFarm()
    silent = in_old_hands(farm, 1)
    farm.clock.advance(DAY)
    fresh = [in_old_hands(farm, number) for number in (2, 3)]
    farm.clock.advance(HOUR)
    farm.refresh()

    # when they say that they have two in hand
    says(farm, "i-1", 1)
    says(farm, "i-2", 1)
    farm.abandon()

    # then those are the fresh ones
    states = [farm.store.jobs[job.id].state for job in (silent, *fresh)]
    assert states == [JobState.ABANDONED, JobState.ENCODING, JobState.ENCODING]


def test_old_workers_that_are_silent_themselves_keep_nothing() -> None:
    farm = FakeFarm()
    job = in_old_hands(farm, 1)
    farm.clock.advance(DAY + 1)
    says(farm, "i-old", 1)
    farm.clock.advance(farm.scale_settings.silent_after + 1)

    farm.abandon()

    assert farm.store.jobs[job.id].state is JobState.ABANDONED


def test_a_job_that_vanishes_meanwhile_does_not_keep_the_others() -> None:
    # given three that are silent, of which one is removed by somebody between the look and the write
    farm = FakeFarm()
    vanishing, *others = farm.submit(1, 2, 3)
    farm.clock.advance(15 * DAY)
    farm.store = vanishing_store(farm.store, vanishing.id)
    # when
    outcome = farm.abandon()
    # then
    assert [change.target for change in outcome.changed] == [job.id for job in others]
    assert [held.by for held in outcome.held] == ["changed meanwhile"]
    assert outcome.ended_by is None


def vanishing_store(store: FakeJobStore, job_id: JobId) -> FakeJobStore:
    class Vanishing(FakeJobStore):
        def transition(self, job: JobId | EncodingJob, move: Move) -> EncodingJob:
            self.jobs.pop(job_id, None)
            return super().transition(job, move)

    made = Vanishing()
    made.jobs = store.jobs
    return made
