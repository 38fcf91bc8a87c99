"""Telling of what others put into the store."""

import pytest

from nommerctl.domain.job import EncodingJob, HistoryEntry
from nommerctl.domain.states import JobState
from tests.builders import make_job
from tests.fakes.clock import START
from tests.passes.farm import FakeFarm

LISTENER = "http://listener.example/told"


def failed_job(number: int, notify_url: str, details: str = "no") -> EncodingJob:
    history = (HistoryEntry(1, JobState.ERROR, START, "worker", details),)
    return make_job(number, state=JobState.ERROR, notify_url=notify_url, details=details, history=history)


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
