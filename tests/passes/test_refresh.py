from collections.abc import Iterable, Sequence

import pytest
from msgspec import structs

from nommerctl.domain.job import EncodingJob, HistoryEntry, Progress
from nommerctl.domain.moves import renewed
from nommerctl.domain.outcome import Change, Failure
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.errors import TerminatedPassError, TimeLimitError, TryAgainError
from nommerctl.passes.news import QueueNews
from tests.builders import job_id, make_job
from tests.fakes.clock import START, FakeClock
from tests.fakes.job_cache import FakeJobCache
from tests.fakes.job_store import FakeJobStore
from tests.fakes.queue import FakeQueue
from tests.passes.farm import FakeFarm


class FullCache(FakeJobCache):
    """A cache whose disk is full."""

    def update_jobs(self, jobs: Iterable[EncodingJob]) -> None:  # noqa: ARG002 - as the cache has it
        msg = "the disk is full"
        raise TryAgainError(msg)


LISTENER = "http://listener.example/told"


def test_a_cold_cache_is_loaded_from_the_store() -> None:
    farm = FakeFarm()
    farm.submit(1, 2)
    farm.cache = type(farm.cache)()
    outcome = farm.refresh()
    assert set(farm.cache.get_cached_jobs()) == {job_id(1), job_id(2)}
    assert Change("resync", "cache", "the cache is cold") in outcome.changed


def test_changes_are_learnt_and_their_messages_deleted() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.refresh()
    farm.claim(job)
    outcome = farm.refresh()
    assert outcome.changed == (Change("DOWNLOADING", job.id),)
    assert farm.cache.get_jobs_with_state(JobState.DOWNLOADING)[0].id == job.id
    assert farm.changes.depth().total == 0


def test_a_job_that_the_cache_does_not_know_is_learnt_not_dropped() -> None:
    farm = FakeFarm()
    farm.refresh()
    (job,) = farm.submit(1)
    farm.cache.remove_job(job)
    farm.refresh()
    assert farm.cache.is_job_cached(job.id)


def test_the_progress_of_jobs_in_work_is_learnt_without_a_message() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.claim(job)
    farm.refresh()
    half = Progress(fraction=0.5, fps=25.0)
    farm.store.transition(
        job.id, lambda current: renewed(current, lease_id="lease-1", until=current.changed, progress=half)
    )
    outcome = farm.refresh()
    assert farm.cache.get_cached_jobs()[job.id].progress == half
    assert outcome.changed == ()


def test_repeated_ids_are_read_once_and_told_of_once() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.refresh()
    farm.claim(job)
    farm.changes.send([job.id] * 5)
    outcome = farm.refresh()
    assert [change.target for change in outcome.changed] == [job.id]
    assert outcome.facts["changes"] == 1


def test_malformed_and_unknown_messages_are_counted_reported_and_removed() -> None:
    farm = FakeFarm()
    farm.refresh()
    farm.changes.send(["not an id", job_id(99)])
    outcome = farm.refresh()
    assert (outcome.facts["malformed"], outcome.facts["unknown"]) == (1, 1)
    assert outcome.changed == (Change("drop message", "not an id", "its body is not a job id"),)
    assert farm.changes.depth().total == 0


def test_one_bad_message_does_not_block_the_others() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.refresh()
    farm.changes.send(["\x1b[31m"])
    farm.claim(job)
    farm.refresh()
    assert farm.cache.get_jobs_with_state(JobState.DOWNLOADING)


def test_i4_a_message_is_deleted_only_after_its_effect() -> None:
    # given a pass that dies between receiving and committing
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.refresh()
    farm.claim(job)
    cache, farm.cache = farm.cache, FullCache(farm.cache.jobs.values())
    farm.cache.set_status(lambda _: cache.status())
    with pytest.raises(TryAgainError):
        farm.refresh()
    assert farm.changes.depth().total > 0
    # when the next one can write
    farm.cache = cache
    farm.clock.advance(61)
    farm.refresh()
    # then nothing was missed
    assert farm.cache.get_jobs_with_state(JobState.DOWNLOADING)
    assert farm.changes.depth().total == 0


def test_every_change_is_told_in_order_and_once() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1, notify_url=LISTENER)
    farm.work_off(job)
    farm.refresh()
    assert [fields["job_state"] for _, fields in farm.notifier.told] == [
        "PENDING",
        "DOWNLOADING",
        "ENCODING",
        "UPLOADING",
        "FINISHED",
    ]
    assert farm.notifier.told[0] == (
        LISTENER,
        {"unique_id": job.id, "job_state": "PENDING", "job_state_details": ""},
    )
    farm.refresh()
    assert len(farm.notifier.told) == 5
    assert farm.cache.get_cached_jobs()[job.id].told == 5


def test_what_a_listener_did_not_take_is_told_again_before_anything_later() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1, notify_url=LISTENER)
    farm.notifier.failing[LISTENER] = "answered 500"
    outcome = farm.refresh()
    assert outcome.failed == (Failure("tell", job.id, "answered 500"),)
    farm.claim(job)
    farm.notifier.failing.clear()
    farm.refresh()
    assert farm.notifier.told == []
    farm.clock.advance(5)
    farm.refresh()
    assert [fields["job_state"] for _, fields in farm.notifier.told] == ["PENDING", "DOWNLOADING"]


def test_a_host_that_does_not_answer_is_asked_once_and_does_not_hold_up_the_others() -> None:
    farm = FakeFarm()
    farm.submit(1, 2, notify_url="http://dead.example/a")
    farm.submit(3, notify_url="http://dead.example/b")
    farm.submit(4, notify_url=LISTENER)
    farm.notifier.silent = {"http://dead.example/a", "http://dead.example/b"}
    outcome = farm.refresh()
    assert [url for url, _ in farm.notifier.told] == [LISTENER]
    assert len(outcome.failed) == 1
    assert farm.notifier.tried == 2


def test_a_job_that_its_listener_refuses_does_not_hold_up_the_other_jobs_of_that_listener() -> None:
    farm = FakeFarm()
    (first,) = farm.submit(1, notify_url=f"{LISTENER}?job=1")
    farm.claim(first)
    farm.submit(2, notify_url=LISTENER)
    farm.notifier.failing[f"{LISTENER}?job=1"] = "answered 404"
    outcome = farm.refresh()
    assert [url for url, _ in farm.notifier.told] == [LISTENER]
    assert [failure.message for failure in outcome.failed] == ["answered 404"]


def test_each_minute_another_host_comes_first() -> None:
    orders = set()
    for minute in range(3):
        farm = FakeFarm(clock=FakeClock(START + micros(60 * minute)))
        for number in range(3):
            farm.submit(number, notify_url=f"http://host{number}.example/")
        orders.add(tuple(change.target for change in farm.refresh(dry_run=True).changed if change.action == "tell"))
    assert len(orders) == 3


def test_listeners_that_hang_do_not_make_the_cache_look_old() -> None:
    farm = FakeFarm()
    farm.submit(1, notify_url=LISTENER)

    def heed() -> None:
        if farm.cache.status().refreshed:
            msg = "over"
            raise TimeLimitError(msg)

    farm.heed = heed
    with pytest.raises(TimeLimitError):
        farm.refresh()
    assert farm.cache.status().refreshed == farm.clock()


def test_i1_notifications_come_from_the_store_whatever_became_of_messages_and_cache() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1, notify_url=LISTENER)
    farm.work_off(job)
    farm.cache = type(farm.cache)()
    farm.changes = type(farm.changes)(farm.clock)
    farm.refresh()
    assert [fields["job_state"] for _, fields in farm.notifier.told][-1] == "FINISHED"


def test_i6_on_a_cold_cache_too_the_dry_run_says_what_the_real_run_does() -> None:
    farm = FakeFarm()
    farm.submit(1, 2)
    farm.cache = type(farm.cache)()
    told = farm.refresh(dry_run=True)
    assert told.changed == farm.refresh().changed == (Change("resync", "cache", "the cache is cold"),)


def test_a_pass_takes_in_no_more_news_than_it_has_time_for() -> None:
    queue = FakeQueue(FakeClock())
    queue.send(["a"] * 1500)
    rounds = iter([False, True])
    news = QueueNews(queue, visibility=60, enough=rounds.__next__)
    assert news.changed_ids(lambda: None) == ["a"]
    news.acknowledge()
    assert queue.depth().total == 500


def test_a_job_that_ended_in_error_is_noted_with_its_details() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    for number in range(3):
        farm.claim(job, lease=f"lease-{number}")
        farm.clock.advance(91)
    farm.refresh()
    farm.claim(job, lease="lease-4")
    outcome = farm.refresh()
    (change,) = outcome.changed
    assert change.action == "ERROR"
    assert change.reason.startswith("/srv/in/1.mov: given up after 3 attempts")


def test_i6_a_dry_run_reports_what_differs_and_changes_nothing() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1, notify_url=LISTENER)
    farm.refresh()
    farm.claim(job)
    before = (dict(farm.store.jobs), farm.cache.get_cached_jobs(), farm.cache.status(), farm.changes.depth())
    outcome = farm.refresh(dry_run=True)
    assert Change("DOWNLOADING", job.id) in outcome.changed
    assert Change("tell", job.id, "DOWNLOADING") in outcome.changed
    assert outcome.facts["queue_depth"] == 1
    assert before == (dict(farm.store.jobs), farm.cache.get_cached_jobs(), farm.cache.status(), farm.changes.depth())
    assert len(farm.notifier.told) == 1


def test_i8_a_signal_ends_the_pass_between_two_effects_and_the_next_goes_on() -> None:
    calls = []

    def heed() -> None:
        calls.append(1)
        if len(calls) == 4:
            msg = "terminated"
            raise TerminatedPassError(msg)

    farm = FakeFarm(heed=heed)
    farm.submit(1, 2, 3, notify_url=LISTENER)
    with pytest.raises(TerminatedPassError):
        farm.refresh()
    farm.heed = lambda: None
    farm.clock.advance(61)
    farm.refresh()
    assert len(farm.notifier.told) == 3
    assert len(farm.cache.get_cached_jobs()) == 3


def test_the_time_of_the_refresh_is_kept() -> None:
    farm = FakeFarm(clock=FakeClock(5_000_000))
    farm.refresh()
    assert farm.cache.status().refreshed == 5_000_000


class WatchingStore(FakeJobStore):
    """A store that keeps what others did: it notes what it is given. Nobody was told of a job in `unheard`."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []
        self.unheard: set[str] = set()

    def keep_seen(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        self.kept += [job.id for job in jobs]
        self.jobs |= {job.id: structs.replace(job, told=0) for job in jobs if job.id in self.unheard}
        self.unheard -= {job.id for job in jobs}
        return [self.jobs[job.id] for job in jobs]


def watching_farm() -> tuple[FakeFarm, WatchingStore]:
    farm = FakeFarm()
    farm.store = store = WatchingStore()
    return farm, store


def test_what_others_did_is_kept_of_changed_jobs_and_in_a_resync_of_open_ones() -> None:
    # given
    farm, store = watching_farm()
    open_, done = farm.submit(1, 2)
    farm.claim(done)
    farm.finish(done)
    farm.refresh()
    store.kept.clear()

    # when, then
    farm.refresh(rebuild=True)
    assert store.kept == [open_.id]
    farm.changes.send([done.id])
    farm.refresh()
    assert store.kept == [open_.id, done.id]


@pytest.mark.parametrize("rebuild", [True, False])
def test_a_finished_job_that_is_only_now_heard_of_is_told_in_the_same_pass(*, rebuild: bool) -> None:
    # given a job that another program has finished, which its listener seems to have been told
    farm, store = watching_farm()
    farm.refresh()
    entry = HistoryEntry(seq=1, state=JobState.FINISHED, at=START, by="media-nommer")
    job = make_job(1, state=JobState.FINISHED, history=(entry,), told=1, notify_url=LISTENER)
    store.submit([job])
    store.unheard = {job.id}
    farm.changes.send([job.id])

    # when
    farm.refresh(rebuild=rebuild)

    # then
    assert [fields["job_state"] for _, fields in farm.notifier.told] == ["FINISHED"]


def test_a_dry_run_keeps_nothing() -> None:
    farm, store = watching_farm()
    farm.submit(1)

    farm.refresh(dry_run=True)

    assert store.kept == []


@pytest.mark.parametrize("cold", [True, False])
def test_a_job_with_a_fault_is_noted_once_with_what_is_wrong(*, cold: bool) -> None:
    farm = FakeFarm()
    if not cold:
        farm.refresh()
    farm.store.submit([make_job(1, fault="its job_options are no JSON")])
    farm.changes.send([job_id(1)])

    first, second = farm.refresh(), farm.refresh(rebuild=True)

    assert [change.reason for change in first.changed if change.target == job_id(1)] == [
        "/srv/in/1.mov: its job_options are no JSON"
    ]
    assert Change("PENDING", job_id(1)) not in [structs.replace(change, reason="") for change in second.changed]


def test_a_dry_run_sees_a_change_by_others_that_raised_no_version() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1)
    farm.refresh()
    farm.store.jobs[job.id] = structs.replace(farm.store.jobs[job.id], state=JobState.ENCODING, changed=START + 7)

    outcome = farm.refresh(dry_run=True)

    assert Change("ENCODING", job.id) in outcome.changed
