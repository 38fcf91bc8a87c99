"""Telling of what is in the store: in order, again when it is due, and not for ever."""

from collections.abc import Sequence

import pytest
from msgspec import structs

from nommerctl.domain.config import NotifySettings
from nommerctl.domain.job import EncodingJob, HistoryEntry
from nommerctl.domain.states import JobState
from nommerctl.errors import UnreachableError, UsageError
from nommerctl.passes.undelivered import tell_again
from nommerctl.ports import Move
from tests.builders import job_id, make_job
from tests.fakes.clock import START
from tests.fakes.job_store import FakeJobStore
from tests.passes.farm import FakeFarm

LISTENER = "http://listener.example/told"
DEAD = "http://dead.example/told"


def failed_job(number: int, notify_url: str, details: str = "no") -> EncodingJob:
    history = (HistoryEntry(1, JobState.ERROR, START, "worker", details),)
    return make_job(number, state=JobState.ERROR, notify_url=notify_url, details=details, history=history)


def failures(farm: FakeFarm) -> dict[int, int]:
    """How often telling failed of each job, by its number."""
    return {int(job.id, 16): job.delivery.failures if job.delivery else 0 for job in farm.store.jobs.values()}


def undelivered(farm: FakeFarm) -> list[int]:
    return [int(job.id, 16) for job in farm.store.undelivered()]


def told_numbers(farm: FakeFarm) -> list[int]:
    return [int(fields["unique_id"], 16) for _, fields in farm.notifier.told]


@pytest.mark.parametrize("url", ["http://[", "http://ann:pw@h\u2100st/", "", "nobody"])
def test_a_listener_that_is_no_url_does_not_keep_the_others_waiting(url: str) -> None:
    farm = FakeFarm()
    farm.store.submit([failed_job(1, url), failed_job(2, LISTENER)])
    farm.notifier.failing[url] = "is no URL"
    outcome = farm.refresh()
    assert [failure.message for failure in outcome.failed] == ["is no URL"]
    assert [told for told, _ in farm.notifier.told] == [LISTENER]


def test_listeners_are_not_told_of_credentials() -> None:
    farm = FakeFarm()
    farm.store.submit([failed_job(1, LISTENER, "https://ann:pw@host/a?token=abc is away")])
    farm.refresh()
    ((_, fields),) = farm.notifier.told
    assert fields["job_state_details"] == "https://***@host/a?token=***"


def test_what_abandon_and_retry_change_is_told_like_any_change() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1, notify_url=LISTENER)
    farm.clock.advance(15 * 24 * 3600)
    farm.abandon()
    farm.refresh()
    farm.retry(job)
    farm.refresh()
    assert [fields["job_state"] for _, fields in farm.notifier.told] == ["PENDING", "ABANDONED", "PENDING"]


class DyingStore(FakeJobStore):
    """Fails when it is to note something: the pass has told somebody, and dies before it can say so."""

    def transitions(self, steps: Sequence[tuple[EncodingJob, Move]]) -> list[EncodingJob]:
        del steps
        msg = "the store is away"
        raise UnreachableError(msg)


def test_a_pass_that_dies_between_telling_and_noting_it_tells_twice_and_loses_nothing() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1, notify_url=LISTENER)
    farm.work_off(job)
    whole, farm.store = farm.store, DyingStore()
    farm.store.jobs = whole.jobs
    with pytest.raises(UnreachableError):
        farm.refresh()
    farm.store = whole
    farm.refresh()
    assert [fields["job_state"] for _, fields in farm.notifier.told] == [
        *("PENDING", "PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED")
    ]


# --- attempts


def test_a_listener_that_fails_is_not_asked_before_its_next_attempt() -> None:
    farm = FakeFarm()
    farm.submit(1, notify_url=LISTENER)
    farm.notifier.failing[LISTENER] = "answered 500"
    asked = []
    for _ in range(10):
        farm.refresh()
        asked.append(farm.notifier.tried)
        farm.clock.advance(60)
    assert asked == [1, 2, 2, 2, 2, 2, 3, 3, 3, 3]


def test_the_store_is_not_asked_for_jobs_whose_next_attempt_is_to_come() -> None:
    farm = FakeFarm()
    farm.submit(1, notify_url=LISTENER)
    farm.notifier.failing[LISTENER] = "answered 500"
    farm.refresh()
    farm.store.get = lambda ids: pytest.fail(f"asked for {list(ids)}")  # type: ignore[method-assign]
    farm.clock.advance(4)
    farm.refresh()


def test_5000_jobs_of_a_host_that_is_away_share_one_attempt() -> None:
    farm = FakeFarm()
    farm.store.submit([failed_job(number, f"{DEAD}/{number % 7}?job={number}") for number in range(5000)])
    farm.notifier.away = {f"{DEAD}/{number % 7}?job={number}" for number in range(5000)}
    outcome = farm.refresh()
    assert farm.notifier.tried == 1
    assert len(outcome.failed) == 1
    assert set(failures(farm).values()) == {1}
    farm.clock.advance(4)
    farm.refresh()
    assert farm.notifier.tried == 1
    farm.clock.advance(1)
    farm.refresh()
    assert farm.notifier.tried == 2
    assert set(failures(farm).values()) == {2}


def test_a_listener_that_hangs_costs_the_others_of_its_host_no_attempt_and_comes_after_them() -> None:
    farm = FakeFarm()
    hangs = [f"{DEAD}?job={number}" for number in (1, 2)]
    farm.store.submit([*(failed_job(number, url) for number, url in enumerate(hangs, start=1))])
    farm.store.submit([failed_job(3, "http://dead.example/other")])
    farm.notifier.silent = set(hangs)
    farm.refresh()
    assert (farm.notifier.tried, failures(farm)) == (1, {1: 1, 2: 1, 3: 0})
    farm.clock.advance(60)
    farm.refresh()
    assert told_numbers(farm) == [3]


def test_a_listener_is_given_up_after_its_attempts_and_the_job_is_done_with() -> None:
    farm = FakeFarm(notify=NotifySettings(attempts=2))
    (job,) = farm.submit(1, notify_url=DEAD)
    farm.work_off(job)
    farm.notifier.failing[DEAD] = f"'{DEAD}' answered 500"
    farm.refresh()
    assert undelivered(farm) == []
    farm.clock.advance(5)
    outcome = farm.refresh()
    assert next(change for change in outcome.changed if change.action == "give up telling").reason == (
        "answered 500; see 'nommerctl notify dead list'"
    )
    assert undelivered(farm) == [1]
    farm.clock.advance(60 * 24 * 3600)
    farm.refresh()
    assert farm.notifier.tried == 2
    farm.prune()
    assert farm.store.jobs == {}
    assert farm.cache.get_cached_jobs() == {}


def test_410_ends_the_telling_of_all_jobs_of_that_url_and_of_no_other() -> None:
    farm = FakeFarm()
    farm.store.submit([*(failed_job(number, DEAD) for number in range(60)), failed_job(60, f"{DEAD}?other")])
    farm.notifier.gone = {DEAD}
    outcome = farm.refresh()
    assert farm.notifier.tried == 2
    assert told_numbers(farm) == [60]
    assert undelivered(farm) == list(range(60))
    (given_up,) = (change for change in outcome.changed if change.action == "give up telling")
    assert given_up.target == "60 jobs"


def test_410_stops_that_url_for_later_passes_too_without_asking_it_again() -> None:
    farm = FakeFarm()
    farm.store.submit([failed_job(1, DEAD)])
    farm.notifier.gone = {DEAD}
    farm.refresh()
    for number in (2, 3):
        farm.store.submit([failed_job(number, DEAD), failed_job(10 * number, f"{DEAD}?other")])
        farm.changes.send([job_id(number), job_id(10 * number)])
        farm.refresh()
    assert (farm.notifier.tried, told_numbers(farm)) == (3, [20, 30])
    assert undelivered(farm) == [1, 2, 3]


def test_a_url_that_is_gone_is_so_even_where_its_host_is_away() -> None:
    farm = FakeFarm()
    farm.store.submit([failed_job(1, DEAD)])
    farm.notifier.gone = {DEAD}
    farm.refresh()
    farm.store.submit([failed_job(2, f"{DEAD}?away"), failed_job(3, DEAD)])
    farm.changes.send([job_id(2), job_id(3)])
    farm.notifier.away = {f"{DEAD}?away"}
    farm.refresh()
    assert undelivered(farm) == [1, 3]


def test_a_url_that_failed_too_often_for_one_job_is_not_gone_for_another() -> None:
    farm = FakeFarm(notify=NotifySettings(attempts=1))
    farm.store.submit([failed_job(1, DEAD)])
    farm.notifier.failing[DEAD] = "answered 500"
    farm.refresh()
    assert undelivered(farm) == [1]
    farm.notifier.failing.clear()
    farm.store.submit([failed_job(2, DEAD)])
    farm.changes.send([job_id(2)])
    farm.refresh()
    assert told_numbers(farm) == [2]


def test_the_store_is_not_asked_who_is_gone_where_there_is_nothing_to_tell() -> None:
    farm = FakeFarm()
    farm.submit(1)
    farm.store.undelivered = lambda: pytest.fail("asked")  # type: ignore[method-assign]
    assert farm.refresh().failed == ()


def test_a_job_that_was_given_up_stays_so_when_it_changes() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1, notify_url=DEAD)
    farm.notifier.gone = {DEAD}
    farm.refresh()
    farm.work_off(job)
    farm.refresh()
    assert farm.notifier.tried == 1
    assert undelivered(farm) == [1]


# --- telling again


def test_what_was_given_up_is_told_again_in_order_from_what_was_not_taken() -> None:
    farm = FakeFarm()
    (job,) = farm.submit(1, notify_url=DEAD)
    farm.refresh()
    farm.notifier.gone = {DEAD}
    farm.claim(job)
    farm.refresh()
    farm.finish(job)
    farm.refresh()
    farm.notifier.gone.clear()
    tell_again(farm.reads, farm.performer(), [job.id[:50]])
    assert undelivered(farm) == []
    farm.refresh()
    assert [fields["job_state"] for _, fields in farm.notifier.told] == [
        *("PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED")
    ]


def test_all_that_was_given_up_is_told_again_if_none_is_named() -> None:
    farm = FakeFarm()
    farm.store.submit([failed_job(number, DEAD) for number in range(30)])
    farm.notifier.gone = {DEAD}
    farm.refresh()
    farm.notifier.gone.clear()
    outcome = tell_again(farm.reads, farm.performer(), [])
    assert [change.target for change in outcome.changed] == ["25 jobs", "5 jobs"]
    farm.refresh()
    assert sorted(told_numbers(farm)) == list(range(30))


def test_to_tell_again_of_one_job_is_to_tell_of_all_that_its_url_was_gone_for() -> None:
    farm = FakeFarm()
    farm.store.submit([*(failed_job(number, DEAD) for number in (1, 2, 3)), failed_job(4, f"{DEAD}?other")])
    farm.notifier.gone = {DEAD, f"{DEAD}?other"}
    farm.refresh()
    farm.notifier.gone.clear()
    outcome = tell_again(farm.reads, farm.performer(), [job_id(2)])
    assert [change.target for change in outcome.changed] == ["3 jobs"]
    assert undelivered(farm) == [4]
    farm.refresh()
    assert sorted(told_numbers(farm)) == [1, 2, 3]


def test_only_what_was_given_up_is_told_again() -> None:
    farm = FakeFarm()
    farm.store.submit([structs.replace(failed_job(1, LISTENER), told=1)])
    with pytest.raises(UsageError, match="was not given up: see `nommerctl notify dead list`"):
        tell_again(farm.reads, farm.performer(), [job_id(1)])
