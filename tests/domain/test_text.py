r"""What is shown of text from outside: nothing alive, and nothing else changed."""

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nommerctl.domain.text import shown, shown_lines, storable, tsv_cell

FROM_OUTSIDE = st.text(st.characters(exclude_categories=[]) | st.sampled_from("\x1b\n\t\r\x85\u202e\u200d:/@?&=#;*'\\"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("two\nlines\tand\rmore", r"two\nlines\tand\rmore"),
        ("bell\x07 del\x7f", r"bell\x07 del\x7f"),
        ("c1\x9b2J", r"c1\x9b2J"),
        ("gpj.\u202emov", r"gpj.\u202emov"),
        ("\u2066a\u2069\u200f\u061c", r"\u2066a\u2069\u200f\u061c"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028paragraph\u2029", r"line\u2028paragraph\u2029"),
        ("lone \udce9", r"lone \udce9"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("no tag \U000e0000 selector \U000e0100", r"no tag \U000e0000 selector \U000e0100"),
        ("filler \u3164\u1160\uffa0 joiner \u034f", r"filler \u3164\u1160\uffa0 joiner \u034f"),
        ("e" + 32 * "\u0301", "e" + 30 * "\u0301" + 2 * r"\u0301"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "Füße ß",
        "映画　予告",
        "narrow\u202fno-break\xa0space",
        "🎬 e\u0301",
        r"back\slash \x1b",
        "\u2764\ufe0f",
        "\u0f67\u0fb0\u0fb5\u0fa8\u0fb3\u0fba\u0fbc\u0fbb\u0f82",
        "[red]x[/red]",
    ],
)
def test_other_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


@given(FROM_OUTSIDE)
def test_shown_text_is_safe_and_stays_as_it_is_when_shown_again(text: str) -> None:
    safe = shown(text)
    assert not any(category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in safe)
    assert shown(safe) == safe


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+cmd", "'+cmd"),
        ("-rf.mov", "'-rf.mov"),
        ("@sum", "'@sum"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("-1.5", "-1.5"),
        ("+2e10", "+2e10"),
        ("-1+cmd|x", "'-1+cmd|x"),
        ("\t=1", r"\t=1"),
        ("\r=1", r"\r=1"),
        ("a\tb\nc", r"a\tb\nc"),
        ("https://u:p@host/", "https://***@host/"),
        ("", ""),
        (" =1", "' =1"),
        ("\xa0\u3000=1", "'\xa0\u3000=1"),
        ("|calc", "'|calc"),
        ("%1", "'%1"),
        ("\u22121", "'\u22121"),
        ("\ufe63\ufe66", "'\ufe63\ufe66"),
        ('"=1+1"', '\'"=1+1"'),
        ('" \uff1d1"', '\'" \uff1d1"'),
        ('"alone', "'\"alone"),
        ('"two" "three"', '\'"two" "three"'),
        ('"farm"', '"farm"'),
        ('"-1.5"', '"-1.5"'),
        ("'=1", "'=1"),
        ("/srv/=1.mov", "/srv/=1.mov"),
    ],
)
def test_a_spreadsheet_runs_no_cell(text: str, cell: str) -> None:
    assert tsv_cell(text) == cell
    assert tsv_cell(cell) == cell


def test_lines_are_shown_one_by_one_and_masked_before_they_are_parted() -> None:
    text = "http://ann:hunter\n2@host/ is away\r\n\n  why:\x85\x1b[2J\u2028"
    assert shown_lines(text) == ["http://***@host/ is away", "  why:", r"\x1b[2J"]
    assert shown_lines(None) == []


def test_what_is_no_unicode_is_stored_as_an_escape() -> None:
    assert storable("caf\udce9 caf\xe9") == "caf\\udce9 caf\xe9"
