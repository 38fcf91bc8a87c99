"""How often the passes run: the interval in the words of cron and systemd, and when a pass is overdue."""

from msgspec import Struct

from nommerctl.domain.durations import duration_text
from nommerctl.domain.times import Instant, age, micros, seconds_between

_MINUTES_IN_HOUR = 60
_HOURS_IN_DAY = 24
_MISSED_RUNS = 3


class PassRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of the runs of one pass.

    `started` is the last start, `code` the exit code of the last run that ended, `succeeded` when a run last ended
    well. `unattended_since` is the first start by a scheduler, without a terminal; None if there was none. `notice` is
    what every command has to say since the last run, before `notice_until`; empty if there is nothing.
    """

    name: str
    started: Instant
    code: int | None = None
    succeeded: Instant | None = None
    unattended_since: Instant | None = None
    notice: str = ""
    notice_until: Instant | None = None


def noticed(record: PassRecord, now: Instant) -> str:
    """Return what every command has to say now since this pass last ran."""
    return record.notice if record.notice_until is None or now < record.notice_until else ""


def is_regular(seconds: float) -> bool:
    """Whether cron can start something at this interval, evenly over the day.

    So it must be whole minutes that divide an hour, whole hours that divide a day, or a day.
    """
    minutes = seconds / 60
    if minutes < 1 or minutes != int(minutes):
        return False
    if minutes < _MINUTES_IN_HOUR:
        return _MINUTES_IN_HOUR % minutes == 0
    return (_HOURS_IN_DAY * _MINUTES_IN_HOUR) % minutes == 0 and minutes % _MINUTES_IN_HOUR == 0


def cron_expression(seconds: float) -> str:
    """Return the five time fields of a crontab line, for an interval that `is_regular`: `*/5 * * * *`."""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours == _HOURS_IN_DAY:
        return "0 0 * * *"
    if hours:
        return f"0 {_every(hours)} * * *"
    return f"{_every(minutes)} * * * *"


def on_calendar(seconds: float) -> str:
    """Return the same instants of the day for systemd's OnCalendar: `*-*-* *:00/5:00`."""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours == _HOURS_IN_DAY:
        return "*-*-* 00:00:00"
    if hours:
        return f"*-*-* {_from_zero(hours)}:00:00"
    return f"*-*-* *:{_from_zero(minutes)}:00"


def frequency(seconds: float) -> str:
    """Return an interval as a person says it: `every minute`, `every 5min`, `every 6h`."""
    one_of = {60: "minute", 3_600: "hour", 86_400: "day"}
    return f"every {one_of.get(int(seconds)) or duration_text(seconds)}"


def overdue(record: PassRecord, interval: float, now: Instant) -> bool:
    """Whether a pass that a scheduler once ran has not succeeded for three intervals.

    One that was only ever run by hand never is: nobody promised to run it again.
    """
    since = _waiting_since(record)
    return since is not None and now - since > micros(_MISSED_RUNS * interval)


def overdue_sentence(record: PassRecord, interval: float, now: Instant) -> str:
    """Return what is wrong with an overdue pass, and where to look: it is not started any more, or it fails."""
    since = _waiting_since(record) or now
    silence = f"{record.name} has not succeeded for {age(seconds_between(since, now))}"
    if now - record.started > micros(_MISSED_RUNS * interval):
        idle = age(seconds_between(record.started, now))
        remedy = f"it was last started {idle} ago: see that cron or its timer still runs it"
    elif record.code:
        remedy = f"its last run ended with exit code {record.code}: run 'nommerctl {record.name}' to see why"
    else:
        remedy = f"its last run has not ended: run 'nommerctl {record.name}' to see why"
    return f"{silence} (it should {frequency(interval)}); {remedy}"


def _waiting_since(record: PassRecord) -> Instant | None:
    """The last success, or the first unattended start if that is later; None if no scheduler ever ran it."""
    if record.unattended_since is None:
        return None
    return max(record.unattended_since, record.succeeded or 0)


def _every(step: int) -> str:
    return "*" if step == 1 else f"*/{step}"


def _from_zero(step: int) -> str:
    return "*" if step == 1 else f"00/{step}"
