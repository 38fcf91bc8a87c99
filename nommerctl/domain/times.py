"""Time as the farm keeps it: instants are integer microseconds since 1970 UTC, durations are seconds."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias

from msgspec import Meta

_END = 253_402_300_800_000_000
"""The year 10000, of which no calendar here knows."""

Instant: TypeAlias = Annotated[int, Meta(ge=0, lt=_END)]
"""Microseconds since 1970-01-01T00:00:00Z."""

AHEAD: Instant = 600_000_000
"""Microseconds that an instant may be ahead of now. What is dated later was written before the clock went back: no pass
goes by a clock that it read longer ago, unless it may take longer than ten minutes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = 1_000_000


def micros(seconds: float) -> int:
    """Return a duration in seconds as microseconds, to be added to an Instant."""
    return round(seconds * _MICROSECONDS)


def impossible(at: Instant, now: Instant) -> bool:
    """Whether something that has happened is dated so far after now that the clock must have gone back since."""
    return at > now + AHEAD


def seconds_between(earlier: Instant, later: Instant) -> float:
    """Return how many seconds passed from one instant to another (negative if they stand the other way round)."""
    return (later - earlier) / _MICROSECONDS


def moment(at: Instant) -> datetime:
    """Return an instant as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at)


def rfc3339(at: Instant) -> str:
    """Return an instant as RFC 3339 in UTC, to the microsecond: `2026-01-31T09:00:00.000000Z`."""
    return moment(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def age(seconds: float) -> str:
    """Return a duration as a person says it, in its largest sensible unit: `42 s`, `7 min`, `3 h`, `12 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
