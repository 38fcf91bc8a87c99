"""Names and values that a pass found, for people."""

from collections.abc import Mapping

from nommerctl.domain.text import shown


def labelled(values: Mapping[str, int | float | str | None]) -> list[tuple[str, str]]:
    """Return names and values of a flat mapping for people: `cache_age_s`, 12.5 is `cache age`, `12.5 s`."""
    named: list[tuple[str, str]] = []
    for name, value in values.items():
        unit = " s" if name.endswith("_s") and value is not None else ""
        named.append((shown(name).removesuffix("_s").replace("_", " "), _value(value) + unit))
    return named


def _value(value: float | str | None) -> str:
    return "-" if value is None else shown(str(value))
