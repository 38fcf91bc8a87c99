r"""Text from outside, made fit to be shown: no control character alive, no credential in the clear.

File names, URLs, ffmpeg's log and what servers answer are all text from outside. `shown` is for a terminal and for
the messages of errors, `shown_lines` for what has lines of its own, `tsv_cell` for a cell that a spreadsheet may open,
`storable` for records. JSON escapes by itself, and takes `credentials.masked`. All of them leave a text alone that has
been through them before.
"""

import re
from collections.abc import Iterator
from unicodedata import category, normalize

from nommerctl.domain.credentials import masked

_NAMED = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls; format characters (bidi overrides, zero widths); lone surrogates; line and paragraph separators."""

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
"""The rest of what nobody sees (Unicode's Default_Ignorable_Code_Point), but for the selectors of emoji's variants."""

_MARKS = frozenset({"Mn", "Me"})

_STACKED = 30
"""Marks over one letter that are left alone: as many as a text may have by UAX #15, "Stream-Safe Text Format"."""

_FORMULA = frozenset('=+-@|%"\u2212')
"""What makes a cell a formula in some spreadsheet, and a quotation mark that has no other."""

_QUOTED = re.compile('"[^"]*"')

_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def shown(text: str) -> str:
    r"""Return a text as a terminal may have it: on one line, what is unsafe as a visible escape, credentials masked.

    `\n`, `\t`, `\r`, `\x1b`, `\u202e` and the like stand for the characters themselves; everything else, a backslash
    too, is left as it is.
    """
    return masked(_escaped(text))


def shown_lines(text: str | None) -> list[str]:
    """Return the lines of a text that say anything, each `shown`; none for None.

    Masked as a whole first: a credential with a line break in it is no less one.
    """
    return [shown(line) for line in masked(text or "").splitlines() if line.strip()]


def tsv_cell(text: str) -> str:
    """Return a text as a cell of a TSV file: `shown`, and nothing that a spreadsheet would take for a formula.

    What begins like a formula, blanks aside and in whatever width, gets an apostrophe before it. So does a quotation
    mark that would be taken away from a formula, or, being alone, swallow the tabs after it. Numbers, `-1.5` for one,
    are left to be numbers.
    """
    cell = shown(text)
    inside = cell[1:-1] if _QUOTED.fullmatch(cell) else cell
    begins = normalize("NFKC", inside.lstrip()[:1])
    if begins in _FORMULA and not _NUMBER.fullmatch(inside):
        return f"'{cell}"
    return cell


def storable(text: str) -> str:
    r"""Return a text that can be stored as UTF-8: a byte of a file name that was none is the escape `\udcff`."""
    return text.encode(errors="backslashreplace").decode()


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    stacked = 0
    for character in text:
        kind = category(character)
        stacked = stacked + 1 if kind in _MARKS else 0
        unsafe = kind in _UNSAFE or stacked > _STACKED or _INVISIBLE.match(character)
        yield _escape(character) if unsafe else character


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
