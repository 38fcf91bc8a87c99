"""Looking at sources on real HTTP servers, and following where they have moved to."""

from pathlib import Path

import pytest

from nommerctl.adapters.http_source import HttpSource
from nommerctl.domain.config import StorageSettings
from nommerctl.domain.times import micros
from nommerctl.errors import UsageError
from tests.web import Answer, Exchange, reply, serving

FILM = bytes(range(256)) * 4096


def source() -> HttpSource:
    return HttpSource(StorageSettings(http_max_bytes=10_000_000))


def go_on() -> None:
    """Nothing stops the transfer."""


def refused_look(url: str) -> str:
    with pytest.raises(UsageError) as refused:
        source().look(url)
    return str(refused.value)


def moved(to: str, status: int = 302) -> Answer:
    return reply(status, location=to)


# --- a look ----------------------------------------------------------------------------------------------------------


def test_a_look_tells_size_and_modification_time_without_fetching() -> None:
    with serving({"/a.mov": reply(200, FILM, last_modified="Thu, 01 Jan 1970 00:01:00 GMT")}) as web:
        look = source().look(web.url("/a.mov?sig=abc"))
    assert (look.size, look.modified) == (len(FILM), micros(60))
    assert [(asked.method, asked.path) for asked in web.asked] == [("HEAD", "/a.mov?sig=abc")]


def test_a_server_that_tells_nothing_is_enough() -> None:
    with serving({"/a.mov": lambda exchange: exchange.begin(200, last_modified="yesterday")}) as web:
        look = source().look(web.url("/a.mov"))
    assert (look.size, look.modified) == (None, None)


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_server_that_refuses_head_is_asked_for_one_byte(status: int) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.command == "HEAD":
            return reply(status)(exchange)
        return reply(206, b"x", content_range="bytes 0-0/1234")(exchange)

    with serving({"/a.mov": answer}) as web:
        assert source().look(web.url("/a.mov")).size == 1234
    assert [asked.headers.get("Range") for asked in web.asked] == [None, "bytes=0-0"]


def test_a_server_without_ranges_or_head_is_not_read_to_its_end() -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.command == "HEAD":
            return reply(405)(exchange)
        exchange.begin(200, content_length=5_000_000)
        return exchange.send(b"x")

    with serving({"/a.mov": answer}) as web:
        assert source().look(web.url("/a.mov")).size == 5_000_000


def test_an_empty_source_without_head_has_size_0() -> None:
    def answer(exchange: Exchange) -> None:
        status = 405 if exchange.command == "HEAD" else 416
        return reply(status, content_range="bytes */0")(exchange)

    with serving({"/a.mov": answer}) as web:
        assert source().look(web.url("/a.mov")).size == 0


@pytest.mark.parametrize("status", [204, 304, 401, 404, 410, 500])
def test_a_source_that_the_server_does_not_give_is_refused(status: int) -> None:
    with serving({"/a.mov": reply(status)}) as web:
        sentence = refused_look(web.url("/a.mov?token=hunter2"))
    assert sentence == f"'{web.url('/a.mov?token=***')}' cannot be fetched: the server answered {status}"


def test_a_source_that_is_too_large_to_fetch_is_refused_at_once() -> None:
    with serving({"/a.mov": reply(200, content_length=20_000_000)}) as web:
        sentence = refused_look(web.url("/a.mov"))
    assert sentence == f"'{web.url('/a.mov')}' is larger than storage.http_max_bytes allows (10000000 bytes)"


# --- redirects -------------------------------------------------------------------------------------------------------


def test_redirects_are_followed(tmp_path: Path) -> None:
    answers = {"/old": moved("../new/1", 301), "/new/1": moved("2?x=1", 307), "/new/2": reply(200, FILM)}
    with serving(answers) as web:
        assert source().look(web.url("/old")).size == len(FILM)
        assert source().fetch(web.url("/old"), tmp_path, go_on).read_bytes() == FILM


def test_a_circle_of_redirects_ends() -> None:
    with serving({"/a": moved("/b"), "/b": moved("/a")}) as web:
        assert refused_look(web.url("/a")) == f"'{web.url('/a')}' is redirected more than 5 times"
    assert len(web.asked) == 6


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("ftp://host/a.mov", "'ftp://host/a.mov' is not an http: or https: URL"),
        ("file:///etc/passwd", "'file:///etc/passwd' is not an http: or https: URL"),
        ("http://ann:hunter2@127.0.0.1/", "a URL with a user name or password in it is refused"),
        ("http://[", "that is no URL"),
        ("http://ann:hunter2@[", "that is no URL"),
        ("//host:99999/a", "'http://host:99999/a' names no host: a URL looks like http://host/path"),
    ],
)
def test_a_redirect_to_anything_but_plain_http_is_not_followed(location: str, why: str) -> None:
    with serving({"/a": moved(location)}) as web:
        assert refused_look(web.url("/a")) == f"'{web.url('/a')}' is redirected to where it may not go: {why}"
