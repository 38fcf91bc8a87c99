"""One value for one setting: turned into the setting's type, or refused in plain words."""

from typing import Any

import msgspec
from msgspec import Struct

from nommerctl.domain.config_fields import ConfigField
from nommerctl.domain.credentials import MASK, masked
from nommerctl.domain.durations import LONGEST, duration_text, parse_duration
from nommerctl.errors import SettingsError

_SHOWN_LENGTH = 60


class Given(Struct, frozen=True, kw_only=True):
    """A value that somebody gave for a setting.

    `said` is how a sentence names it, with where it stands; `place` is the where alone; `origin` is what the loaded
    settings remember. `textual` values came as text and are read as such: "3" is a number.
    """

    field: ConfigField
    value: Any
    said: str
    place: str
    origin: str
    textual: bool


def converted(given: Given) -> Any:  # noqa: ANN401 - the type is the setting's own
    """Return the value in the setting's own type and within its limits.

    Raises:
        SettingsError: it is not of that type, beyond a limit, or text that nothing on this system can be called.
    """
    if isinstance(given.value, str) and "\0" in given.value:
        raise refusal(given, "text without a NUL character")
    try:
        value = _seconds(given) if given.field.is_duration else _words(given)
        return msgspec.convert(value, given.field.annotation, strict=not given.textual)
    except ValueError as error:  # msgspec.ValidationError is one
        raise refusal(given, _allowed(given.field)) from error


def refusal(given: Given, allowed: str, *, instead: object = None) -> SettingsError:
    """Return the error that a value, or what is said to be `instead` among several, is not what it must be."""
    found = MASK if given.field.is_secret else shown(given.value if instead is None else instead)
    return SettingsError(f"{given.said} must be {allowed}, not {found}")


def shown(value: object) -> str:
    """Return a value as a sentence shows it: quoted if it is text, in TOML's words, never long."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list():
            return "a list"
        case str():
            text = masked(value)  # before it is cut: half a URI does not look like one
            return repr(text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}...")
        case _:
            return str(value)


def _words(given: Given) -> object:
    """Return what was given, as a list of words if it is the text of several."""
    if given.field.kind is not tuple or not isinstance(given.value, str) or not given.textual:
        return given.value
    return [word for each in given.value.split(",") if (word := each.strip())]


def _seconds(given: Given) -> object:
    seconds = parse_duration(given.value) if isinstance(given.value, str) else given.value
    if isinstance(seconds, int | float) and seconds > LONGEST:
        raise refusal(given, f"a duration of at most {duration_text(LONGEST)}")
    return seconds


def _allowed(field: ConfigField) -> str:
    if field.is_duration:
        above = " above zero" if _limit(field, "gt") == 0 else ""
        return f"a duration{above} such as 90s, 15min, 24h or 14d"
    if field.choices:
        return " or ".join(repr(choice) for choice in field.choices)
    if field.kind is bool:
        return "true or false"
    if field.kind is int:
        most = _limit(field, "le")
        return f"a whole number of at least {_limit(field, 'ge')}" + (f" and at most {most}" if most else "")
    if field.kind is tuple:
        return "a list of words without blanks or commas"
    pattern = _limit(field, "pattern")
    return f"text of the form {pattern} ({field.description.rstrip('.')})" if pattern else "text"


def _limit(field: ConfigField, name: str) -> Any:  # noqa: ANN401 - limits are numbers or text
    return next((limit for meta in field.metas if (limit := getattr(meta, name)) is not None), None)
