import shutil
import subprocess

import pytest

from nommerctl.domain.schedule import (
    PassRecord,
    cron_expression,
    frequency,
    is_regular,
    on_calendar,
    overdue,
    overdue_sentence,
)
from nommerctl.domain.times import micros
from tests.fakes.clock import START

SYSTEMD_ANALYZE = shutil.which("systemd-analyze") or ""

MINUTE = 60.0
HOUR = 3_600.0

INTERVALS = [
    (MINUTE, "* * * * *", "*-*-* *:*:00", "every minute"),
    (5 * MINUTE, "*/5 * * * *", "*-*-* *:00/5:00", "every 5min"),
    (30 * MINUTE, "*/30 * * * *", "*-*-* *:00/30:00", "every 30min"),
    (HOUR, "0 * * * *", "*-*-* *:00:00", "every hour"),
    (6 * HOUR, "0 */6 * * *", "*-*-* 00/6:00:00", "every 6h"),
    (24 * HOUR, "0 0 * * *", "*-*-* 00:00:00", "every day"),
]


@pytest.mark.parametrize(("seconds", "cron", "calendar", "words"), INTERVALS)
def test_an_interval_in_the_words_of_cron_systemd_and_people(
    seconds: float, cron: str, calendar: str, words: str
) -> None:
    assert is_regular(seconds)
    assert cron_expression(seconds) == cron
    assert on_calendar(seconds) == calendar
    assert frequency(seconds) == words


@pytest.mark.skipif(not SYSTEMD_ANALYZE, reason="no systemd here to ask")
def test_systemd_reads_these_words() -> None:
    calendars = [calendar for _, _, calendar, _ in INTERVALS]

    said = subprocess.run([SYSTEMD_ANALYZE, "calendar", *calendars], capture_output=True, text=True, check=True)

    normal = [line.partition(": ")[2] for line in said.stdout.splitlines() if "Normalized form" in line]
    assert normal == calendars


@pytest.mark.parametrize("seconds", [0.0, 1.0, 59.0, 90.0, 7 * MINUTE, 59 * MINUTE, 90 * MINUTE, 5 * HOUR, 48 * HOUR])
def test_what_cron_cannot_say_is_not_regular(seconds: float) -> None:
    assert not is_regular(seconds)


def test_a_pass_that_only_people_ran_is_never_overdue() -> None:
    record = PassRecord(name="refresh", started=START, succeeded=START)

    assert not overdue(record, MINUTE, START + micros(30 * 86_400))


def test_a_scheduled_pass_is_overdue_after_three_intervals_without_success() -> None:
    record = PassRecord(name="refresh", started=START, code=0, succeeded=START, unattended_since=START)

    assert not overdue(record, MINUTE, START + micros(180))
    assert overdue(record, MINUTE, START + micros(181))


def test_a_success_of_last_week_does_not_make_a_new_schedule_overdue() -> None:
    record = PassRecord(name="scale", started=START, succeeded=START - micros(7 * 86_400), unattended_since=START)

    assert not overdue(record, MINUTE, START + micros(60))
    assert overdue(record, MINUTE, START + micros(200))


def test_a_pass_that_fails_is_told_with_its_exit_code() -> None:
    record = PassRecord(
        name="refresh", started=START + micros(420), code=69, succeeded=START, unattended_since=START - micros(9000)
    )

    assert overdue_sentence(record, MINUTE, START + micros(440)) == (
        "refresh has not succeeded for 7 min (it should every minute);"
        " its last run ended with exit code 69: run 'nommerctl refresh' to see why"
    )


def test_a_pass_that_is_not_started_any_more_is_told_so() -> None:
    record = PassRecord(name="prune", started=START, code=0, succeeded=START, unattended_since=START)

    assert overdue_sentence(record, 5 * MINUTE, START + micros(7_200)) == (
        "prune has not succeeded for 2 h (it should every 5min);"
        " it was last started 2 h ago: see that cron or its timer still runs it"
    )


def test_a_first_run_that_never_ends_is_told_so() -> None:
    record = PassRecord(name="scale", started=START, unattended_since=START - micros(240))

    assert overdue(record, MINUTE, START + micros(60))
    assert overdue_sentence(record, MINUTE, START + micros(60)) == (
        "scale has not succeeded for 5 min (it should every minute);"
        " its last run has not ended: run 'nommerctl scale' to see why"
    )
