"""A metadata service as EC2 has it, version 2: on 127.0.0.1, or on a socket that listens where a test wants it.

A test says what it announces.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

INSTANCE = "i-0a1b2c3d4e5f67890"

DOCUMENT = {
    "accountId": "123456789012",
    "architecture": "x86_64",
    "availabilityZone": "eu-central-1b",
    "imageId": "ami-0123456789abcdef0",
    "instanceId": INSTANCE,
    "instanceType": "c7i.large",
    "pendingTime": "2026-01-01T09:00:00Z",
    "privateIp": "10.0.3.17",
    "region": "eu-central-1",
}

ACTION = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
GIVES_TOKENS = "/latest/api/token"
ROLES = "/latest/meta-data/iam/security-credentials/"

Answer: TypeAlias = tuple[int, bytes] | Callable[[BaseHTTPRequestHandler], None]


class Metadata:
    """The service of one instance. `asked` has each request as `GET /path`, `answers` what is told by path."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.ended = threading.Event()
        self.answers: dict[str, Answer] = {
            "/latest/dynamic/instance-identity/document": (200, json.dumps(DOCUMENT).encode()),
            "/latest/meta-data/instance-life-cycle": (200, b"spot"),
        }

    def interrupt(self) -> None:
        """Announce the end of the instance."""
        self.answers[ACTION] = (200, b'{"action": "terminate", "time": "2026-01-01T09:02:00Z"}')

    def recommend(self) -> None:
        """Recommend to leave the instance."""
        self.answers[REBALANCE] = (200, b'{"noticeTime": "2026-01-01T09:02:00Z"}')

    def has_a_role(self) -> None:
        """Let the instance have a role, and credentials by it."""
        credentials = {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": "ASIATESTING",
            "SecretAccessKey": "testing",
            "Token": "testing/token==",
            "LastUpdated": "2026-01-01T09:00:00Z",
            "Expiration": "2099-01-01T09:00:00Z",
        }
        self.answers[ROLES] = (200, b"node")
        self.answers[f"{ROLES}node"] = (200, json.dumps(credentials).encode())

    def forget_tokens(self) -> None:
        """Refuse the tokens that were given out, as when they have expired."""
        self.tokens.clear()


@contextmanager
def serving(listener: socket.socket | None = None) -> Iterator[Metadata]:
    """Run a service, on this socket if there is one; yield what a test has of it."""
    service = Metadata()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            service.asked.append(f"PUT {self.path}")
            if self.path in service.answers:
                self.tell(service.answers[self.path])
            elif self.path != GIVES_TOKENS or not self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
                self.tell((400, b""))
            else:
                service.tokens.append(f"token-{len(service.asked)}==")
                self.tell((200, service.tokens[-1].encode()))

        def do_GET(self) -> None:
            service.asked.append(f"GET {self.path}")
            if self.headers.get("X-aws-ec2-metadata-token") not in service.tokens:
                self.tell((401, b""))
            else:
                self.tell(service.answers.get(self.path, (404, b"<?xml version='1.0'?><html>404 - Not Found</html>")))

        def tell(self, answer: Answer) -> None:
            if not isinstance(answer, tuple):
                answer(self)
                return
            status, body = answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
            """Say nothing on stderr."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        server.listen_on(listener)
        service.url = "http://{}:{}".format(*server.socket.getsockname())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            service.ended.set()
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that hung up."""

    def listen_on(self, listener: socket.socket | None) -> None:
        if listener is not None:
            self.socket.close()
            self.socket = listener
