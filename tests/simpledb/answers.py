"""The XML that SimpleDB answers."""

import base64
import re
from collections.abc import Iterable, Mapping
from itertools import count
from xml.sax.saxutils import escape

NAMESPACE = "http://sdb.amazonaws.com/doc/2009-04-15/"

BOX_USAGE = "0.0000219907"

_NONCHARACTERS = "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))

_NOT_IN_XML = re.compile(f"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
"""What section 2.2 of XML 1.1 restricts or leaves undefined: the guide says that it comes in base64."""

_requests = count(1)


def element(tag: str, text: str) -> str:
    """Return an element that holds a text, in base64 if XML cannot hold it."""
    if _NOT_IN_XML.search(text):
        return f'<{tag} encoding="base64">{base64.b64encode(text.encode()).decode()}</{tag}>'
    return f"<{tag}>{escape(text, {chr(13): '&#13;'})}</{tag}>"


def attributes(item: Mapping[str, Iterable[str]], wanted: Iterable[str] | None) -> str:
    """Return the attributes of an item, one element for each value; None wants all of them."""
    names = item if wanted is None else [name for name in item if name in set(wanted)]
    return "".join(
        f"<Attribute>{element('Name', name)}{element('Value', value)}</Attribute>"
        for name in names
        for value in sorted(item[name])
    )


def response(operation: str, result: str | None) -> bytes:
    """Return an answer to an operation, of which some have a result."""
    wrapped = "" if result is None else f"<{operation}Result>{result}</{operation}Result>"
    metadata = f"{element('RequestId', _request_id())}{element('BoxUsage', BOX_USAGE)}"
    return (
        f'<?xml version="1.0"?>\n<{operation}Response xmlns="{NAMESPACE}">{wrapped}'
        f"<ResponseMetadata>{metadata}</ResponseMetadata></{operation}Response>"
    ).encode()


def refusal(code: str, message: str) -> bytes:
    """Return an answer that says what is wrong."""
    error = f"{element('Code', code)}{element('Message', message)}{element('BoxUsage', BOX_USAGE)}"
    return (
        f'<?xml version="1.0"?>\n<Response><Errors><Error>{error}</Error></Errors>'
        f"{element('RequestID', _request_id())}</Response>"
    ).encode()


def _request_id() -> str:
    return f"00000000-0000-0000-0000-{next(_requests):012}"
