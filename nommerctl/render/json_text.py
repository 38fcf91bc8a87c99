"""JSON for other programs: one document on one line, in ASCII, so that nothing in it can act upon a terminal."""

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from nommerctl.domain.credentials import masked

SCHEMA = 1
"""Raised when a key changes its meaning or goes away; new keys do not raise it."""


def json_document(**fields: Any) -> str:  # noqa: ANN401 - whatever a command has found
    """Return `{"schema": 1, ...}` in the order given, ended by a newline.

    Text stays as it is, but for credentials in URIs, which are masked, and characters beyond ASCII, which are escaped.
    A number that JSON does not know (an endless one) is null.
    """
    return json_text({"schema": SCHEMA, **fields}) + "\n"


def json_text(value: Any) -> str:  # noqa: ANN401 - as above
    """Return a value as a part of such a document."""
    import json

    return json.dumps(_presentable(msgspec.to_builtins(value)), separators=(",", ":"), allow_nan=False)


def json_document_of_many(key: str, parts: Iterable[str], **fields: Any) -> str:  # noqa: ANN401 - as above
    """Return the document of `fields`, and under `key` a list of what `json_text` made of each item.

    For so many items that they should never be in memory all at once.
    """
    return f"{json_document(**fields)[:-2]},{json_text(key)}:[{','.join(parts)}]}}\n"


def _presentable(value: Any) -> Any:  # noqa: ANN401 - JSON is made of anything
    match value:
        case str():
            return masked(value)
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {masked(key): _presentable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_presentable(inner) for inner in value]
        case _:
            return value
