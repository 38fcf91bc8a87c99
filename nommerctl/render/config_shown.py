"""The settings in force, each with where it comes from: what `config show` shows."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import structs

from nommerctl.domain.config import Settings
from nommerctl.domain.config_fields import config_fields
from nommerctl.domain.credentials import MASK
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant, rfc3339
from nommerctl.render.config import toml_value
from nommerctl.render.json_text import json_document
from nommerctl.render.shorten import shorten_middle, shorten_path
from nommerctl.render.styled import QUIET, Span
from nommerctl.render.tables import Column, Row, table
from nommerctl.render.tsv import tsv

COLUMNS = (
    Column("SETTING"),
    Column("VALUE", floor=12, shorten=shorten_middle),
    Column("FROM", floor=12, shorten=shorten_path),
)

KEYS = ("name", "value", "from")
"""What is said of a setting, in this order, in TSV (values as a settings file has them) and in JSON."""


def config_table(settings: Settings, origins: Mapping[str, str], file: Path | None, *, width: int, color: bool) -> str:
    """Return a table for a terminal that is `width` cells wide; what is not a default stands out.

    `origins` says by dotted name where each value comes from; `file` is the settings file that was read.
    """
    settings = _without_secrets(settings)
    rows = [
        Row(cells=(Span(name), Span(shown(value)), Span(shown(origin), QUIET if origin == "default" else "")))
        for name, value, origin in _records(settings, origins, file)
    ]
    foot = f"settings file: {shown(str(file))}" if file else "no settings file"
    return table(COLUMNS, rows, foot, width=width, color=color)


def config_tsv(settings: Settings, origins: Mapping[str, str], file: Path | None) -> str:
    """Return a header of KEYS and a line for each setting."""
    return tsv(KEYS, _records(_without_secrets(settings), origins, file))


def config_json(settings: Settings, origins: Mapping[str, str], file: Path | None, *, now: Instant) -> str:
    """Return the document of `config show`: the file, and for each setting its KEYS, durations in seconds."""
    settings = _without_secrets(settings)
    entries = [
        dict(zip(KEYS, (name, config_fields()[name].of(settings), origin), strict=True))
        for name, _, origin in _records(settings, origins, file)
    ]
    return json_document(command="config show", as_of=rfc3339(now), file=str(file) if file else None, settings=entries)


def _records(settings: Settings, origins: Mapping[str, str], file: Path | None) -> list[tuple[str, str, str]]:
    return [
        (name, toml_value(field, settings), str(file) if origins[name] == "file" else origins[name])
        for name, field in config_fields().items()
    ]


def _without_secrets(settings: Settings) -> Settings:
    hidden = tuple(MASK for _ in settings.notify.secrets)
    return structs.replace(settings, notify=structs.replace(settings.notify, secrets=hidden))
