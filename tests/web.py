"""A real HTTP server on 127.0.0.1, in threads, that records what it was asked and answers as a test says."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import TypeAlias


@dataclass(frozen=True)
class Asked:
    """One request: `path` with its query, `headers` as they came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Exchange(BaseHTTPRequestHandler):
    """One request being answered. `pause` waits, but not beyond the end of the test."""

    server: "_Server"

    def pause(self, seconds: float) -> bool:
        """Wait; return whether the test still runs."""
        return not self.server.ended.wait(seconds)

    def begin(self, status: int = 200, **headers: str | int) -> None:
        """Send the status and headers; `content_length=3` is `Content-Length: 3`."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-").title(), str(value))
        self.end_headers()

    def send(self, body: bytes) -> None:
        """Send a piece of the body, now."""
        self.wfile.write(body)
        self.wfile.flush()

    def answer(self) -> None:
        """Record the request and answer it; what the test did not foresee is a 404.

        Half a request, of a sender that died in the middle, is none.
        """
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        self.server.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        self.server.answers.get(self.path.partition("?")[0], reply(404))(self)

    do_GET = do_HEAD = do_POST = answer  # noqa: N815 - the names that BaseHTTPRequestHandler looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
        """Say nothing on stderr."""


Answer: TypeAlias = Callable[[Exchange], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, answers: Mapping[str, Answer], host: str) -> None:
        super().__init__((host, 0), Exchange)
        self.answers = answers
        self.asked: list[Asked] = []
        self.ended = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that hung up."""


@dataclass(frozen=True)
class Web:
    """A running server: `url("/path")` is where to ask, `asked` what it was asked so far."""

    origin: str
    asked: list[Asked]

    def url(self, path: str) -> str:
        """The URL of a path of this server."""
        return f"{self.origin}{path}"


@contextmanager
def serving(answers: Mapping[str, Answer], tls: SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Web]:
    """Serve these answers by path, 404 elsewhere; over TLS if a context is given."""
    with _Server(answers, host) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        origin = f"{'http' if tls is None else 'https'}://{host}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Web(origin, server.asked)
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


def reply(status: int = 200, body: bytes = b"", **headers: str | int) -> Answer:
    """Answer with a whole body, whose length is told unless `content_length` is among the headers."""

    def answer(exchange: Exchange) -> None:
        exchange.begin(status, **{"content_length": len(body), **headers})
        if exchange.command != "HEAD":
            exchange.send(body)

    return answer


def stall(exchange: Exchange) -> None:
    """Answer nothing, not even headers."""
    exchange.pause(60)


def trickle(exchange: Exchange) -> None:
    """Answer a byte of a header now and then, for ever."""
    exchange.send(b"HTTP/1.0 200 OK\r\nX-Long: ")
    while exchange.pause(0.05):
        exchange.send(b"x")
