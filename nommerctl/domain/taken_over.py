"""What comes of media-nommer's settings: those that have a place here, and those that have none."""

from typing import TypeAlias

from msgspec import Struct

from nommerctl.domain.config_fields import ConfigField

Value: TypeAlias = bool | int | float | str | tuple[str, ...]


class TakenOver(Struct, frozen=True, kw_only=True):
    """One setting of ours with its value. `origin` says where it is from, `notes` what changed on the way."""

    field: ConfigField
    value: Value
    origin: str
    notes: tuple[str, ...] = ()


class LeftOut(Struct, frozen=True):
    """Something that is not taken over: why, or what to do. `line` is 0 for what the old file does not say."""

    line: int
    what: str
    why: str


class Takeover(Struct, frozen=True):
    """All of a file, our settings in their order."""

    settings: tuple[TakenOver, ...]
    left_out: tuple[LeftOut, ...]
