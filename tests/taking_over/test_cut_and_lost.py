"""A farm that took over, and writes of its own that were cut in half, records that are lost, items that say nothing."""

import os
import signal

import pytest

from nommerctl.adapters.aws.names import jobs_table
from nommerctl.domain.job import JobId
from nommerctl.errors import ExitCode
from tests.simpledb.server import Cut
from tests.taking_over.takeover import HOUR, Takeover, told
from tests.web import Web

NOBODY = "e" * 50
"""A job whose item is written by hand."""

TO_LOCAL = ("store", "copy", "--from", "simpledb", "--to", "local", "--json")


def lost_retry(takeover: Takeover) -> JobId:
    """A job whose retry came as far as its side record."""
    server, job = takeover.farm.server, takeover.producer().submit()
    takeover.minute()
    takeover.farm.here.run("cancel", job)
    takeover.minute()
    server.meanwhile("PutAttributes", lambda: server.cut("PutAttributes", Cut.BEFORE, times=4))
    takeover.farm.here.run("retry", job, code=ExitCode.UNREACHABLE)
    server.heal()
    assert takeover.raw(job)["job_state"] == "ABANDONED"
    return job


def moved_twice(takeover: Takeover) -> JobId:
    """A job that nommerctl has written several times."""
    job = takeover.producer().submit()
    takeover.minute()
    for command in ("cancel", "retry"):
        takeover.farm.here.run(command, job)
        takeover.minute()
    return job


@pytest.mark.slow
def test_a_retry_that_was_cut_in_half_goes_on_by_itself_though_its_message_was_never_sent(takeover: Takeover) -> None:
    job = lost_retry(takeover)

    for _ in range(3):
        takeover.clock.advance(HOUR)
        takeover.minute()

    assert (takeover.state(job), takeover.raw(job)["job_state"]) == ("PENDING", "PENDING")
    assert takeover.worker().take() == job


@pytest.mark.slow
def test_a_signal_between_the_two_steps_of_a_write_ends_the_command_after_the_second(takeover: Takeover) -> None:
    job = takeover.producer().submit()
    takeover.minute()
    takeover.farm.server.meanwhile("PutAttributes", lambda: os.kill(os.getpid(), signal.SIGTERM))

    takeover.farm.here.run("cancel", job, code=None)

    assert takeover.raw(job)["job_state"] == "ABANDONED"
    takeover.minute()
    assert takeover.state(job) == "ABANDONED"


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["record", "name"])
def test_the_list_goes_on_when_side_records_are_lost_or_the_farm_gets_another_name(
    takeover: Takeover, lost: str
) -> None:
    farm, job = takeover.farm, moved_twice(takeover)
    if lost == "record":
        farm.server.delete(jobs_table(farm.name), job)
    else:
        farm.here.settings["FARM_NAME"] = f"{farm.name}b"

    worker = takeover.worker()
    for state in ("ENCODING", "FINISHED"):
        worker.set_state(job, state)
        takeover.minute()
        assert takeover.state(job) == state


@pytest.mark.slow
def test_an_item_with_nothing_to_know_it_by_holds_up_no_refresh(takeover: Takeover, listener: Web) -> None:
    settings = takeover.farm.settings
    takeover.farm.server.put(
        settings.job_domain, NOBODY, {"dest_path": "s3://films/x.mp4", "notify_url": listener.url("/told")}
    )
    takeover.minute()
    refused = takeover.farm.here.run("cancel", NOBODY, code=ExitCode.ITEMS_FAILED)
    good, worker = takeover.producer().submit(notify_url=listener.url("/told")), takeover.worker()
    worker.send(settings.changes_queue, NOBODY)
    worker.set_state(good, "ENCODING")

    takeover.clock.advance(HOUR)
    takeover.minute()

    assert "has nothing to know it by: put it right" in refused.stdout
    assert takeover.state(good) == "ENCODING"
    assert "ENCODING" in told(listener, good)


@pytest.mark.slow
def test_a_job_whose_write_was_cut_in_half_is_copied_when_simpledb_is_left(takeover: Takeover) -> None:
    job = lost_retry(takeover)
    takeover.producer().submit()

    copied = takeover.farm.here.run(*TO_LOCAL).json

    assert (copied["agree"], copied["from"]["jobs"], copied["to"]["jobs"]) == (True, 2, 2)
    assert job in {change["target"] for change in copied["changed"]}


@pytest.mark.slow
def test_a_job_without_times_is_copied_once_it_was_seen(takeover: Takeover) -> None:
    takeover.farm.server.put(takeover.farm.settings.job_domain, NOBODY, {"unique_id": NOBODY})
    takeover.producer().submit()
    takeover.minute()
    takeover.clock.advance(HOUR)

    copied = takeover.farm.here.run(*TO_LOCAL).json
    takeover.clock.advance(HOUR)
    again = takeover.farm.here.run(*TO_LOCAL).json

    assert (copied["agree"], again["agree"], again["changed"]) == (True, True, [])
    assert again["from"]["sha256"] == again["to"]["sha256"] == copied["to"]["sha256"]
