"""The kinds of values that settings have."""

from typing import Annotated, TypeAlias

from msgspec import Meta

DURATION = {"unit": "seconds"}
"""Marks a field as a duration, in its Meta's `extra`."""

SECRET = {"secret": True}
"""Marks a field whose value is shown to nobody, likewise."""

Duration: TypeAlias = Annotated[float, Meta(ge=0, extra=DURATION)]
PositiveDuration: TypeAlias = Annotated[float, Meta(gt=0, extra=DURATION)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
PositiveCount: TypeAlias = Annotated[int, Meta(ge=1)]
Words: TypeAlias = tuple[Annotated[str, Meta(pattern=r"^[^\s,]+\Z")], ...]
"""Several words: a list in a settings file, with commas between them in a variable."""
