"""Text from outside at its worst, and what may leave the process for all that."""

import json
import re
from typing import Any
from unicodedata import category

from rich.cells import cell_len

PAYLOADS: dict[str, str] = {
    "csi": "\x1b[2J\x1b[5;41mred",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://example.org\x1b\\x\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJmCg==\x07",
    "dcs": "\x1bP+q544e\x1b\\\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bc",
    "c0": "".join(map(chr, range(1, 32))) + "\x7f",
    "c1": "".join(map(chr, range(0x80, 0xA0))),
    "overwriting": "paid\b\b\b\bdebt\rgone\x05\x07",
    "lines": "a\nb\r\nc\vd\fe\x85f\u2028g\u2029h\x1ci",
    "tabs": "\ta\tb\t",
    "markup": "[red]x[/red][/][link=http://example.org]y[/link]\\[bold]:smile:",
    "bidi": "\u202eabc\u202c\u2066def\u2069\u200e\u200f\u061c",
    "invisible": "a\u200bb\u200c\u200d\ufeff\u00ad\U000e0001\U000e0041\U000e007f\U000e0000\U000e0101\u3164\u034fc",
    "marks": "e" + "\u0301" * 1000,
    "wide": "映画" * 200,
    "long": "x." * 2048,
    "formula": "=cmd|' /C calc'!A0",
    "wide formula": "\uff1d1+1",
    "late formula": " \xa0=1+1",
    "quoted formula": '"=1+1"',
    "open quote": '"a',
    "percent": "100%n %s {0} `id` ~ 'x' \"y\" #;&!",
}
"""By what they are. None holds a slash that matters, NUL, or what is no Unicode: those have tests of their own."""

NOT_UNICODE = "\udc9b31m\udcff"
"""How Python hands us the bytes 0x9b and 0xff of a file name that is not UTF-8."""

SGR = re.compile(r"\x1b\[(?:0|1|2|3[1-6]|1;31)m")
"""The colours that we write ourselves."""

_ALIVE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def assert_tame(written: str, *, but: str = "\n") -> None:
    """Nothing in it acts upon a terminal, or is there without being seen, but for `but` and our own colours."""
    plain = SGR.sub("", written)
    left = {character for character in plain if category(character) in _ALIVE and character not in but}
    assert not left, f"{sorted(left)!a} in {written[:400]!a}"
    assert not re.search("[\U000e0000-\U000e0fff\u3164\u034f]", plain)
    assert not re.search("\u0301{31}", plain)


def assert_table(written: str, *, width: int) -> None:
    """No line of it is wider than the terminal."""
    assert_tame(written)
    widths = [cell_len(line) for line in SGR.sub("", written).split("\n")]
    assert max(widths) <= width


def assert_rows(written: str) -> list[list[str]]:
    """Every line has as many columns as the header, and no cell is run by a spreadsheet; return the rows below it."""
    assert_tame(written, but="\n\t")
    header, *rows = [line.split("\t") for line in written.removesuffix("\n").split("\n")]
    assert {len(row) for row in rows} <= {len(header)}
    for cell in (cell for row in rows for cell in row):
        assert not re.match(r'\s*["=+@|%\uff1d]', cell) or re.fullmatch(r'"[\w./-]*"', cell), cell
    return rows


def assert_document(written: str) -> Any:  # noqa: ANN401 - a document
    """One line of ASCII, which is JSON; return what it says."""
    assert re.fullmatch(r"[ -~]+\n", written)
    return json.loads(written)


def assert_one_line(written: str) -> None:
    """One sentence."""
    assert_tame(written)
    assert written.startswith("nommerctl: ")
    assert written.count("\n") == 1
    assert written.endswith("\n")
