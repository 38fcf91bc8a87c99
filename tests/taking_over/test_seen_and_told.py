"""Old workers and their listeners: what is told although no item says it any more, or not; what is left to workers."""

import pytest

from nommerctl.domain.times import rfc3339
from tests.taking_over.takeover import HOUR, Takeover, told
from tests.web import Exchange, reply, serving


@pytest.mark.slow
def test_each_state_is_told_in_order_when_the_listener_is_up_again(takeover: Takeover) -> None:
    answers = [500]
    with serving({"/told": lambda exchange: answer(exchange, answers[-1])}) as listener:
        job = takeover.producer().submit(notify_url=listener.url("/told"))
        takeover.minute(code=3)
        worker = takeover.worker()
        worker.take()
        for state in ("ENCODING", "UPLOADING", "FINISHED"):
            takeover.minute(code=None)
            worker.set_state(job, state)
        takeover.minute(code=None)
        assert set(told(listener)) == {"PENDING"}

        answers.append(200)
        listener.asked.clear()
        takeover.clock.advance(6 * HOUR)
        takeover.minute(2)

        assert told(listener, job) == ["PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"]
    assert takeover.state(job) == "FINISHED"
    assert worker.load(job)["job_state"] == "FINISHED"


@pytest.mark.slow
def test_a_listener_that_is_gone_is_asked_once_whatever_jobs_come_later(takeover: Takeover) -> None:
    with serving({"/told": reply(410)}) as listener:
        jobs = set()
        for _ in range(3):
            jobs.add(takeover.producer().submit(notify_url=listener.url("/told")))
            takeover.minute(2, code=None)

        assert len(listener.asked) == 1
    dead = takeover.farm.here.run("notify", "dead", "list", "--json").json["jobs"]
    assert {job["id"] for job in dead} == jobs


@pytest.mark.slow
def test_a_job_for_a_nommer_of_the_old_deployments_own_is_left_to_its_old_workers(takeover: Takeover) -> None:
    job = takeover.producer().submit(nommer="films.nommers.Special")
    takeover.worker().beat()
    takeover.minute()

    said = takeover.farm.cli.run("worker", "--once").stderr

    assert "left to other workers: this one has no nommer called 'films.nommers.Special'" in said
    assert takeover.raw(job)["job_state"] == "PENDING"
    assert takeover.messages() == {"new jobs": 1}


def answer(exchange: Exchange, status: int) -> None:
    """Answer with this status."""
    reply(status)(exchange)


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_times_that_were_read_in_a_wrong_zone_are_right_once_that_is_set_right(takeover: Takeover, zone: str) -> None:
    job = takeover.producer(zone).submit(notify_url="https://films.example/told")
    submitted = takeover.clock.now
    takeover.minute(code=None)  # in UTC, as the setting is where nobody sets it
    assert takeover.farm.here.listed()[job]["changed"] != rfc3339(submitted)

    takeover.farm.here.settings["SIMPLEDB_OLD_ZONE"] = zone
    takeover.farm.here.run("refresh", "--rebuild", code=None)

    listed = takeover.farm.here.listed()[job]
    assert (listed["created"], listed["changed"]) == (rfc3339(submitted), rfc3339(submitted))
