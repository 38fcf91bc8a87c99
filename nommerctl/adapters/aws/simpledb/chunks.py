"""Records that are longer than a value of SimpleDB may be: JSON in pieces, each an attribute of one item."""

from collections.abc import Iterator

import msgspec

from nommerctl.adapters.aws.simpledb.domains import UNHELD, VALUE_BYTES, Attributes

PARTS = "parts"
"""How many pieces there are: what is written over a longer record leaves the rest of that behind."""

_to_json = msgspec.json.Encoder()


def json_text(record: object) -> str:
    """Return a record as JSON that SimpleDB can answer: inside of texts, an escape says the same as its character."""
    return UNHELD.sub(lambda found: _escape(found[0]), _to_json.encode(record).decode())


def chunked(record: object) -> dict[str, str]:
    """Return the attributes that keep a record."""
    pieces = list(_pieces(json_text(record).encode()))
    return {PARTS: str(len(pieces)), **{_name(number): piece for number, piece in enumerate(pieces)}}


def joined(item: Attributes) -> str:
    """Return the JSON that an item keeps; KeyError or ValueError if not all of it is there, once each."""
    return "".join(single(item, _name(number)) for number in range(int(single(item, PARTS))))


def single(item: Attributes, name: str) -> str:
    """Return the one value of an attribute; KeyError or ValueError if it has none, or several."""
    (value,) = item[name]
    return value


def _escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _name(number: int) -> str:
    return f"r{number:02d}"


def _pieces(data: bytes) -> Iterator[str]:
    """Cut UTF-8 between characters: a byte that goes on with one begins with the bits 10."""
    start = 0
    while start < len(data):
        end = min(start + VALUE_BYTES, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # noqa: PLR2004 - as said above
            end -= 1
        yield data[start:end].decode()
        start = end
