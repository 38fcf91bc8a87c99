"""Where redirects may lead, tried on an internet of our own: a network namespace whose addresses are all this machine.

A namespace is a thread's, and that of the threads that it starts, so servers and client are threads in it.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from nommerctl.adapters.http_source import HttpSource
from nommerctl.domain.config import StorageSettings
from nommerctl.domain.networks import Network, network_of
from nommerctl.errors import TransferError, UsageError
from tests.web import reply, serving

T = TypeVar("T")

MACHINE, PRIVATE, LINK, PUBLIC, PUBLIC_TOO = "127.0.0.1", "10.1.2.3", "169.254.169.254", "93.184.215.14", "8.8.8.8"

_CLONE_NEWNET = 0x40000000
_SIOCSIFADDR, _SIOCSIFFLAGS = 0x8916, 0x8914
_IFF_UP = 1


def in_a_small_internet(work: Callable[[], T]) -> T:
    """Call it in a thread whose machine has all of these addresses, and no way out."""

    def moved() -> T:
        assert ctypes.CDLL(None).unshare(_CLONE_NEWNET) == 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))
            for number, address in enumerate((PRIVATE, LINK, PUBLIC, PUBLIC_TOO)):
                place = struct.pack("16sHH4s16x", f"lo:{number}".encode(), socket.AF_INET, 0, socket.inet_aton(address))
                fcntl.ioctl(control, _SIOCSIFADDR, place)
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(moved).result()


def fetched(folder: Path, *hosts: str) -> tuple[str, list[str]]:
    """Fetch from a server at the first of these, each of which redirects to the next.

    Returns what came of it, and what the last one heard.
    """

    def work() -> tuple[str, list[str]]:
        with ExitStack() as stack:
            last = web = stack.enter_context(serving({"/film": reply(200, b"film")}, host=hosts[-1]))
            for host in reversed(hosts[:-1]):
                web = stack.enter_context(serving({"/film": reply(302, location=web.url("/film"))}, host=host))
            source = HttpSource(StorageSettings())
            try:
                source.look(web.url("/film"))
                said = source.fetch(web.url("/film"), folder, lambda: None).read_text()
            except UsageError as error:
                said = str(error)
                with pytest.raises(TransferError, match="where it may not go"):
                    source.fetch(web.url("/film"), folder, lambda: None)
            return said.replace(web.origin, "URL"), [asked.method for asked in last.asked]

    return in_a_small_internet(work)


needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root of a Linux system makes a network of its own"
)


@needs_root
@pytest.mark.parametrize(
    ("first", "second", "way"),
    [
        (PUBLIC, MACHINE, "the internet to this machine"),
        (PUBLIC, PRIVATE, "the internet to a private network"),
        (PUBLIC, LINK, "the internet to a link of this machine"),
        (PRIVATE, MACHINE, "a private network to this machine"),
        (PRIVATE, LINK, "a private network to a link of this machine"),
        (MACHINE, LINK, "this machine to a link of this machine"),
        (MACHINE, PRIVATE, "this machine to a private network"),
    ],
)
def test_a_redirect_into_a_network_that_the_server_is_not_in_is_not_followed(
    tmp_path: Path, first: str, second: str, way: str
) -> None:
    said, heard = fetched(tmp_path, first, second)

    assert said == f"'URL/film' is redirected to where it may not go: from {way}"
    assert heard == []


@needs_root
@pytest.mark.parametrize(
    ("first", "second"), [(PUBLIC, PUBLIC_TOO), (PRIVATE, PUBLIC), (MACHINE, PUBLIC), (PRIVATE, PRIVATE)]
)
def test_a_redirect_within_a_network_or_to_the_internet_is_followed(tmp_path: Path, first: str, second: str) -> None:
    assert fetched(tmp_path, first, second) == ("film", ["HEAD", "GET"])


@needs_root
def test_whoever_sends_us_out_to_the_internet_does_not_get_us_back_in(tmp_path: Path) -> None:
    said, heard = fetched(tmp_path, PRIVATE, PUBLIC, PRIVATE)

    assert said == "'URL/film' is redirected to where it may not go: from the internet to a private network"
    assert heard == []


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", Network.MACHINE),
        ("127.9.9.9", Network.MACHINE),
        ("0.0.0.0", Network.MACHINE),  # noqa: S104 - nobody binds to it
        ("::1", Network.MACHINE),
        ("::", Network.MACHINE),
        ("::ffff:127.0.0.1", Network.MACHINE),
        ("169.254.169.254", Network.LINK),
        ("::ffff:169.254.169.254", Network.LINK),
        ("fe80::1%lo", Network.LINK),
        ("10.0.0.1", Network.PRIVATE),
        ("172.31.255.255", Network.PRIVATE),
        ("192.168.0.1", Network.PRIVATE),
        ("100.64.0.1", Network.PRIVATE),
        ("fd00:ec2::254", Network.PRIVATE),
        ("8.8.8.8", Network.INTERNET),
        ("2600::1", Network.INTERNET),
        ("64:ff9b::a9fe:a9fe", Network.LINK),
        ("64:ff9b:1::a00:1", Network.PRIVATE),
        ("64:ff9b::808:808", Network.INTERNET),
        ("2002:7f00:1::", Network.MACHINE),
        ("::127.0.0.1", Network.MACHINE),
        ("::ffff:0:127.0.0.1", Network.MACHINE),
        ("fec0::1", Network.PRIVATE),
        ("224.0.0.1", Network.PRIVATE),
        ("ff02::1", Network.PRIVATE),
        ("192.0.0.192", Network.PRIVATE),
    ],
)
def test_where_an_address_leads(address: str, network: Network) -> None:
    assert network_of(address) is network
