"""Settings as a settings file: what `config generate` writes."""

import json
from itertools import groupby
from textwrap import wrap

from nommerctl.domain.config import Settings
from nommerctl.domain.config_fields import ConfigField, config_fields, section_description
from nommerctl.domain.durations import duration_text

WIDTH = 100
"""Of comments, in characters."""

_HEADING = (
    "Settings of nommerctl. A key that is left out, or a whole section, has its default."
    " Durations take a unit: 90s, 15min, 24h, 14d, or several, 1h30min."
)


def config_text(settings: Settings) -> str:
    """Return a settings file with every key, its value and its meaning; reading it gives the same settings."""
    blocks = [comment(_HEADING)]
    for section, fields in groupby(config_fields().values(), key=lambda field: field.section):
        entries = [f"{comment(field.description)}\n{field.key} = {toml_value(field, settings)}" for field in fields]
        blocks.append("\n".join([comment(section_description(section)), f"[{section}]", *entries]))
    return "\n\n".join(blocks) + "\n"


def toml_value(field: ConfigField, settings: Settings) -> str:
    """Return a setting's value as a settings file has it, durations as text with a unit."""
    return toml_text(field, field.of(settings))


def toml_text(field: ConfigField, value: str | float | tuple[str, ...]) -> str:
    """Return the same for a value that a setting may have."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_string, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if field.is_duration:
        return _toml_string(duration_text(float(value)))
    return _toml_string(value) if isinstance(value, str) else str(value)


def _toml_string(text: str) -> str:
    """Return text as a TOML basic string: JSON's escapes are among TOML's, which wants DEL escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def comment(text: str) -> str:
    """Return text as a comment of as many lines as it takes."""
    return "\n".join(f"# {line}" for line in wrap(text, WIDTH))
