r"""Credentials in URIs: none is shown, and nothing else is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nommerctl.domain.credentials import has_credentials, masked
from nommerctl.domain.text import shown

PIECES = ("://", "http:", "https://", "s3:/", "%40", ": ", "?token=", ";sig=", "***", "\n", "\x85", *" :/@?&=#;'[]")
FROM_OUTSIDE = st.lists(st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=[]), max_size=3)).map(
    "".join
)


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
        ("s3://AKIAIOSFODNN7EXAMPLE:5/XUtn/bPxR@bucket/a.mov", "s3://***@bucket/a.mov"),
        ("see S3://AKIAIOSFODNN7EXAMPLE:12/XUtn@bucket/a.mov now", "see S3://***@bucket/a.mov now"),
        ("s3://bucket/a:5/b@c.mov", "s3://bucket/a:5/b@c.mov"),
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
        ("/cwd/ http:/ann:hunter2@host/a", "/cwd/ http:/***@host/a"),
        ("/cwd/ http:/host/a?token=abc", "/cwd/ http:/host/a?token=***"),
        ("http:ann:hunter2@host/a", "http:***@host/a"),
        ("https://ann:hunter2%40host/a", "https://***@host/a"),
        ("https://ann:hun?ter2@host/a", "https://***@host/a"),
        ("https://ann:hun#ter2@host/a", "https://***@host/a"),
        ("ftp://me@example.org:hun/ter2@host/a", "ftp://***@host/a"),
        ("https://me@example.org:443/a", "https://***@example.org:443/a"),
        ("https://ann:pw@[::1]:80/@me", "https://***@[::1]:80/@me"),
        ("https://ann:hunter2@host: refused by me@x", "https://***@host: refused by me@x"),
        ("https://host/a?token=abc;def&b=1", "https://host/a?token=***&b=1"),
        ("https://host/a?next=https://ann:pw@host/", "https://host/a?next=https://***@host/"),
        ("https://host/a?hdnts=exp~hmac&md5=abc&sign=abc", "https://host/a?hdnts=***&md5=***&sign=***"),
    ],
)
def test_credentials_of_uris_are_masked(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ann:hun ter2@host/a", "https://***@host/a"),
        ("https://ann:hun\nter2@host/a", "https://***@host/a"),
        ("https://host/a b?token=abc", "https://host/a b?token=***"),
        ("https://host/a?token=a\nbc", "https://host/a?token=***"),
        ("https://host/a?token=a bc: no such file", "https://host/a?token=***: no such file"),
        ("https://host/a?start=1 2", "https://host/a?start=1 2"),
    ],
)
def test_a_uri_with_which_a_text_begins_does_not_end_at_a_blank(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "https://host:8080/me@x?start=1",
        "see http://host/, or http://host:80/",
        "12:30 a=b me@x",
        "/srv/a=b@c.mov",
    ],
)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert masked(text) == text


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
