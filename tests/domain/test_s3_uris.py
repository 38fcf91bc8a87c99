"""URIs of S3: what is stored of them, what is refused and why, and the names made from them."""

from functools import partial
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nommerctl.domain.credentials import has_credentials
from nommerctl.domain.options import muxer_for
from nommerctl.domain.s3_uris import S3Place, s3_place
from nommerctl.domain.uris import LOCAL_SCHEMES, file_name_stem, name_in, normalised, scheme_of, usable
from nommerctl.errors import CredentialsError, UsageError

CWD = "/home/ann"
SCHEMES = LOCAL_SCHEMES | {"s3"}

KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("given_text", "stored", "place"),
    [
        ("s3://films/a.mov", "s3://films/a.mov", S3Place("films", "a.mov")),
        ("S3://films/a.mov", "s3://films/a.mov", S3Place("films", "a.mov")),
        ("s3://films/a b?#100%25.mov", "s3://films/a b?#100%25.mov", S3Place("films", "a b?#100%25.mov")),
        ("s3://films//a/../b//c.mov", "s3://films//a/../b//c.mov", S3Place("films", "/a/../b//c.mov")),
        ("s3://films/a@2x:1.mov", "s3://films/a@2x:1.mov", S3Place("films", "a@2x:1.mov")),
        ("s3://films/out/", "s3://films/out/", S3Place("films", "out/")),
        ("s3://films", "s3://films/", S3Place("films", "")),
        ("s3://films/", "s3://films/", S3Place("films", "")),
        ("s3://my.films-2026/映画.mov", "s3://my.films-2026/映画.mov", S3Place("my.films-2026", "映画.mov")),
        (f"s3://films/{'ü' * 512}", f"s3://films/{'ü' * 512}", S3Place("films", "ü" * 512)),
        (f"s3://{'f' * 63}/a", f"s3://{'f' * 63}/a", S3Place("f" * 63, "a")),
    ],
)
def test_an_s3_uri_is_stored_as_given(given_text: str, stored: str, place: S3Place) -> None:
    assert normalised(given_text, CWD, SCHEMES) == stored
    assert normalised(stored, CWD, SCHEMES) == stored
    assert scheme_of(stored) == "s3"
    assert s3_place(stored) == place


NO_BUCKET = "names no bucket: an S3 URI looks like s3://bucket/folder/name"
RULE = "is not the name of a bucket, which is 3 to 63 lower-case letters, digits, dots and hyphens"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("s3:films/a.mov", f"'s3:films/a.mov' {NO_BUCKET}"),
        ("s3:/films/a.mov", f"'s3:/films/a.mov' {NO_BUCKET}"),
        ("s3://", f"'s3://' {NO_BUCKET}"),
        ("s3:///a.mov", f"'s3:///a.mov' {NO_BUCKET}"),
        ("s3://Films/a.mov", f"'Films' {RULE}"),
        ("s3://my_films/a.mov", f"'my_films' {RULE}"),
        ("s3://ab/a.mov", f"'ab' {RULE}"),
        (f"s3://{'f' * 64}/a.mov", f"'{'f' * 64}' {RULE}"),
        ("s3://-films/a.mov", f"'-films' {RULE}"),
        ("s3://films-/a.mov", f"'films-' {RULE}"),
        ("s3://my..films/a.mov", f"'my..films' {RULE}"),
        ("s3://192.168.0.1/a.mov", f"'192.168.0.1' {RULE}"),
        ("s3://films?x/a.mov", f"'films?x' {RULE}"),
        ("s3://arn:aws:s3:eu:1:accesspoint/x/a.mov", f"'arn:aws:s3:eu:1:accesspoint' {RULE}"),
        ("s3://films\n/a.mov", rf"'films\n' {RULE}"),
        ("s3://films/a\x1b.mov", r"'s3://films/a\x1b.mov' has a control character in its key: rename the object"),
        ("s3://films/a\x85.mov", r"'s3://films/a\x85.mov' has a control character in its key: rename the object"),
        ("s3://films/a\0.mov", r"'s3://films/a\x00.mov' holds a NUL character, which no file name or URL can"),
        (
            f"s3://films/{'ü' * 512}a",
            f"'s3://films/{'ü' * 512}a' is too long for S3: its key has 1025 bytes, the limit is 1024",
        ),
        (
            "gopher://films/a",
            "'gopher:' is not supported by this backend: give a path or a file:, http:, https: or s3: URI",
        ),
    ],
)
def test_what_s3_cannot_have_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        normalised(text, CWD, SCHEMES)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2@films/a.mov",
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2/with+slashes@films/a.mov",
        "s3:AKIAIOSFODNN7EXAMPLE:hunter2@films/a.mov",
        "s3://AKIAIOSFODNN7EXAMPLE:5/hunter2@films/a.mov",
        "S3://AKIAIOSFODNN7EXAMPLE@films/a.mov",
    ],
)
def test_keys_in_an_s3_uri_are_refused_with_the_reason_and_never_shown(uri: str) -> None:
    with pytest.raises(UsageError) as refused:
        normalised(uri, CWD, SCHEMES)
    assert str(refused.value) == (
        "an s3: URI with a user name or password in it is refused, keys of AWS too: it would be stored and shown; "
        "give the farm access instead (aws.buckets for its nodes, your profile for you), or set "
        "storage.strip_credentials = true to have such keys dropped"
    )


HIDDEN = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
"""As long as AWS makes them; from its documentation."""

ESCAPED = HIDDEN.replace("/", "%2F").replace("+", "%2B")


@pytest.mark.parametrize(
    ("given_text", "stored"),
    [
        (f"s3://AKIAIOSFODNN7EXAMPLE:{HIDDEN}@films/x/a.mov", "s3://films/x/a.mov"),
        (f"s3://AKIAIOSFODNN7EXAMPLE:{ESCAPED}@films/x/a.mov", "s3://films/x/a.mov"),
        (f"S3://AKIAIOSFODNN7EXAMPLE:{HIDDEN}@films", "s3://films/"),
        ("s3://AKIAIOSFODNN7EXAMPLE:5/like+a+port@films/a.mov", "s3://films/a.mov"),
        (f"s3://AKIAIOSFODNN7EXAMPLE:{HIDDEN}@films/me@home%40.mov", "s3://films/me@home%40.mov"),
        ("s3://AKIAIOSFODNN7EXAMPLE:short/and+so@films/a.mov", "s3://films/a.mov"),
        ("s3://AKIAIOSFODNN7EXAMPLE:@films/a.mov", "s3://films/a.mov"),
        ("s3://AKIAIOSFODNN7EXAMPLE@films/me@home.mov", "s3://films/me@home.mov"),
        ("s3://films/a@2x:1.mov", "s3://films/a@2x:1.mov"),
        ("s3://films/AKIA:b@c.mov", "s3://films/AKIA:b@c.mov"),
        ("/srv/a@b.mov", "/srv/a@b.mov"),
        ("http://host/a@b.mov", "http://host/a@b.mov"),
    ],
)
def test_keys_in_an_s3_uri_are_dropped_where_that_is_wanted(given_text: str, stored: str) -> None:
    assert normalised(given_text, CWD, SCHEMES, strip_credentials=True) == stored
    assert usable(given_text, strip_credentials=True) == stored


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2@and/hunter3@films/a.mov",  # where does the secret end?
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2%40and/hunter3@films/a.mov",
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2@films/hunter3%40.mov",
        f"s3://AKIAIOSFODNN7EXAMPLE:{HIDDEN}@hunter2:hunter3@films/a.mov",
        f"s3://AKIAIOSFODNN7EXAMPLE:{HIDDEN}%40films/a.mov",
        "s3:AKIAIOSFODNN7EXAMPLE:hunter2@films/a.mov",
    ],
)
def test_keys_that_cannot_be_told_from_the_rest_are_refused_all_the_same(uri: str) -> None:
    said = (
        "an s3: URI has keys or a password in it that cannot be told from the rest of it: write it without them, as "
        "s3://bucket/folder/name"
    )
    for use in (partial(normalised, cwd=CWD, schemes=SCHEMES), usable):
        with pytest.raises(CredentialsError) as refused:
            use(uri, strip_credentials=True)
        assert str(refused.value) == said


def test_only_keys_of_s3_are_dropped() -> None:
    with pytest.raises(CredentialsError, match="a http: URI with a user name or password in it is refused"):
        normalised("http://me:hunter2@host/a.mov", CWD, SCHEMES, strip_credentials=True)


@given(st.from_regex(r"[A-Za-z0-9/+=]{40}", fullmatch=True), KEYS)
def test_whatever_the_secret_and_the_key_nothing_but_the_secret_is_dropped(secret: str, key: str) -> None:
    for written in (secret, quote(secret, safe="")):
        uri = f"s3://AKIAIOSFODNN7EXAMPLE:{written}@films/{key}"
        try:
            assert normalised(uri, CWD, SCHEMES, strip_credentials=True) == f"s3://films/{key}"
        except CredentialsError:  # the key itself looks like a URI with a password in it
            assert has_credentials(f"s3://films/{key}")


@given(KEYS)
def test_any_key_without_control_characters_is_kept_as_it_is(key: str) -> None:
    stored = normalised(f"s3://films/{key}", CWD, SCHEMES)
    assert s3_place(stored) == S3Place("films", key)
    assert normalised(stored, CWD, SCHEMES) == stored


@given(KEYS)
def test_the_name_made_from_any_key_is_one_file_name(key: str) -> None:
    stem = file_name_stem(f"s3://films/{key}")
    assert "/" not in stem
    assert stem not in {"", ".", ".."}
    assert stem.isprintable()


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("s3://films/x/a.mov", "a"),
        ("s3://films/100%25?#1.mov", "100%25?#1"),
        ("s3://films/a\u200b.mov", "a_"),
        ("s3://films/x/..", "source"),
        ("s3://films/x/", "x"),
        ("s3://films/", "source"),
    ],
)
def test_the_name_of_an_output_is_made_from_the_key_as_it_is(source: str, stem: str) -> None:
    assert file_name_stem(source) == stem


def test_a_question_mark_in_a_key_does_not_end_the_name() -> None:
    assert name_in("s3://films/x/what?#1.mp4") == "what?#1.mp4"
    assert muxer_for("s3://films/x/what?#1.mkv") == "matroska"


def test_a_bucket_names_no_file_that_could_be_written() -> None:
    with pytest.raises(UsageError, match="does not end in a known media extension"):
        muxer_for("s3://films/")
