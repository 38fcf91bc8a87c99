"""AWS as a farm meets it, at one address: MiniStack and moto behind a proxy that counts, and fails where it is told to.

EC2 honours client tokens here, as AWS does and no emulator: an order that is repeated gets the answer of the first.
"""

import http.client
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request")

_MISMATCH = """<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>IdempotentParameterMismatch</Code>\
<Message>Arguments on this idempotent request are inconsistent with arguments used in previous request(s).</Message>\
</Error></Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"""

_HOP_BY_HOP = frozenset({"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"})


class Call(NamedTuple):
    """What was asked: `sqs`, `SendMessage`."""

    service: str
    operation: str


class Answer(NamedTuple):
    """What is answered: to be made by a test, or as it came from a server."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Cut(Enum):
    """How a connection breaks."""

    BEFORE = auto()
    """Before anything has come about."""
    AFTER = auto()
    """After it has come about: the answer is lost."""


def refusal(service: str, code: str, status: int = 400, message: str = "refused by the test") -> Answer:
    """Return an answer by which a service refuses something, in the service's own form."""
    if service in {"dynamodb", "sqs"}:
        body = f'{{"__type": "com.amazonaws.{service}#{code}", "message": "{message}"}}'
        return Answer(status, {"Content-Type": "application/x-amz-json-1.0"}, body.encode())
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    body = error if service == "s3" else f"<Response><Errors>{error}</Errors><RequestID>0</RequestID></Response>"
    return Answer(status, {"Content-Type": "text/xml"}, body.encode())


@dataclass
class Cloud:
    """One address for all services. `servers` has for each service the host and port that stand behind it."""

    servers: Mapping[str, str]
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    _faults: dict[Call, list[Answer | Cut]] = field(default_factory=dict)
    _orders: dict[str, tuple[bytes, Answer]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, service: str, operation: str, *faults: Answer | Cut) -> None:
        """Let the next calls of an operation fail, each by one fault; those after it are served again."""
        with self._lock:
            self._faults.setdefault(Call(service, operation), []).extend(faults)

    @contextmanager
    def counting(self) -> Iterator[Counter[Call]]:
        """Count the calls that are made in this context; the counter is filled when it is left."""
        counted: Counter[Call] = Counter()
        with self._lock:
            before = len(self.calls)
        yield counted
        with self._lock:
            counted.update(self.calls[before:])

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Return the answer to a request, None if the connection breaks instead."""
        call = _call(method, path, headers, body)
        with self._lock:
            self.calls.append(call)
            faults = self._faults.get(call)
            fault = faults.pop(0) if faults else None
        if fault is Cut.BEFORE:
            return None
        if isinstance(fault, Answer):
            return fault
        answer = self._served(call, method, path, headers, body)
        return None if fault is Cut.AFTER else answer

    def _served(self, call: Call, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        token = parse_qs(body.decode(errors="replace")).get("ClientToken", [""])[0] if call.service == "ec2" else ""
        if not token:
            return self._forwarded(call.service, method, path, headers, body)
        with self._lock:
            if token not in self._orders:
                self._orders[token] = body, self._forwarded(call.service, method, path, headers, body)
            asked, answer = self._orders[token]
        return answer if asked == body else Answer(400, {"Content-Type": "text/xml"}, _MISMATCH.encode())

    def _forwarded(self, service: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self.servers[service], timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            found = connection.getresponse()
            return Answer(found.status, dict(found.getheaders()), found.read())
        finally:
            connection.close()


def _call(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    scope = _SCOPE.search(headers.get("Authorization", ""))
    service = scope[1] if scope else "s3"
    target = headers.get("X-Amz-Target", "")
    if target:
        return Call(service, target.rpartition(".")[2])
    if service == "s3":
        query = urlsplit(path).query.partition("&")[0].partition("=")[0]
        return Call(service, f"{method} {query}".strip())
    return Call(service, parse_qs(body.decode(errors="replace")).get("Action", [""])[0])


@contextmanager
def cloud(ministack_url: str, moto_url: str) -> Iterator[Cloud]:
    """Run a cloud on these servers."""
    ministack, moto = urlsplit(ministack_url).netloc, urlsplit(moto_url).netloc
    made = Cloud(servers={"dynamodb": ministack, "sqs": ministack, "ec2": moto, "s3": moto, "pricing": moto})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made.answer))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(
    answer: Callable[[str, str, Mapping[str, str], bytes], Answer | None],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # a whole answer at once

        def _serve(self) -> None:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
                self.wfile.flush()
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = answer(self.command, self.path, dict(self.headers), body)
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

    return Handler
