import pytest

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.config import ScheduleSettings
from nommerctl.domain.schedule import PassRecord
from nommerctl.domain.timekeeping import judge_clock, judge_passes
from nommerctl.domain.times import Instant, micros
from tests.fakes.clock import START

NOW = START + micros(86_400 * 3)
EVERY = ScheduleSettings()
YEAR = micros(365.25 * 86_400)


def ago(seconds: float) -> Instant:
    return NOW - micros(seconds)


def run(name: str, seconds: float, *, by_cron_for: float | None = 86_400 * 2) -> PassRecord:
    return PassRecord(
        name=name,
        started=ago(seconds),
        code=0,
        succeeded=ago(seconds),
        unattended_since=None if by_cron_for is None else ago(by_cron_for),
    )


PUNCTUAL = [run("refresh", 40), run("scale", 40), run("abandon", 200), run("prune", 200)]


def test_passes_that_cron_makes_are_well() -> None:
    assert judge_passes(PUNCTUAL, EVERY, NOW) == [
        Finding("pass refresh", Verdict.OK, "succeeded 40 s ago (every minute, by cron or a timer for 2 d)"),
        Finding("pass scale", Verdict.OK, "succeeded 40 s ago (every minute, by cron or a timer for 2 d)"),
        Finding("pass abandon", Verdict.OK, "succeeded 3 min ago (every 5min, by cron or a timer for 2 d)"),
        Finding("pass prune", Verdict.OK, "succeeded 3 min ago (every 5min, by cron or a timer for 2 d)"),
    ]


@pytest.mark.parametrize("records", [[], [run("refresh", 40, by_cron_for=None)]])
def test_that_cron_never_made_any_is_advice_and_said_once(records: list[PassRecord]) -> None:
    assert judge_passes(records, EVERY, NOW) == [
        Finding(
            "passes",
            Verdict.WARNING,
            "none was ever run by cron or a timer",
            "put the lines of 'nommerctl schedule --cron' into your crontab",
        )
    ]


def test_a_pass_that_cron_leaves_out_is_named() -> None:
    findings = judge_passes([*PUNCTUAL[:3], run("prune", 40, by_cron_for=None)], EVERY, NOW)
    assert findings[3] == Finding(
        "pass prune",
        Verdict.WARNING,
        "was never run by cron or a timer, others were",
        "put the lines of 'nommerctl schedule --cron' into your crontab",
    )


def test_an_overdue_pass_is_a_failure() -> None:
    findings = judge_passes([run("refresh", 3600), *PUNCTUAL[1:]], EVERY, NOW)
    assert findings[0] == Finding(
        "pass refresh",
        Verdict.FAILED,
        "refresh has not succeeded for 60 min (it should every minute)",
        "it was last started 60 min ago: see that cron or its timer still runs it",
    )
    assert {finding.verdict for finding in findings[1:]} == {Verdict.OK}


def test_a_pass_that_cron_has_just_begun_to_make_has_time() -> None:
    begun = PassRecord(name="refresh", started=ago(60), code=69, unattended_since=ago(60))
    (finding, *_) = judge_passes([begun], EVERY, NOW)
    assert (finding.verdict, finding.found) == (
        Verdict.OK,
        "first run by cron or a timer 60 s ago, has not ended well yet",
    )


def test_records_of_the_past_speak_for_the_clock() -> None:
    finding = judge_clock({"the last scale": ago(40), "the last refresh": NOW + micros(2)}, NOW)
    assert finding == Finding("clock", Verdict.OK, "it is 2026-01-04T09:00:00Z, and no record is dated later")
    assert judge_clock({}, NOW).verdict is Verdict.OK


def test_a_record_of_the_future_shows_that_the_clock_went_back() -> None:
    finding = judge_clock({"the last scale": NOW + micros(3), "the heartbeat of n1": NOW + micros(7200)}, NOW)
    assert finding == Finding(
        "clock",
        Verdict.FAILED,
        "it went back: the heartbeat of n1 is dated 2 h after now (2026-01-04T09:00:00Z)",
        "set the clock; until it gets there again nothing is overdue",
    )


def test_a_record_beyond_all_calendars_is_of_the_future_too() -> None:
    assert judge_clock({"the last scale": 10**30}, NOW).verdict is Verdict.FAILED


@pytest.mark.parametrize("now", [0, START - 2 * YEAR, START + 75 * YEAR])
def test_a_clock_that_was_never_set(now: Instant) -> None:
    finding = judge_clock({}, now)
    assert finding.verdict is Verdict.FAILED
    assert finding.found.endswith("which cannot be")
