"""The settings records of config.py as one flat table of keys, for all who treat every setting alike."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from nommerctl.domain.config import Settings
from nommerctl.domain.config_kinds import DURATION, SECRET


class ConfigField(Struct, frozen=True, kw_only=True):
    """One setting.

    `section` and `key` are its place in a TOML file. `annotation` is its type with every limit, for msgspec; `kind` is
    the bare type, `tuple` for several words. `metas` are the limits and the description, as config.py states them.
    """

    section: str
    key: str
    annotation: Any
    kind: type
    metas: tuple[Meta, ...]

    @property
    def name(self) -> str:
        """Its dotted name, `scale.max_nodes`."""
        return f"{self.section}.{self.key}"

    @property
    def description(self) -> str:
        """What it means, in a sentence or two."""
        return next((meta.description for meta in reversed(self.metas) if meta.description), "")

    @property
    def is_duration(self) -> bool:
        """Whether its number is in seconds, and may be written as text with a unit."""
        return any(meta.extra == DURATION for meta in self.metas)

    @property
    def is_secret(self) -> bool:
        """Whether its value is shown to nobody."""
        return any(meta.extra == SECRET for meta in self.metas)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it may be, if it is one of a few; else none."""
        return tuple(member.value for member in self.kind) if issubclass(self.kind, StrEnum) else ()

    def of(self, settings: Settings) -> Any:  # noqa: ANN401 - the type is the setting's own
        """Return its value in these settings."""
        return getattr(getattr(settings, self.section), self.key)


@cache
def config_fields() -> Mapping[str, ConfigField]:
    """Return every setting by its dotted name, section by section, in the order of config.py."""
    fields = (
        _field(section, key, annotation)
        for section, record in get_type_hints(Settings).items()
        for key, annotation in get_type_hints(record, include_extras=True).items()
    )
    return MappingProxyType({field.name: field for field in fields})


def section_description(section: str) -> str:
    """Return what a section is about, from the docstring of its record."""
    documented = get_type_hints(Settings)[section].__doc__ or ""
    meaning = documented.partition("]: ")[2]
    return meaning[:1].upper() + meaning[1:]


def _field(section: str, key: str, annotation: Any) -> ConfigField:  # noqa: ANN401 - an annotation can be anything
    kind, *metas = get_args(annotation)
    bare = get_origin(kind) or kind
    return ConfigField(section=section, key=key, annotation=annotation, kind=bare, metas=tuple(metas))
