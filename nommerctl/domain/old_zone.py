"""Whether the time zone of media-nommer's hosts is set right, as far as its workers' heartbeats give that away."""

from collections.abc import Mapping

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.fleet import NodeId
from nommerctl.domain.text import counted, shown
from nommerctl.domain.times import Instant, age, seconds_between

CHECK = "old zone"

_FITS_AHEAD = 300.0
_FITS_BEHIND = 1800.0
"""Seconds. A worker gives a heartbeat about every minute, by a clock that may be off."""

_HALF_HOUR = 1800.0
"""What zones differ by, but for three of them."""

_EARLY, _LATE = 60.0, 240.0
"""Seconds by which what is dated in another zone may be off half an hour, or several, when it is looked at."""

_APART = 26 * 3600.0
"""What zones differ by at most."""


def judge_zone(zone: str, offset: float, beats: Mapping[NodeId, Instant], now: Instant) -> Finding:
    """Judge the setting by the last heartbeats of old workers whose instances run, as read in that zone.

    `offset` is by how many seconds the clocks of the zone are ahead of UTC now. A worker that died without its instance
    may have done so just so many half hours ago: so this only warns, and not where others fit.
    """
    ahead = {node: seconds_between(now, at) for node, at in beats.items()}
    fitting = [node for node, seconds in ahead.items() if -_FITS_BEHIND < seconds <= _FITS_AHEAD]
    future = {node: seconds for node, seconds in ahead.items() if seconds > _FITS_AHEAD}
    shifts = {node: shift for node, seconds in ahead.items() if (shift := _shift(seconds))}
    if future and (fitting or not shifts):
        node = max(future, key=lambda node: future[node])
        dated = f"the heartbeat of old worker {shown(node)} is dated {age(future[node])} after now"
        return Finding(CHECK, Verdict.WARNING, dated, "see the clock and the time zone of that host")
    if fitting:
        return Finding(CHECK, Verdict.OK, f"'{zone}' fits {len(fitting)} of {counted(len(beats), 'old worker')}")
    if not shifts:
        return Finding(CHECK, Verdict.OK, f"'{zone}'; no old worker runs whose heartbeat could give away another")
    shift = max(set(shifts.values()), key=lambda each: (list(shifts.values()).count(each), -abs(each)))
    off = [node for node, each in shifts.items() if each == shift]
    where = "after" if shift > 0 else "before"
    whose = counted(len(off), "old worker")
    apart = f"the last heartbeats of {whose} are dated {_hours(abs(shift))} h {where} now, read in '{zone}'"
    advice = f"set simpledb.old_zone to the zone that they are in, one whose clocks are at {_utc(offset + shift)} now"
    return Finding(CHECK, Verdict.WARNING, apart, advice)


def _shift(ahead: float) -> float:
    """By how many seconds another zone would make it so, 0 if none would."""
    if ahead > _FITS_AHEAD:
        return min(round(ahead / _HALF_HOUR) * _HALF_HOUR, _APART) if ahead < _APART else 0.0
    behind = -ahead
    halves = (behind + _EARLY) // _HALF_HOUR
    near = -_EARLY <= behind - halves * _HALF_HOUR <= _LATE
    return -halves * _HALF_HOUR if halves and near and behind < _APART else 0.0


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g}"


def _utc(offset: float) -> str:
    minutes = round(abs(offset) / 60)
    return f"UTC{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
