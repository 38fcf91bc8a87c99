"""Sources that are fetched by HTTP: the `http` and `https` half of a ports.Storage that reads."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin

from nommerctl.adapters.http import ConnectionBrokenError, Line, attended, translated
from nommerctl.adapters.os_errors import reason
from nommerctl.domain.config import StorageSettings
from nommerctl.domain.networks import Network, network_of
from nommerctl.domain.text import shown
from nommerctl.domain.times import Instant, micros
from nommerctl.domain.uris import check_http_url
from nommerctl.errors import TransferError, UsageError
from nommerctl.ports import Done, SourceLook, nobody

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

STAGED_NAME = "source"

LOOK_LIMIT = 20.0
"""Seconds that a look may take, redirects and all."""

_REDIRECTS = 5
_RESUMES = 3
_CHUNK = 256 * 1024

_MOVED = frozenset({301, 302, 303, 307, 308})
_LENGTH = re.compile(r"[0-9]{1,18}")
_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-[0-9]+|\*)/(?:([0-9]{1,18})|\*)")


class HttpSource:
    """Sources on HTTP servers. Redirects are followed, to other HTTP URLs without credentials only.

    Nor do they lead into a network that the first server is not in: a stranger on the internet must not have us ask
    what only we can reach, such as the metadata service of a cloud machine.
    """

    def __init__(self, settings: StorageSettings) -> None:
        self._max_bytes = settings.http_max_bytes
        self._time_limit = settings.http_time_limit

    def look(self, source: str) -> SourceLook:
        """Ask for size and modification time; UsageError if the server does not have it or it is too large."""
        try:
            return attended(source, lambda line: self._look(line, source), limit=LOOK_LIMIT, keep_on=lambda: None)
        except TransferError as error:
            raise UsageError(str(error)) from error

    def fetch(self, source: str, folder: Path, keep_on: Callable[[], None], done: Done = nobody) -> Path:
        """Write the whole body to a file in `folder`; TransferError if it is too large, too slow, or not whole.

        What was fetched of it until then is left in `folder`.
        """
        staged = folder.absolute() / STAGED_NAME

        def download(line: Line) -> None:
            try:
                staged.unlink(missing_ok=True)
                with staged.open("wb") as file:
                    self._download(line, source, file, done)
            except OSError as error:
                msg = f"'{shown(source)}' cannot be saved as '{shown(str(staged))}': {reason(error)}"
                raise TransferError(msg) from error

        attended(source, download, limit=self._time_limit, keep_on=keep_on)
        return staged

    def _look(self, line: Line, url: str) -> SourceLook:
        answer = _followed(line, "HEAD", url, {})
        if answer.status >= HTTPStatus.BAD_REQUEST:  # signed URLs and small servers often know GET only
            answer = _followed(line, "GET", url, {"Range": "bytes=0-0"})
        start, total = _content_range(answer)
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and total == 0:
            return SourceLook(size=0, modified=_modified(answer))
        if answer.status == HTTPStatus.PARTIAL_CONTENT and start is not None:
            size = total
        else:
            _check_status(answer, url)
            size = _content_length(answer)
        self._check_size(size or 0, url)
        return SourceLook(size=size, modified=_modified(answer))

    def _download(self, line: Line, url: str, file: BinaryIO, done: Done) -> None:
        """Fetch the body into an empty file, going on where a connection broke off if the server can."""
        headers: Mapping[str, str] = {}
        for resumes_left in reversed(range(_RESUMES + 1)):
            answer = _followed(line, "GET", url, headers)
            if not (headers and answer.status == HTTPStatus.PARTIAL_CONTENT):
                _check_status(answer, url)
                file.seek(0)
                file.truncate()
            elif not _is_rest(answer, file.tell()):
                msg = f"'{shown(url)}' failed: asked for the rest of it, the server sent another part"
                raise TransferError(msg)
            self._check_size(file.tell() + (_content_length(answer) or 0), url)
            try:
                self._save(answer, url, file, done)
            except ConnectionBrokenError:
                headers = _rest(answer, file.tell())
                if not headers or not resumes_left:
                    raise
            else:
                return

    def _save(self, answer: "BaseHTTPResponse", url: str, file: BinaryIO, done: Done) -> None:
        length = _content_length(answer)
        total = None if length is None else file.tell() + length
        while True:
            with translated(url):
                chunk = answer.read(_CHUNK)
            if not chunk:
                return
            self._check_size(file.tell() + len(chunk), url)
            file.write(chunk)
            if total:
                done(file.tell() / total)

    def _check_size(self, size: int, url: str) -> None:
        if size > self._max_bytes:
            msg = f"'{shown(url)}' is larger than storage.http_max_bytes allows ({self._max_bytes} bytes)"
            raise TransferError(msg)


def _followed(line: Line, method: str, url: str, headers: Mapping[str, str]) -> "BaseHTTPResponse":
    """Ask, and ask again where a redirect leads; each new URL is checked like the first."""
    target = url
    home: Network | None = None

    def admit(address: str) -> None:
        network = network_of(address)
        if home is not None and network not in {home, Network.INTERNET}:
            msg = f"'{shown(url)}' is redirected to where it may not go: from {home} to {network}"
            raise TransferError(msg)

    for _ in range(_REDIRECTS + 1):
        answer = line.ask(method, target, headers, admit=admit)
        home = line.network
        location = answer.headers.get("Location")
        if answer.status not in _MOVED or location is None:
            return answer
        target = _next_target(url, target, location)
    msg = f"'{shown(url)}' is redirected more than {_REDIRECTS} times"
    raise TransferError(msg)


def _next_target(url: str, target: str, location: str) -> str:
    try:
        target = urljoin(target, location)
        check_http_url(target)
    except UsageError as error:
        msg = f"'{shown(url)}' is redirected to where it may not go: {error}"
        raise TransferError(msg) from error
    except ValueError as error:  # which repeats what stands before the path, credentials and all
        msg = f"'{shown(url)}' is redirected to where it may not go: that is no URL"
        raise TransferError(msg) from error
    return target


def _check_status(answer: "BaseHTTPResponse", url: str) -> None:
    if answer.status != HTTPStatus.OK:
        msg = f"'{shown(url)}' cannot be fetched: the server answered {answer.status}"
        raise TransferError(msg)


def _rest(answer: "BaseHTTPResponse", received: int) -> Mapping[str, str]:
    """Return headers that ask for the rest of the very same body, none if the server cannot promise it to be that."""
    tag = answer.headers.get("ETag", "")
    same = answer.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
    ranges = answer.status == HTTPStatus.PARTIAL_CONTENT or answer.headers.get("Accept-Ranges") == "bytes"
    if not (received and ranges and same and same.isprintable()):
        return {}
    return {"Range": f"bytes={received}-", "If-Range": same}


def _is_rest(answer: "BaseHTTPResponse", received: int) -> bool:
    start, total = _content_range(answer)
    return start == received and total is not None and _content_length(answer) == total - received


def _content_length(answer: "BaseHTTPResponse") -> int | None:
    length = answer.headers.get("Content-Length", "")
    return int(length) if _LENGTH.fullmatch(length) else None


def _content_range(answer: "BaseHTTPResponse") -> tuple[int | None, int | None]:
    """Return where a part begins and how long the whole is, each None if the answer does not say."""
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    start, total = match.groups() if match else (None, None)
    return (int(start) if start else None, int(total) if total else None)


def _modified(answer: "BaseHTTPResponse") -> Instant | None:
    from email.utils import parsedate_to_datetime

    with suppress(ValueError, TypeError, OverflowError):
        return micros(parsedate_to_datetime(answer.headers.get("Last-Modified", "")).timestamp())
    return None
