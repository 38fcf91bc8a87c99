"""Durations as people write them: from text to seconds and back."""

import re

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
_PLAIN = re.compile(_NUMBER)
_WITH_UNITS = re.compile(
    rf"(?:({_NUMBER})\s*d)?\s*(?:({_NUMBER})\s*h)?\s*(?:({_NUMBER})\s*(?:min|m))?\s*(?:({_NUMBER})\s*s)?"
)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))

LONGEST = 36_500 * 86_400.0
"""A hundred years, in seconds. Beyond it sums of instants would leave the calendar."""


def parse_duration(text: str) -> float:
    """Return the seconds of `90s`, `15min` or `15m`, `24h`, `14d`, `1h30min`, or of a plain number of seconds.

    Raises:
        ValueError: it is none of these. Limits are the caller's.
    """
    written = text.strip()
    if _PLAIN.fullmatch(written):
        return float(written)
    parts = _WITH_UNITS.fullmatch(written)
    if not written or parts is None:
        message = f"not a duration: {text!r}"
        raise ValueError(message)
    return sum(float(number) * size for number, (size, _) in zip(parts.groups(), _UNITS, strict=True) if number)


def duration_text(seconds: float) -> str:
    """Return a duration in the largest unit that says it exactly; `parse_duration` gives the same number back."""
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds) // size}{unit}"
    return f"{seconds!r}s" if seconds else "0s"
