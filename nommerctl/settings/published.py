"""What nodes are told of the settings, through the ledger: what a worker goes by, and nothing that is secret."""

from typing import Any

import msgspec
from msgspec import Struct

from nommerctl.domain.config import Settings
from nommerctl.domain.config_fields import ConfigField, config_fields
from nommerctl.errors import SettingsError
from nommerctl.settings.values import Given

_SECTIONS = frozenset({"worker", "ffmpeg", "storage"})

_NAMES = frozenset(
    {
        *("farm.name", "farm.backend"),
        *("scale.jobs_per_node", "scale.min_nodes", "scale.max_nodes"),
        *("aws.region", "aws.market", "aws.prices"),
    }
)
"""scale.max_nodes is there because scale.min_nodes is held against it."""

_OF_ONE_MACHINE = frozenset({"ffmpeg.path"})
"""Where something is on the controller's machine says nothing of a node, and a node runs what this names."""

ORIGIN = "ledger"

_sections = msgspec.json.Decoder(dict[str, dict[str, Any]])


class Published(Struct, frozen=True):
    """What was found in the ledger: the name of its table, and the text."""

    table: str
    text: str


def published_text(settings: Settings) -> str:
    """Return the settings in force that a worker goes by, as JSON, section by section; the same ones, the same text."""
    told: dict[str, dict[str, object]] = {}
    for field in _told().values():
        told.setdefault(field.section, {})[field.key] = field.of(settings)
    return msgspec.json.encode(told).decode()


def _told() -> dict[str, ConfigField]:
    return {
        name: field
        for name, field in config_fields().items()
        if name in _NAMES or (field.section in _SECTIONS and name not in _OF_ONE_MACHINE)
    }


def from_ledger(found: Published) -> tuple[list[Given], list[str]]:
    """Return what was published, and the names in it that are none of those that nodes are told.

    These are no error: a node may run an older nommerctl than the controller. None of them is heeded, whoever wrote
    it there.

    Raises:
        SettingsError: the text holds no settings.
    """
    place = f"table '{found.table}'"
    try:
        content = _sections.decode(found.text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        msg = f"the settings in {place} cannot be read ({error}): run 'nommerctl scale', which writes them anew"
        raise SettingsError(msg) from error
    fields = _told()
    values = {f"{section}.{key}": value for section, keys in content.items() for key, value in keys.items()}
    given = [
        Given(
            field=fields[name],
            value=value,
            said=f"{name} in {place}",
            place=place,
            origin=ORIGIN,
            textual=False,
        )
        for name, value in values.items()
        if name in fields
    ]
    return given, sorted(values.keys() - fields.keys())
