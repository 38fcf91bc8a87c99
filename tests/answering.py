"""An HTTP server that keeps its connections, as AWS does, and breaks them where it is told to."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, TypeAlias

_HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "server", "transfer-encoding"})


class Answer(NamedTuple):
    """What is answered: to be made by a test, or as it came from a server."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Ask: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], Answer | None]
"""Takes method, path, headers and body of a request; None breaks the connection."""


@contextmanager
def answering(answer: Ask) -> Iterator[str]:
    """Let all requests be answered, each on a thread of its connection; yield the URL."""
    server = _Server(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Ask) -> None:
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.answer = answer


class _Exchange(BaseHTTPRequestHandler):
    """One connection, for as many requests as the client sends over it."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # a whole answer at once

    def _serve(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = self.server.answer(self.command, self.path, dict(self.headers), body)
        if found is None:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response_only(found.status)
        for name, value in found.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = found.headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(found.body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else found.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - the names that are looked for

    def handle_expect_100(self) -> bool:
        return True  # _serve answers it

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):  # the other side has gone, or we have broken the connection
            self.close_connection = True
