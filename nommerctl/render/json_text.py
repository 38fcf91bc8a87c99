"""JSON for other programs: one document on one line, in ASCII, so that nothing in it can act upon a terminal."""

import math
from typing import Any

import msgspec

from nommerctl.domain.text import masked

SCHEMA = 1
"""Raised when a key changes its meaning or goes away; new keys do not raise it."""


def json_document(**fields: Any) -> str:  # noqa: ANN401 - whatever a command has found
    """Return `{"schema": 1, ...}` in the order given, ended by a newline.

    Text stays as it is, but for credentials in URIs, which are masked, and characters beyond ASCII, which are escaped.
    A number that JSON does not know (an endless one) is null.
    """
    import json

    document = {"schema": SCHEMA, **msgspec.to_builtins(fields)}
    return json.dumps(_presentable(document), separators=(",", ":"), allow_nan=False) + "\n"


def _presentable(value: Any) -> Any:  # noqa: ANN401 - JSON is made of anything
    match value:
        case str():
            return masked(value)
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _presentable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_presentable(inner) for inner in value]
        case _:
            return value
