"""One HTTP request at a time, with an end to everything: to connecting, to silence, and to the whole.

The standard library bounds each wait for bytes but not the sum of them, so a server that sends a byte now and then
could hold a caller for ever. Here the waiting is done in a thread of its own, and the caller's thread can cut the
connection under it. No proxy is used and no redirect followed, unless the caller does it.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from nommerctl import __version__
from nommerctl.domain.networks import Network, network_of
from nommerctl.domain.text import shown
from nommerctl.domain.uris import check_http_url
from nommerctl.errors import HostAwayError, TransferError, UnansweredError, UsageError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse
    from urllib3.connection import HTTPConnection
    from urllib3.util import Url

T = TypeVar("T")

CONNECT_LIMIT = 3.0
"""Seconds that connecting to one address may take."""

SILENCE_LIMIT = 10.0
"""Seconds that a server may send nothing."""

_HEADERS = {"User-Agent": f"nommerctl/{__version__}", "Accept-Encoding": "identity"}
_PORTS = {"http": 80, "https": 443}

_ATTENTION = 0.5
"""Seconds between two looks of the caller's thread."""


class ConnectionBrokenError(UnansweredError):
    """A server could not be reached, fell silent, or broke off: another try may succeed."""


class NoConnectionError(ConnectionBrokenError, HostAwayError):
    """Nobody could be connected to at all."""


class Line:
    """A connection to one server at a time, which another thread may cut whatever this one waits for.

    `network` is where the server is that was asked last, by the address that answered.
    """

    def __init__(self) -> None:
        self.network: Network | None = None
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._answer: BaseHTTPResponse | None = None
        self._is_cut = False

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        admit: Callable[[str], None] = lambda _: None,
        silence: float | None = None,
    ) -> "BaseHTTPResponse":
        """Send a request and return its answer, whatever its status, with the body still to be read, as it comes.

        TransferError if the URL is none for HTTP or has credentials; ConnectionBrokenError if there is no answer, and
        NoConnectionError if nobody could be asked. The host is looked up once. `admit` gets each address that it stands
        for, and may raise, before one of them is connected to: a name may stand for another a moment later.
        The server may be silent for `silence` seconds, SILENCE_LIMIT if that is not given.
        """
        from urllib3.util import parse_url

        self.close()
        with translated(url):
            check_http_url(url)
            parts = parse_url(url)
        with translated(url, NoConnectionError):
            connection = self._connected(parts, admit)
        with translated(url):
            connection.timeout = SILENCE_LIMIT if silence is None else silence
            connection.request(
                method,
                parts.request_uri,
                body=body,
                headers={"Host": _host(parts), **_HEADERS, **headers},
                preload_content=False,
                decode_content=False,
            )
            self._answer = connection.getresponse()
            return self._answer

    def _connected(self, url: "Url", admit: Callable[[str], None]) -> "HTTPConnection":
        """Return a connection to the first address of a URL's host that takes one, once all of them are admitted."""
        from urllib3.exceptions import HTTPError

        addresses = _addresses(url)
        for address in addresses:
            admit(address)
        failure: Exception = OSError()
        for address in addresses:
            self._connection = connection = _connection(url, address)
            try:
                connection.connect()
            except (HTTPError, OSError) as error:
                connection.close()
                failure = error
                continue
            self._socket = connection.sock  # kept, because the connection forgets it when a body is read to its end
            if self._is_cut:
                raise ConnectionAbortedError
            self.network = network_of(address)
            return connection
        raise failure

    def cut(self) -> None:
        """End at once, from another thread, what `ask` or the reading of a body is waiting for."""
        self._is_cut = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; no error if there is none."""
        if self._answer is not None:
            self._answer.close()
        if self._socket is not None:
            self._socket.close()
        if self._connection is not None:
            self._connection.close()


def _addresses(url: "Url") -> list[str]:
    """Return the addresses that a URL's host stands for now, each once, in the order to try them in."""
    from urllib3.exceptions import LocationParseError

    host = _bare(url)
    try:
        found = socket.getaddrinfo(host, _port(url), type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise LocationParseError(host) from error
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def _connection(url: "Url", address: str) -> "HTTPConnection":
    """Return a connection to be made to an address; to TLS, and its certificates, the name in the URL counts."""
    from urllib3.connection import HTTPConnection, HTTPSConnection

    if url.scheme != "https":
        return HTTPConnection(address, _port(url), timeout=CONNECT_LIMIT)
    from ssl import create_default_context

    return HTTPSConnection(
        address,
        _port(url),
        timeout=CONNECT_LIMIT,
        server_hostname=_bare(url),
        ssl_context=create_default_context(),
    )


def _bare(url: "Url") -> str:
    return (url.host or "").strip("[]")


def _port(url: "Url") -> int:
    return url.port or _PORTS[url.scheme or "http"]


def _host(url: "Url") -> str:
    """Return what the Host header says: the port too, unless it is the usual one."""
    host = url.host or ""
    return host if _port(url) == _PORTS[url.scheme or "http"] else f"{host}:{_port(url)}"


def attended(url: str, work: Callable[[Line], T], *, limit: float, keep_on: Callable[[], None]) -> T:
    """Return what `work` makes of a Line, in a thread of its own; what it raises comes out.

    `keep_on` is called twice a second meanwhile. When it raises, or after `limit` seconds (UnansweredError), the line
    is cut and `work` gets an error where it is.
    """
    line = Line()
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work(line))
        except Exception as error:  # noqa: BLE001 - it is raised again in the caller's thread
            errors.append(error)
        finally:
            line.close()

    thread = Thread(target=run, name="http", daemon=True)
    end = monotonic() + limit
    thread.start()
    try:
        while thread.is_alive():
            keep_on()
            left = end - monotonic()
            if left <= 0:
                msg = f"'{shown(url)}' was not finished within {limit:g} s"
                raise UnansweredError(msg)
            thread.join(min(_ATTENTION, left))
    finally:
        line.cut()
        thread.join(_ATTENTION)
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def translated(url: str, kind: type[ConnectionBrokenError] = ConnectionBrokenError) -> Iterator[None]:
    """Turn what connecting, asking and reading may raise into a TransferError with one sentence.

    It is of this `kind` if the server is to blame, or the way to it.
    """
    from http.client import HTTPException

    from urllib3.exceptions import HTTPError, LocationParseError

    try:
        yield
    except UsageError as error:
        raise TransferError(str(error)) from error
    except LocationParseError as error:
        msg = f"'{shown(url)}' is not a URL that can be asked for"
        raise TransferError(msg) from error
    except (HTTPError, HTTPException, OSError) as error:
        msg = f"'{shown(url)}' failed: {_reason(error)}"
        raise kind(msg) from error


def _reason(error: Exception) -> str:
    from ssl import SSLCertVerificationError, SSLError

    from urllib3.exceptions import ConnectTimeoutError

    cause = error.__cause__ or error  # urllib3 chains what the system said
    if isinstance(cause, socket.gaierror):
        return "its host is not known"
    if isinstance(cause, TimeoutError):
        connecting = isinstance(error, ConnectTimeoutError)
        return f"no connection within {CONNECT_LIMIT:g} s" if connecting else "it sent nothing for too long"
    if isinstance(cause, SSLCertVerificationError):
        return f"its certificate is not accepted: {cause.verify_message}"
    if isinstance(cause, SSLError):
        return "it does not speak TLS as it should"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return "the connection broke off"
