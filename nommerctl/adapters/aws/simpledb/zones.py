"""Media-nommer's times: local to the hosts that wrote them, and without their zone."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from nommerctl.domain.times import Instant, impossible, micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?")
_MICROSECOND_DIGITS = 6

IN_ANY_ZONE = micros(26 * 3600)
"""How far the clocks of two zones are apart at most, from UTC-12 to UTC+14."""


class OldZone:
    """The zone that old hosts have their time in (setting `simpledb.old_zone`)."""

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)

    def text(self, at: Instant) -> str:
        """Return an instant as old hosts write it, always with its microseconds: without them old code fails."""
        return (_EPOCH + timedelta(microseconds=at)).astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S.%f")

    def instants(self, text: str) -> tuple[Instant, ...]:
        """Return the instants that a text may mean, the earlier one first: two in the hour that comes twice.

        None if it is no time; microseconds may be missing.
        """
        if not _TIME.fullmatch(text):
            return ()
        whole, _, fraction = text.partition(".")
        try:
            local = datetime.fromisoformat(f"{whole}.{fraction.ljust(_MICROSECOND_DIGITS, '0')}")
            meant = {local.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        except (ValueError, OverflowError):
            return ()
        return tuple(at for each in sorted(meant) if (at := (each - _EPOCH) // _MICROSECOND) >= 0)

    def passed(self, text: str, now: Instant) -> tuple[Instant, ...]:
        """Return those of `instants` that are not so far ahead of now that even in a wrong zone they could not be."""
        return tuple(at for at in self.instants(text) if not impossible(at - IN_ANY_ZONE, now))


def latest(instants: tuple[Instant, ...], now: Instant) -> Instant | None:
    """Return the last of some instants that is not still to come, the first if all are; None if there are none.

    So a job looks an hour fresher than it may be, and is not given up for that hour.
    """
    passed = [at for at in instants if at <= now]
    return passed[-1] if passed else next(iter(instants), None)
