r"""Text from outside, made fit to be shown: no control character alive, no credential in the clear.

File names, URLs, ffmpeg's log and what servers answer are all text from outside. `shown` is for a terminal and for
the messages of errors, `tsv_cell` for a cell that a spreadsheet may open, `masked` for JSON, which escapes by itself.
All three leave a text alone that has been through them before.
"""

import re
from unicodedata import category
from urllib.parse import unquote

MASK = "***"

_NAMED = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls; format characters (bidi overrides, zero widths); lone surrogates; line and paragraph separators."""

_USERINFO = re.compile(
    r"(?<=://)(?:"
    r"[^/?# \t\r\n]*"  # user:password, up to the last @ before the host ends
    r"|(?!\[)[^/?#@: \t\r\n]*:(?!\d*(?:[/?#]|$))[^?# \t\r\n]*"  # key:secret whose secret holds slashes, as AWS's may
    r")@"
)

_BLANKS = re.compile(r"[ \t\r\n]")

_URI = re.compile(r"://[^ \t\r\n]+")

_PARAMETER = re.compile(r"(?<=[?&;#])([^=&;# \t\r\n]+)=(?!\*\*\*(?:['\"&;#]|$))[^&;# \t\r\n]*")

_SECRET_NAME = re.compile(
    r"token|secret|passw|pwd|credential|signature|auth|key|session|jwt|policy"
    r"|^(?:.*[-_.])?(?:sig|pass|pw|sid|code)$|^x-(?:amz|goog|ms)-"
)

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a cell a formula, the full-width forms too."""

_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def shown(text: str) -> str:
    r"""Return a text as a terminal may have it: on one line, what is unsafe as a visible escape, credentials masked.

    `\n`, `\t`, `\r`, `\x1b`, `\u202e` and the like stand for the characters themselves; everything else, a backslash
    too, is left as it is.
    """
    return masked(_escaped(text))


def tsv_cell(text: str) -> str:
    """Return a text as a cell of a TSV file: `shown`, and nothing that a spreadsheet would take for a formula.

    What begins like a formula gets an apostrophe before it; numbers, `-1.5` for one, are left to be numbers.
    """
    cell = shown(text)
    if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def masked(text: str) -> str:
    """Return a text with `***` for the user and password, and for secret query parameters, of every URI in it."""
    if "://" not in text:
        return text
    return _URI.sub(_without_secret_parameters, _USERINFO.sub(f"{MASK}@", text))


def has_credentials(uri: str) -> bool:
    """Whether a text that is one URI, blanks and all, has a user name, a password or a key before its host."""
    return _USERINFO.search(_BLANKS.sub("_", uri)) is not None


def _without_secret_parameters(uri: re.Match[str]) -> str:
    return _PARAMETER.sub(
        lambda parameter: f"{parameter[1]}={MASK}" if _is_secret(parameter[1]) else parameter[0], uri[0]
    )


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(unquote(name).lower()) is not None


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(_escape(character) if category(character) in _UNSAFE else character for character in text)


def _escape(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    point = ord(character)
    if point <= 0xFF:  # noqa: PLR2004 - as Python writes it: two digits, four, eight
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"  # noqa: PLR2004 - likewise


def counted(count: int, noun: str) -> str:
    """Return a number of things in words: `1 job`, `2 jobs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
