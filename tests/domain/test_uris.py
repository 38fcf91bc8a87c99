"""What a user may give as a source or destination, what is stored of it, and what is refused with which sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nommerctl.domain.uris import check_http_url, check_notify_url, file_name_stem, normalised, scheme_of
from nommerctl.errors import UsageError

CWD = "/home/ann"


@pytest.mark.parametrize(
    ("given_text", "stored"),
    [
        ("a.mov", "/home/ann/a.mov"),
        ("/movies/a.mov", "/movies/a.mov"),
        ("./x//y/./a.mov", "/home/ann/x/y/a.mov"),
        ("//movies///a.mov", "/movies/a.mov"),
        ("../bob/a.mov", "/home/bob/a.mov"),
        ("./../../../../a.mov", "/a.mov"),
        ("/../a.mov", "/a.mov"),
        ("out/", "/home/ann/out/"),
        ("/", "/"),
        ("..", "/home"),
        ("a:b.mov", "/home/ann/a:b.mov"),
        ("12:30.mov", "/home/ann/12:30.mov"),
        ("C:\\a.mov", "/home/ann/C:\\a.mov"),
        ("./data:1.mov", "/home/ann/data:1.mov"),
        ("/movies/http://host/a", "/movies/http:/host/a"),
        ("-rf 'it''s' \"100%25\" #1?.mov", "/home/ann/-rf 'it''s' \"100%25\" #1?.mov"),
        ("two\nlines.mov", "/home/ann/two\nlines.mov"),
        ("映画.mov", "/home/ann/映画.mov"),
        (" ", "/home/ann/ "),
    ],
)
def test_a_path_is_stored_absolute_and_otherwise_as_given(given_text: str, stored: str) -> None:
    assert normalised(given_text, CWD) == stored
    assert normalised(stored, "/elsewhere") == stored
    assert scheme_of(stored) == "file"


def test_a_folder_that_may_be_a_symbolic_link_is_not_taken_away() -> None:
    assert normalised("link/../a.mov", CWD) == "/home/ann/link/../a.mov"


@pytest.mark.parametrize(
    ("uri", "stored"),
    [
        ("file:///movies/a.mov", "/movies/a.mov"),
        ("file:/movies/a.mov", "/movies/a.mov"),
        ("file://localhost/movies/a.mov", "/movies/a.mov"),
        ("FILE://LocalHost/movies/a.mov", "/movies/a.mov"),
        ("file:///movies/100%25%20sure%3F%23.mov", "/movies/100% sure?#.mov"),
        ("file:///movies/f%C3%BC%C3%9Fe.mov", "/movies/füße.mov"),
        ("file:///movies/%2e%2e/a.mov", "/movies/../a.mov"),
        ("file:///movies/out/", "/movies/out/"),
    ],
)
def test_a_file_uri_becomes_its_path(uri: str, stored: str) -> None:
    assert normalised(uri, CWD) == stored


@pytest.mark.parametrize(
    "url",
    [
        "https://host/a.mov",
        "HTTP://host:8080/a%20b.mov?start=1#t=10",
        "https://[2001:db8::1]:443/a.mov",
        "https://bucket.s3.amazonaws.com/a@2x.mov?X-Amz-Signature=abc",
        "https://füße.example/a.mov",
        "http://host",
    ],
)
def test_an_http_url_is_stored_as_given(url: str) -> None:
    assert normalised(url, CWD) == url
    assert scheme_of(url) == url.partition(":")[0].lower()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a source, destination or URL is empty"),
        ("a\0b", r"'a\x00b' holds a NUL character, which no file name or URL can"),
        ("caf\udce9.mov", r"'caf\udce9.mov' is not valid UTF-8, and a job is stored as UTF-8: rename the file"),
        ("file:///a%00b", r"'/a\x00b' holds a NUL character, which no file name or URL can"),
        (
            "file:///caf%E9.mov",
            "'file:///caf%E9.mov' is not valid UTF-8, and a job is stored as UTF-8: rename the file",
        ),
        (
            "file://nas/a.mov",
            "'file://nas/a.mov' names no file of this machine: a file: URI looks like file:///folder/name",
        ),
        (
            "file:a.mov",
            "'file:a.mov' names no file of this machine: a file: URI looks like file:///folder/name",
        ),
        (
            "file:///100%.mov",
            "'file:///100%.mov' is not a file: URI: in a file name '%' is written as %25, '?' as %3F, '#' as %23",
        ),
        (
            "file:///a#1.mov",
            "'file:///a#1.mov' is not a file: URI: in a file name '%' is written as %25, '?' as %3F, '#' as %23",
        ),
        (
            "s3://bucket/a.mov",
            "'s3:' is not supported by this backend: give a path or a file:, http: or https: URI",
        ),
        (
            "gopher://host/a",
            "'gopher:' is not supported by this backend: give a path or a file:, http: or https: URI",
        ),
        ("http:///a.mov", "'http:///a.mov' names no host: a URL looks like http://host/path"),
        ("http:a.mov", "'http:a.mov' names no host: a URL looks like http://host/path"),
        ("https://host:99999/", "'https://host:99999/' names no host: a URL looks like https://host/path"),
        ("https://ho%73t/", "'https://ho%73t/' names no host: a URL looks like https://host/path"),
        (
            "https://host/a b.mov",
            "a URL has a blank or control character after 'https://host/a': write a space as %20",
        ),
        (
            "https://host/\x1b[2J",
            "a URL has a blank or control character after 'https://host/': write a space as %20",
        ),
    ],
)
def test_what_cannot_be_a_source_or_destination_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        normalised(text, CWD)
    assert str(refused.value) == sentence


def test_a_file_called_like_a_uri_is_told_how_it_is_named() -> None:
    with pytest.raises(UsageError, match=r"^'pipe:' is not supported .*; a file of that name is '\./pipe:1'$"):
        normalised("pipe:1", CWD)


@pytest.mark.parametrize(
    "uri",
    [
        "https://ann:hunter2@host/a.mov",
        "https://hunter2@host/a.mov",
        "https://ann:hunter2 and more@host/a.mov",
        "https://ann:hunter2\n@host/a.mov",
        "ftp://ann:hunter2@host/a.mov",
        "s3://AKIAIOSFODNN7EXAMPLE:hunter2/with/slashes@bucket/a.mov",
        "file://ann:hunter2@localhost/a.mov",
    ],
)
def test_a_uri_with_credentials_is_refused_without_repeating_them(uri: str) -> None:
    with pytest.raises(UsageError, match="with a user name or password in it is refused") as refused:
        normalised(uri, CWD)
    assert "hunter2" not in str(refused.value)
    assert "AKIA" not in str(refused.value)


def test_a_refused_url_is_shown_without_the_secrets_of_its_query() -> None:
    with pytest.raises(UsageError) as refused:
        normalised("http:///a.mov?token=hunter2", CWD)
    assert "'http:///a.mov?token=***'" in str(refused.value)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).map(lambda t: f"/{t}"))
def test_any_absolute_path_is_a_path_and_normalising_it_again_changes_nothing(path: str) -> None:
    stored = normalised(path, CWD)
    assert scheme_of(stored) == "file"
    assert stored.startswith("/")
    assert normalised(stored, CWD) == stored


@pytest.mark.parametrize("url", ["http://host/hook", "https://host:8443/hook?token=abc"])
def test_a_notify_url_may_have_a_query(url: str) -> None:
    check_notify_url(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "a source, destination or URL is empty"),
        ("/hook", "'/hook' is not an http: or https: URL"),
        ("file:///hook", "'file:///hook' is not an http: or https: URL"),
        ("host/hook", "'host/hook' is not an http: or https: URL"),
        (
            "https://ann:pw@host/hook",
            "a notify URL with a user name or password in it is refused: it would be stored and shown",
        ),
        ("https:///hook", "'https:///hook' names no host: a URL looks like https://host/path"),
    ],
)
def test_a_notify_url_that_nobody_could_be_told_at_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_notify_url(url)
    assert str(refused.value) == sentence


def test_a_url_with_credentials_is_none_that_http_is_spoken_to() -> None:
    with pytest.raises(UsageError, match=r"^a URL with a user name or password in it is refused$"):
        check_http_url("http://ann:pw@host/")


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("/movies/a.mov", "a"),
        ("/movies/a.b.mov", "a.b"),
        ("/movies/.hidden", ".hidden"),
        ("/movies/no extension", "no extension"),
        ("/movies/two\nlines.mov", "two\nlines"),
        ("/movies/100%25.mov", "100%25"),
        ("/", "source"),
        ("https://host/x/a.mov?sig=1/2#t", "a"),
        ("https://host/f%C3%BC%C3%9Fe%20a.mov", "füße a"),
        ("https://host/a%2F..%2Fb.mov", "a_.._b"),
        ("https://host/x/%2e%2e", "source"),
        ("https://host/x/%2e%2e/", "source"),
        ("https://host/a%00%0Ab%1b.mov", "a__b_"),
        ("https://host/%E9.mov", "_"),
        ("https://host/", "source"),
        ("https://host", "source"),
        ("https://host?a=/b.mov", "source"),
        ("https://host/a/", "a"),
    ],
)
def test_the_name_of_an_output_is_made_from_the_name_of_its_source(source: str, stem: str) -> None:
    assert file_name_stem(source) == stem


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_name_made_from_any_url_is_one_file_name(path: str) -> None:
    stem = file_name_stem(f"https://host/{path}")
    assert "/" not in stem
    assert stem not in {"", ".", ".."}
    assert stem.isprintable()
