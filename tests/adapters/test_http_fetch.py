"""Fetching sources from real HTTP servers: whole or not at all, whatever the server does."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest

from nommerctl.adapters.http_source import HttpSource
from nommerctl.domain.config import StorageSettings
from nommerctl.errors import LeaseLostError, TransferError
from tests.web import Answer, Exchange, reply, serving, stall, trickle

FILM = bytes(range(256)) * 4096


def source(max_bytes: int = 10_000_000, time_limit: float = 20.0) -> HttpSource:
    return HttpSource(StorageSettings(http_max_bytes=max_bytes, http_time_limit=time_limit))


def go_on() -> None:
    """Nothing stops the transfer."""


def failed_fetch(url: str, folder: Path, *, max_bytes: int = 10_000_000, time_limit: float = 20.0) -> str:
    with pytest.raises(TransferError) as failed:
        source(max_bytes, time_limit).fetch(url, folder, go_on)
    return str(failed.value)


def test_a_source_is_fetched_whole_and_as_it_is(tmp_path: Path) -> None:
    with serving({"/a.mov": reply(200, FILM, content_encoding="gzip")}) as web:
        staged = source().fetch(web.url("/a.mov?sig=1%2F2&b=c"), tmp_path, go_on)
    assert (staged, staged.read_bytes()) == (tmp_path / "source", FILM)
    assert web.asked[0].path == "/a.mov?sig=1%2F2&b=c"
    assert web.asked[0].headers["Accept-Encoding"] == "identity"
    assert "Range" not in web.asked[0].headers


def test_a_later_attempt_starts_afresh_and_writes_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "source").symlink_to("precious")
    with serving({"/a.mov": reply(200, b"film")}) as web:
        assert source().fetch(web.url("/a.mov"), tmp_path, go_on).read_bytes() == b"film"
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_chunked_body_is_fetched(tmp_path: Path) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.protocol_version = "HTTP/1.1"
        exchange.begin(200, transfer_encoding="chunked", connection="close")
        exchange.send(b"4\r\nfilm\r\n5\r\n, two\r\n0\r\n\r\n")

    with serving({"/a.mov": answer}) as web:
        assert source().fetch(web.url("/a.mov"), tmp_path, go_on).read_bytes() == b"film, two"


@pytest.mark.parametrize(
    "headers",
    [{"content_length": len(FILM)}, {"content_length": len(FILM), "etag": '"1"'}, {"transfer_encoding": "chunked"}],
)
def test_a_body_that_ends_early_is_no_source(tmp_path: Path, headers: dict[str, str | int]) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.protocol_version = "HTTP/1.1"
        exchange.begin(200, **headers)
        exchange.send(b"4000\r\n" + FILM[:500])
        exchange.close_connection = True

    with serving({"/a.mov": answer}) as web:
        sentence = failed_fetch(web.url("/a.mov?key=hunter2"), tmp_path)
    assert sentence == f"'{web.url('/a.mov?key=***')}' failed: the connection broke off"
    assert len(web.asked) == 1


def breaking_off(after: int, **headers: str | int) -> Answer:
    """A server that has ranges, but sends only so many bytes at a time."""

    def answer(exchange: Exchange) -> None:
        start = int(exchange.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        span = {"content_range": f"bytes {start}-{len(FILM) - 1}/{len(FILM)}"} if start else {}
        exchange.begin(206 if start else 200, **{"content_length": len(FILM) - start, **headers, **span})
        exchange.send(FILM[start : start + after])

    return answer


def test_a_broken_connection_is_taken_up_where_it_broke_off(tmp_path: Path) -> None:
    with serving({"/a.mov": breaking_off(600_000, etag='"1"', accept_ranges="bytes")}) as web:
        assert source().fetch(web.url("/a.mov"), tmp_path, go_on).read_bytes() == FILM
    assert [asked.headers.get("If-Range") for asked in web.asked] == [None, '"1"']


def test_a_connection_that_keeps_breaking_is_given_up(tmp_path: Path) -> None:
    with serving({"/a.mov": breaking_off(10_000, etag='"1"', accept_ranges="bytes")}) as web:
        assert failed_fetch(web.url("/a.mov"), tmp_path) == f"'{web.url('/a.mov')}' failed: the connection broke off"
    assert len(web.asked) == 4


def test_a_source_that_changed_meanwhile_is_fetched_from_its_beginning(tmp_path: Path) -> None:
    def answer(exchange: Exchange) -> None:
        if "Range" in exchange.headers:
            return reply(200, b"the new film")(exchange)
        return breaking_off(600_000, last_modified="Thu, 01 Jan 1970 00:01:00 GMT", accept_ranges="bytes")(exchange)

    with serving({"/a.mov": answer}) as web:
        assert source().fetch(web.url("/a.mov"), tmp_path, go_on).read_bytes() == b"the new film"


@pytest.mark.parametrize("part", ["7-7/9", f"600000-600000/{len(FILM)}", "600000-600000/*"])
def test_another_part_than_the_rest_is_not_taken(tmp_path: Path, part: str) -> None:
    answer = breaking_off(600_000, etag='"1"', accept_ranges="bytes")

    def lying(exchange: Exchange) -> None:
        if "Range" in exchange.headers:
            return reply(206, b"x", content_range=f"bytes {part}")(exchange)
        return answer(exchange)

    with serving({"/a.mov": lying}) as web:
        sentence = failed_fetch(web.url("/a.mov"), tmp_path)
    assert sentence == f"'{web.url('/a.mov')}' failed: asked for the rest of it, the server sent another part"


def test_a_source_that_grows_beyond_the_limit_is_cut_off(tmp_path: Path) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.begin(200)
        while exchange.pause(0):
            exchange.send(FILM)

    with serving({"/a.mov": endless}) as web:
        sentence = failed_fetch(web.url("/a.mov"), tmp_path, max_bytes=3_000_000)
    assert sentence == f"'{web.url('/a.mov')}' is larger than storage.http_max_bytes allows (3000000 bytes)"
    assert (tmp_path / "source").stat().st_size <= 3_000_000


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_takes_no_more_is_told(tmp_path: Path) -> None:
    with serving({"/a.mov": reply(200, FILM)}) as web, files_no_larger_than(300_000):
        sentence = failed_fetch(web.url("/a.mov"), tmp_path)
    assert sentence == f"'{web.url('/a.mov')}' cannot be saved as '{tmp_path}/source': file too large"


@pytest.mark.parametrize("answer", [stall, trickle])
def test_fetching_ends_at_its_time_limit_whatever_the_server_does(tmp_path: Path, answer: Answer) -> None:
    begun = monotonic()
    with serving({"/a.mov": answer}) as web:
        sentence = failed_fetch(web.url("/a.mov"), tmp_path, time_limit=0.4)
    assert sentence == f"'{web.url('/a.mov')}' was not finished within 0.4 s"
    assert monotonic() - begun < 2


@pytest.mark.parametrize("answer", [stall, trickle])
def test_keep_on_is_called_while_the_server_stalls_and_ends_it_by_raising(tmp_path: Path, answer: Answer) -> None:
    calls: list[float] = []

    def keep_on() -> None:
        calls.append(monotonic())
        if len(calls) == 4:
            msg = "the job is another worker's now"
            raise LeaseLostError(msg)

    with serving({"/a.mov": answer}) as web, pytest.raises(LeaseLostError):
        source().fetch(web.url("/a.mov"), tmp_path, keep_on)
    assert max(later - earlier for earlier, later in pairwise(calls)) < 1
    assert not any(thread.name == "http" for thread in threading.enumerate())
