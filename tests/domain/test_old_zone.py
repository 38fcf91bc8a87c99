import pytest

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.old_zone import judge_zone
from nommerctl.domain.times import micros
from tests.fakes.clock import START

MINUTE, HOUR = 60.0, 3600.0


def judged(*ahead: float, zone: str = "America/New_York", offset: float = -5 * HOUR) -> Finding:
    """What is said of old workers whose last heartbeats are dated so many seconds after now."""
    return judge_zone(zone, offset, {f"i-{number}": START + micros(each) for number, each in enumerate(ahead)}, START)


@pytest.mark.parametrize("ahead", [0.0, -59.0, 300.0, -1799.0])
def test_a_heartbeat_of_late_fits(ahead: float) -> None:
    assert judged(ahead) == Finding("old zone", Verdict.OK, "'America/New_York' fits 1 of 1 old worker")


def test_where_no_old_worker_runs_nothing_can_be_said() -> None:
    assert judged().verdict is Verdict.OK
    assert judged().found == "'America/New_York'; no old worker runs whose heartbeat could give away another"


@pytest.mark.parametrize(
    ("ahead", "hours", "where", "right"),
    [
        (5 * HOUR - 30, "5", "after", "UTC+00:00"),
        (HOUR - 30, "1", "after", "UTC-04:00"),
        (10.5 * HOUR - 179, "10.5", "after", "UTC+05:30"),
        (-HOUR - 61, "1", "before", "UTC-06:00"),
        (-3 * HOUR, "3", "before", "UTC-08:00"),
        (-3 * HOUR + 59, "3", "before", "UTC-08:00"),
        (-0.5 * HOUR - 239, "0.5", "before", "UTC-05:30"),
    ],
)
def test_one_of_another_zone_says_by_how_much_and_what_to_set(ahead: float, hours: str, where: str, right: str) -> None:
    assert judged(ahead) == Finding(
        "old zone",
        Verdict.WARNING,
        f"the last heartbeats of 1 old worker are dated {hours} h {where} now, read in 'America/New_York'",
        f"set simpledb.old_zone to the zone that they are in, one whose clocks are at {right} now",
    )


@pytest.mark.parametrize("ahead", [-40 * MINUTE, -HOUR - 241, -27 * HOUR, -100 * HOUR])
def test_one_that_fell_silent_at_any_other_time_says_nothing_of_zones(ahead: float) -> None:
    assert judged(ahead).verdict is Verdict.OK


def test_where_another_fits_one_of_hours_ago_is_dead() -> None:
    assert judged(-30.0, -HOUR - 30).found == "'America/New_York' fits 1 of 2 old workers"


@pytest.mark.parametrize("others", [(), (-30.0,)], ids=["alone", "beside one that fits"])
def test_a_clock_that_is_a_little_ahead_is_no_zone(others: tuple[float, ...]) -> None:
    assert judged(7 * MINUTE, *others) == Finding(
        "old zone",
        Verdict.WARNING,
        "the heartbeat of old worker i-0 is dated 7 min after now",
        "see the clock and the time zone of that host",
    )


def test_of_several_zones_the_one_of_most_workers_is_named() -> None:
    assert " 2 old workers are dated 5 h after now" in judged(5 * HOUR, 3 * HOUR, 5 * HOUR - 60).found
