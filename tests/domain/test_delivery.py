"""When a listener is told again, and when it is given up."""

import pytest
from msgspec import structs

from nommerctl.domain import moves
from nommerctl.domain.config import NotifySettings
from nommerctl.domain.delivery import due
from nommerctl.domain.job import Delivery, EncodingJob
from nommerctl.domain.times import micros
from tests.builders import make_job
from tests.fakes.clock import START

MINUTE, HOUR = 60, 3600


def untold_job() -> EncodingJob:
    return moves.cancelled(
        moves.submitted(make_job(notify_url="https://listener.example/"), by="me"), now=START, by="me"
    )


def failed(job: EncodingJob, now: int = START, attempts: int = 10) -> EncodingJob:
    return moves.untaken(job, seq=1, error="answered 500", now=now, attempts=attempts)


def test_what_is_not_taken_is_tried_ten_times_over_75_hours_as_standard_webhooks_say() -> None:
    job, now, gaps = untold_job(), START, []
    while not job.undelivered:
        assert due(job, now)
        job = failed(job, now)
        if not job.undelivered:
            assert job.delivery is not None
            assert not due(job, job.delivery.next - 1)
            gaps.append((job.delivery.next - now) // 1_000_000)
            now = job.delivery.next
    assert gaps == [5, 5 * MINUTE, 30 * MINUTE, *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24))]
    assert now - START == micros(75 * HOUR + 35 * MINUTE + 5)
    assert job.delivery == Delivery(seq=1, failures=NotifySettings().attempts, error="answered 500", dead=True)


@pytest.mark.parametrize("attempts", [1, 3])
def test_fewer_attempts_are_made_if_the_settings_say_so(attempts: int) -> None:
    job = untold_job()
    for _ in range(attempts):
        assert not job.undelivered
        job = failed(job, attempts=attempts)
    assert job.undelivered


def test_a_job_whose_listener_was_given_up_has_nothing_to_tell_but_keeps_what_was_not_taken() -> None:
    job = moves.untaken(untold_job(), seq=1, error="answered 410", now=START, gone=True)
    assert (job.undelivered, job.untold, job.open) == (True, (), False)
    assert [entry.seq for entry in job.untaken] == [1, 2]
    assert failed(job) is job

    changed = moves.retried(job, now=START, by="me")
    assert (changed.undelivered, changed.untold) == (True, ())

    back = moves.revived(changed)
    assert [entry.seq for entry in back.untold] == [1, 2, 3]
    assert due(back, START)
    assert moves.revived(back) is back


def test_an_entry_that_is_taken_after_all_leaves_the_next_one_all_its_attempts() -> None:
    job = moves.told(failed(failed(untold_job())), seq=1)
    assert job.delivery is None
    again = moves.untaken(job, seq=2, error="answered 500", now=START)
    assert again.delivery == Delivery(seq=2, failures=1, next=START + micros(5), error="answered 500")


def test_a_late_failure_does_not_undo_what_another_pass_has_told() -> None:
    told = moves.told(untold_job(), seq=1)
    assert failed(told) is told
    waiting = moves.untaken(told, seq=2, error="answered 500", now=START)
    assert moves.told(waiting, seq=1).delivery == waiting.delivery


def test_a_clock_that_went_back_does_not_keep_a_listener_waiting_for_years() -> None:
    job = failed(untold_job(), now=START + micros(400 * 24 * HOUR))
    assert due(job, START)
    assert not due(structs.replace(job, notify_url=None), START)
