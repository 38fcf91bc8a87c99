"""The seal on a record that is kept as JSON text: a checksum before it, so that damage is noticed as it is read.

It is the CRC-32 of the JSON, which shows every flip of up to 32 neighbouring bits; no defence against somebody who can
write the text.
"""

import zlib
from typing import TypeVar

import msgspec
from msgspec import Struct

R = TypeVar("R")

_LENGTH = 8
"""Hexadecimal characters of the checksum."""

_to_json = msgspec.json.Encoder()


class BrokenSealError(Exception):
    """A text is not as it was sealed, or holds no record of the kind that is wanted."""


def sealed(record: Struct) -> str:
    """Return the text that keeps a record."""
    text = _to_json.encode(record)
    return f"{zlib.crc32(text):08x}{text.decode()}"


def seal_of(text: str) -> str:
    """Return the checksum that stands before a text: two texts of one record that differ have different ones."""
    return text[:_LENGTH]


def unsealed(text: object, decoder: msgspec.json.Decoder[R]) -> R:
    """Return the record that a text, in bytes, keeps; BrokenSealError if it does not keep one."""
    if type(text) is not bytes:
        what = "it is no text"
        raise BrokenSealError(what)
    body = text[_LENGTH:]
    if b"%08x" % zlib.crc32(body) != text[:_LENGTH]:
        what = "it is not as it was written"
        raise BrokenSealError(what)
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenSealError(str(error)) from error
