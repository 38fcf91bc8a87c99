"""How long a ledger shows what was noted in it, and keeps it; all in seconds, and the same in every store."""

_HOUR = 3600
_DAY = 24 * _HOUR

LAUNCHES_SHOWN = _DAY
CHECK_INS_SHOWN = LAUNCHES_SHOWN + _HOUR
"""Longer than orders, so that of each that is shown it is known which of its nodes came up."""

REFUSALS_SHOWN = _HOUR
BEATS_KEPT = _DAY
DECISIONS_KEPT = 7 * _DAY

SPARE = _HOUR
"""How much longer than it is shown a record is kept that expires: by the clock of a store, or of another machine."""
