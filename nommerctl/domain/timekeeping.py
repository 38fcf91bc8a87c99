"""Whether the farm's time goes on: passes that succeed when they should, and a clock that does not go back."""

from collections.abc import Iterable, Mapping

from msgspec import structs

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.config import ScheduleSettings
from nommerctl.domain.schedule import PassRecord, frequency, overdue, overdue_sentence
from nommerctl.domain.times import Instant, age, micros, rfc3339, seconds_between

_SLACK = micros(2.0)
"""How far a record may be ahead of a clock that was read after it: no two clocks of one machine differ by more."""

_FIRST_YEAR, _LAST_YEAR = 2025, 2099
"""A clock outside of these years was never set: there was no nommerctl before."""

_TO_THE_SCHEDULER = "put the lines of 'nommerctl schedule --cron' into your crontab"


def judge_passes(records: Iterable[PassRecord], schedule: ScheduleSettings, now: Instant) -> list[Finding]:
    """Judge each pass that cron or a timer should run. If neither ever ran one, say only that."""
    known = {record.name: record for record in records}
    intervals = structs.asdict(schedule)
    if not any(known[name].unattended_since for name in intervals if name in known):
        return [Finding("passes", Verdict.WARNING, "none was ever run by cron or a timer", _TO_THE_SCHEDULER)]
    return [_judge_pass(name, known.get(name), interval, now) for name, interval in intervals.items()]


def _judge_pass(name: str, record: PassRecord | None, interval: float, now: Instant) -> Finding:
    check = f"pass {name}"
    if record is None or record.unattended_since is None:
        return Finding(check, Verdict.WARNING, "was never run by cron or a timer, others were", _TO_THE_SCHEDULER)
    if overdue(record, interval, now):
        found, _, advice = overdue_sentence(record, interval, now).partition("; ")
        return Finding(check, Verdict.FAILED, found, advice)
    since = age(seconds_between(record.unattended_since, now))
    if record.succeeded is None:
        return Finding(check, Verdict.OK, f"first run by cron or a timer {since} ago, has not ended well yet")
    succeeded = age(seconds_between(record.succeeded, now))
    runs = frequency(interval)
    return Finding(check, Verdict.OK, f"succeeded {succeeded} ago ({runs}, by cron or a timer for {since})")


def judge_clock(records: Mapping[str, Instant], now: Instant) -> Finding:
    """Judge the clock by its year, and by what is dated: `records` has instants by name, and `now` was read later."""
    dated = f"it is {rfc3339(now)[:19]}Z"
    if not _FIRST_YEAR <= int(rfc3339(now)[:4]) <= _LAST_YEAR:
        return Finding("clock", Verdict.FAILED, f"{dated}, which cannot be", "set the clock")
    name, latest = max(records.items(), key=lambda record: record[1], default=("", 0))
    if latest > now + _SLACK:
        ahead = age(seconds_between(now, latest))
        found = f"it went back: {name} is dated {ahead} after now ({rfc3339(now)[:19]}Z)"
        return Finding("clock", Verdict.FAILED, found, "set the clock; until it gets there again nothing is overdue")
    return Finding("clock", Verdict.OK, f"{dated}, and no record is dated later")
