r"""What is shown of text from outside: nothing alive, nothing secret, and nothing else changed."""

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nommerctl.domain.text import has_credentials, masked, shown, tsv_cell

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


@given(FROM_OUTSIDE)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ann:hunter2@host/a.mov", "https://***@host/a.mov"),
        ("ssh://git@host/a", "ssh://***@host/a"),
        ("http://a:b@c@host/", "http://***@host/"),
        ("http://ann:hun\x1bter2@host/", "http://***@host/"),
        ("s3://AKIAIOSFODNN7EXAMPLE:wJalr/XUtn/bPxR@bucket/a.mov", "s3://***@bucket/a.mov"),
        ("http://[::1]:8080/@me", "http://[::1]:8080/@me"),
        ("http://host:8080/@me/a.mov", "http://host:8080/@me/a.mov"),
        ("https://host/a?token=abc&start=10", "https://host/a?token=***&start=10"),
        ("https://host/a?start=10&X-Amz-Signature=abc", "https://host/a?start=10&X-Amz-Signature=***"),
        ("https://host/a?AWSAccessKeyId=AKIA&Expires=1", "https://host/a?AWSAccessKeyId=***&Expires=1"),
        ("https://host/a?%74oken=abc", "https://host/a?%74oken=***"),
        ("https://host/a?sig=abc&design=oak", "https://host/a?sig=***&design=oak"),
        ("https://host/#access_token=abc", "https://host/#access_token=***"),
        ("https://host/a;jsessionid=abc", "https://host/a;jsessionid=***"),
        ("Opening 'https://u:p@h/x' for reading", "Opening 'https://***@h/x' for reading"),
        ("from http://u:p@one/ to http://u:p@two/", "from http://***@one/ to http://***@two/"),
        ("mail ann@host: a?token=abc is a path", "mail ann@host: a?token=abc is a path"),
    ],
)
def test_credentials_of_uris_are_masked(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize("blank", ["\n", "\t", "\r"])
def test_a_blank_in_a_password_does_not_bring_it_to_light(blank: str) -> None:
    assert shown(f"http://ann:hunter{blank}2@host/") == "http://***@host/"


def test_a_message_about_a_masked_url_keeps_its_quotes_when_it_is_shown() -> None:
    message = f"'{shown('https://host/a?token=abc')}' failed: connection refused"
    assert shown(message) == "'https://host/a?token=***' failed: connection refused"


@given(st.text("abcXYZ019/+=%:", min_size=1), st.text("abcXYZ019/+=%:", min_size=1))
def test_no_user_or_password_is_ever_shown(user: str, password: str) -> None:
    user, password = f"USER{user.replace('/', '').replace(':', '')}", f"PASS{password}"
    assert "USER" not in masked(f"see https://{user}:{password}@host/a.mov now")
    assert "PASS" not in masked(f"see https://{user}:{password}@host/a.mov now")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://ann:pw@host/", True),
        ("https://ann:p w@host/", True),
        ("s3://KEY:sec/ret@bucket", True),
        ("https://host/a?sig=abc;b=1", False),
        ("https://host:443/a@2x.mov", False),
        ("/movies/a@b:c.mov", False),
    ],
)
def test_credentials_before_the_host_are_found(uri: str, expected: bool) -> None:  # noqa: FBT001 - a table of cases
    assert has_credentials(uri) is expected


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
    ],
)
def test_a_spreadsheet_runs_no_cell(text: str, cell: str) -> None:
    assert tsv_cell(text) == cell
    assert tsv_cell(cell) == cell
