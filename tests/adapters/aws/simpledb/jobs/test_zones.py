"""Times without a zone: what they mean where the hosts are, in the hours when clocks there are put on and back."""

from datetime import UTC, datetime
from functools import partial

import pytest

from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.adapters.aws.simpledb.zones import OldZone, latest
from nommerctl.domain.moves import cancelled, told
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from tests.adapters.aws.simpledb.jobs.deployment import URL, Deployment, course
from tests.fakes.clock import START

HOUR = 3600.0


def at(text: str) -> Instant:
    """An instant in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("UTC", "2026-01-01 09:00:00.000000"),
        ("America/Los_Angeles", "2026-01-01 01:00:00.000000"),
        ("Asia/Kolkata", "2026-01-01 14:30:00.000000"),
        ("Pacific/Kiritimati", "2026-01-01 23:00:00.000000"),
        ("Pacific/Marquesas", "2025-12-31 23:30:00.000000"),
    ],
)
def test_times_are_written_and_read_in_the_zone_of_the_hosts(deployment: Deployment, zone: str, written: str) -> None:
    deployment.zone = zone
    job = deployment.produce()

    assert deployment.item(job)["creation_dtime"] == written
    assert deployment.job(job).created == START
    assert OldZone(zone).text(START) == written


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Asia/Tokyo"])
def test_lists_by_time_are_right_to_the_microsecond_whatever_the_zone(deployment: Deployment, zone: str) -> None:
    deployment.zone = zone
    store = deployment.store()
    before, after = deployment.produce(job_state="FINISHED"), deployment.produce(job_state="FINISHED")
    working, waiting = deployment.produce(), deployment.produce()
    deployment.write(before, "FINISHED", at=START - 1)
    deployment.write(after, "FINISHED", at=START)
    deployment.write(working, "ENCODING", at=START - 1)
    deployment.write(waiting, "PENDING", at=START)

    assert [job.id for job in store.finished_before(START)] == [before]
    assert [job.id for job in store.finished_since(START)] == [after]
    assert [job.id for job in store.silent(in_work_before=START, pending_before=START)] == [working]
    both = store.silent(in_work_before=START, pending_before=START + 1)
    assert [job.id for job in both] == [working, waiting]


# --- what is no time, or only nearly


@pytest.mark.parametrize(
    ("text", "instants"),
    [
        ("2026-01-01 09:00:00", (START,)),
        ("2026-01-01 09:00:00.000000", (START,)),
        ("2026-01-01 09:00:00.5", (START + micros(0.5),)),
        ("2026-01-01 09:00:00.000001", (START + 1,)),
        ("2026-01-01 09:00:00.", ()),
        ("2026-01-01 09:00:00.1234567", ()),
        ("2026-01-01T09:00:00", ()),
        ("2026-01-01 09:00", ()),
        ("2026-02-30 09:00:00", ()),
        ("2026-01-01 24:00:00", ()),
        ("0000-01-01 00:00:00", ()),
        ("0001-01-01 00:00:00", ()),
        ("1969-12-31 23:59:59", ()),
        ("9999-12-31 23:59:59.999999", (253402300799999999,)),
        ("\u0662026-01-01 09:00:00", ()),
        ("2026-01-01 09:00:00\n", ()),
        ("None", ()),
        ("", ()),
    ],
)
def test_a_text_is_a_time_or_none(text: str, instants: tuple[Instant, ...]) -> None:
    assert OldZone("UTC").instants(text) == instants


def test_the_ends_of_time_are_none_where_they_are_beyond_it() -> None:
    assert OldZone("America/New_York").instants("9999-12-31 23:59:59") == ()
    assert OldZone("Asia/Tokyo").instants("0001-01-01 00:00:00") == ()


def test_a_time_without_microseconds_is_read_and_the_next_one_has_them(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = deployment.produce(last_modified_dtime="2026-01-01 09:00:00", creation_dtime="2026-01-01 09:00:00")
    assert (deployment.job(job).created, deployment.job(job).changed, deployment.job(job).fault) == (START, START, None)

    store.transition(job, deployment.claim())

    assert deployment.item(job)["last_modified_dtime"] == "2026-01-01 09:00:01.000000"


# --- the wrong zone


@pytest.mark.parametrize("hosts", ["Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
@pytest.mark.parametrize("recorded", [True, False])
def test_a_zone_that_was_wrong_is_put_right_by_setting_it_right(
    deployment: Deployment, hosts: str, *, recorded: bool
) -> None:
    # given a job that was seen, and written into a record of ours perhaps, while the wrong zone was set
    deployment.zone = hosts
    job = deployment.produce(notify_url=URL)
    deployment.zone = "UTC"
    wrong = deployment.refreshed(job)
    assert (wrong.fault, wrong.created == START) == (None, False)
    if recorded:
        deployment.store().transition(job, partial(told, seq=1))

    deployment.zone = hosts
    deployment.clock.advance(1)

    found = deployment.refreshed(job)
    assert (found.created, found.changed, [entry.at for entry in found.history]) == (START, START, [START])
    assert found.told == int(recorded)
    # and what comes after it comes after it
    deployment.write(job, "ENCODING")
    found = deployment.refreshed(job)
    assert [entry.at for entry in found.history] == [START, START + micros(1.0)]
    assert course(found) == ["PENDING", "ENCODING"]


def test_in_a_wrong_zone_too_what_we_wrote_is_what_it_was(deployment: Deployment) -> None:
    job = deployment.begun()
    before = deployment.job(job)

    deployment.zone = "Asia/Tokyo"

    assert deployment.job(job) == before


# --- the hour that comes twice

FIRST = at("2026-11-01 05:30:00")
"""When it is 1:30 in New York for the first time on the day when clocks are put back, an hour before the second."""
SECOND = at("2026-11-01 06:30:00")
HALF_PAST_ONE = "2026-11-01 01:30:00.000000"


@pytest.fixture
def new_york(deployment: Deployment) -> Deployment:
    deployment.zone = "America/New_York"
    deployment.clock.now = FIRST
    return deployment


def test_both_of_it_are_known_and_the_later_one_is_meant_unless_it_is_still_to_come() -> None:
    instants = OldZone("America/New_York").instants(HALF_PAST_ONE)

    assert instants == (FIRST, SECOND)
    assert [latest(instants, now) for now in (FIRST - 1, FIRST, SECOND - 1, SECOND)] == [FIRST, FIRST, FIRST, SECOND]
    assert latest((), FIRST) is None


def test_what_happens_in_it_is_kept_in_the_order_in_which_it_did(new_york: Deployment) -> None:
    job = new_york.produce(notify_url=URL)
    new_york.refreshed(job)
    written = []
    for state in ("DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"):
        new_york.clock.advance(20 * 60)
        new_york.write(job, state)
        written.append(new_york.item(job)["last_modified_dtime"][11:16])
        new_york.refreshed(job)
    assert written == ["01:50", "01:10", "01:30", "01:50"]

    new_york.clock.advance(24 * HOUR)

    found = new_york.job(job)
    assert course(found) == ["PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"]
    assert [entry.at for entry in found.history] == [FIRST + micros(20 * 60.0 * step) for step in range(5)]


def test_what_we_write_in_it_is_what_it_was_for_us_an_hour_later_too(new_york: Deployment) -> None:
    job = new_york.submit()
    store = new_york.store()
    for _ in range(2):
        moved = store.transition(job, new_york.claim(seconds=0))
        new_york.clock.advance(HOUR - 1)
        assert new_york.job(job) == moved


def test_a_job_whose_only_time_is_in_it_looks_fresher_by_an_hour_and_no_more(new_york: Deployment) -> None:
    job = new_york.produce()
    assert new_york.job(job).changed == FIRST

    new_york.clock.advance(HOUR)

    assert new_york.job(job).changed == SECOND


def test_what_was_kept_in_it_is_no_second_change_an_hour_later(new_york: Deployment) -> None:
    job = new_york.produce(notify_url=URL)
    kept = new_york.refreshed(job)

    new_york.clock.advance(HOUR)

    assert new_york.refreshed(job) == new_york.job(job) == kept
    assert (kept.changed, course(kept)) == (FIRST, ["PENDING"])


def test_lists_by_time_miss_nothing_though_texts_are_in_another_order_then(new_york: Deployment) -> None:
    # given two jobs of ours, abandoned at 1:50 and twenty minutes later, at 1:10
    jobs = [new_york.submit(number) for number in (1, 2)]
    new_york.clock.now = FIRST
    for job in jobs:
        moment = new_york.clock.advance(20 * 60)
        new_york.store().transition(job, partial(cancelled, now=moment, by="ops"))
        new_york.store().transition(job, partial(told, seq=2))
    assert [new_york.item(job)["last_modified_dtime"][11:16] for job in jobs] == ["01:50", "01:10"]
    early, late = FIRST + micros(20 * 60.0), FIRST + micros(40 * 60.0)

    assert [job.id for job in new_york.store().finished_since(early)] == jobs
    assert [job.id for job in new_york.store().finished_before(late)] == jobs[:1]


# --- the hour that there is not


def test_a_time_in_it_is_one_that_a_clock_showed_that_was_not_put_on_or_was_too_early() -> None:
    assert OldZone("America/New_York").instants("2026-03-08 02:30:00") == (
        at("2026-03-08 06:30:00"),
        at("2026-03-08 07:30:00"),
    )


def test_over_it_history_goes_on(deployment: Deployment) -> None:
    deployment.zone = "America/New_York"
    deployment.clock.now = at("2026-03-08 06:59:59")
    job = deployment.produce(notify_url=URL)
    deployment.refreshed(job)
    deployment.clock.advance(2)
    deployment.write(job, "DOWNLOADING")
    assert deployment.item(job)["last_modified_dtime"] == "2026-03-08 03:00:01.000000"

    found = deployment.refreshed(job)

    assert (found.state, course(found)) == (JobState.DOWNLOADING, ["PENDING", "DOWNLOADING"])
    assert found.history[1].at - found.history[0].at == micros(2.0)
