"""A network that has nothing but loopback, and what can be reached from it: servers of a test, and a few hosts."""

import ctypes
import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, TCPServer, ThreadingMixIn
from typing import TypeVar
from urllib.parse import urlsplit

METADATA = "169.254.169.254"
"""Where machines of EC2 find their metadata service."""

_CLONE_NEWNET = 0x40000000

Result = TypeVar("Result")


class Loopback:
    """A network namespace. What is run in it, and the programs that this starts, are in it; sockets stay in it."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread

    def run(self, what: Callable[[], Result]) -> Result:
        """Call a function inside."""
        return self._thread.submit(what).result()

    def listen(self, host: str, port: int) -> socket.socket:
        """Return a socket that listens inside, whoever serves it."""
        return self.run(lambda: socket.create_server((host, port), backlog=100))


@contextmanager
def loopback() -> Iterator[Loopback]:
    """Make the network: its one interface has the address of the metadata service too. Only root can."""
    with ThreadPoolExecutor(1, "inside") as thread:
        inside = Loopback(thread)
        inside.run(_leave_the_network)
        yield inside


def _leave_the_network() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    subprocess.run(["/sbin/ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["/sbin/ip", "address", "add", f"{METADATA}/32", "dev", "lo"], check=True)


@dataclass
class Gateway:
    """A proxy for HTTP and HTTPS that lets through what goes to some hosts; `asked` has all that were asked for.

    `further` is the proxy that this machine itself needs, by scheme.
    """

    hosts: frozenset[str]
    further: Mapping[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)


@contextmanager
def gateway(listener: socket.socket, gate: Gateway) -> Iterator[Gateway]:
    """Run the proxy on a socket."""

    class Passage(StreamRequestHandler):
        def handle(self) -> None:
            first = self.rfile.readline().decode()
            head = list(iter(lambda: self.rfile.readline().decode().strip(), ""))
            method, _, rest = first.partition(" ")
            target = rest.rpartition(" ")[0]
            url = urlsplit(f"https://{target}" if method == "CONNECT" else target)
            host = url.hostname or ""
            gate.asked.add(host)
            if host not in gate.hosts:
                self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            proxy = urlsplit(gate.further.get(url.scheme, ""))
            where = (proxy.hostname, proxy.port or 80) if proxy.hostname else (host, url.port or _PORTS[url.scheme])
            with socket.create_connection(where, timeout=30) as outside:
                if method == "CONNECT" and not proxy.hostname:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    kept = [line for line in head if not line.lower().startswith(("connection:", "proxy-connection:"))]
                    kept += [] if method == "CONNECT" else ["Connection: close"]  # the next request may go elsewhere
                    outside.sendall("\r\n".join([first.strip(), *kept, "", ""]).encode())
                _pump(self.connection, outside)

    with _served(listener, Passage):
        yield gate


_PORTS = {"http": 80, "https": 443}


@contextmanager
def relayed(listener: socket.socket, port: int) -> Iterator[None]:
    """Hand on what comes over a socket to a port of this machine."""

    class Passage(StreamRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as outside:
                _pump(self.connection, outside)

    with _served(listener, Passage):
        yield


@contextmanager
def _served(listener: socket.socket, passage: type[StreamRequestHandler]) -> Iterator[None]:
    with _Server(listener, passage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, passage: type[StreamRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), passage, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def handle_error(self, *_: object) -> None:
        """Say nothing of a side that hung up."""


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Hand bytes on, both ways, until both sides have ended."""
    ways = {one: other, other: one}
    while ways:
        for source in select.select(list(ways), [], [])[0]:
            data = source.recv(1 << 16)
            if data:
                ways[source].sendall(data)
            else:
                ways.pop(source).shutdown(socket.SHUT_WR)
