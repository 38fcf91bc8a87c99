"""Servers that speak as AWS does, on this machine: moto in this process, MiniStack in a venv that is made for it."""

import fcntl
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

MINISTACK = "1.5.33"
"""What was tried; a newer one may get other things wrong."""

REGION = "eu-central-1"

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": REGION}

SERVERS = Path(__file__).parents[1] / ".servers"
"""Where the venvs of servers are, for the next run to find them."""

SURROUNDINGS = dict(os.environ)
"""As they are before tests change them: pip may need to know of them."""


class NoServerError(Exception):
    """A server cannot be had here."""


@contextmanager
def moto() -> Iterator[str]:
    """Run moto in a thread; yield its URL."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """Run MiniStack, with its log in `folder`; yield its URL."""
    program = installed("ministack", MINISTACK)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    environment = SURROUNDINGS | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    with (folder / "ministack.log").open("wb") as log:
        server = subprocess.Popen([program], env=environment, stdout=log, stderr=log, cwd=folder)
    with server:
        try:
            _wait_for(f"{url}/_ministack/health", server)
            yield url
        finally:
            server.terminate()


def installed(name: str, version: str, *, program: str = "") -> str:
    """Return the path of a program from PyPI, installed in a venv of its own if it is not there yet.

    `program` is what it is called, if not as the package is. NoServerError if it cannot be installed.
    """
    folder = SERVERS / f"{name}-{version}"
    SERVERS.mkdir(exist_ok=True)
    with (SERVERS / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            make = [sys.executable, "-m", "venv", str(folder)]
            install = [str(folder / "bin" / "pip"), "install", "-q", f"{name}=={version}"]
            for command in (make, install):
                done = subprocess.run(command, env=SURROUNDINGS, capture_output=True, text=True, check=False)
                if done.returncode:
                    msg = f"{name} cannot be installed: {done.stderr}"
                    raise NoServerError(msg)
            (folder / "complete").touch()
    return str(folder / "bin" / (program or name))


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(Request(url), timeout=5):  # noqa: S310 - ours
                return
        except (URLError, OSError):
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def skipped_unless_in_ci(error: NoServerError) -> None:
    """Skip a test for want of a server, but not where everything has to be there."""
    import pytest  # who measures only need not have it

    if SURROUNDINGS.get("CI"):
        raise error
    pytest.skip(str(error))
