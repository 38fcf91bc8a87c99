"""What a child does before it becomes ffmpeg: it leaves the network, takes its limits, and ties itself to its worker.

Leaving the network is a namespace of its own without any interface, so that not even a decoder taken over by a hostile
file can reach anybody. It is a system call in the child itself, which costs a millisecond; the program `unshare` would
be one more program to find and to start. Who is not root needs a user namespace for it, in which they are still
themselves to the file system. Root gets none: in one, root could no longer read other users' files. Linux only.
"""

import ctypes
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import cache

from nommerctl.worker.nommers.ffmpeg.lifeline import tied_to_this_process
from nommerctl.worker.nommers.ffmpeg.limits import Limits

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def confinement(limits: Limits) -> Callable[[], None]:
    """Return what a child has to call before it becomes ffmpeg (Popen's `preexec_fn`).

    It makes system calls by functions that were loaded before the fork, and no more. What fails there is an exception,
    so that Popen fails: nothing is started with less than it should have.
    """
    leave = _leaving_the_network() if refusal() is None else None
    resources = limits.resources()
    tie = tied_to_this_process()

    def confine() -> None:
        if leave is not None and (number := leave()):
            raise OSError(number, os.strerror(number))
        for kind, values in resources:
            resource.setrlimit(kind, values)
        if tie is not None:
            tie()

    return confine


@cache
def refusal() -> str | None:
    """Say why this system does not let ffmpeg be cut off from the network, None if it does; tried once in a process.

    Where it does not, ffmpeg runs with the network at hand, and only its own whitelist of protocols keeps it from it.
    """
    leave = _leaving_the_network()
    if leave is None:
        return "only Linux can cut a process off from the network"
    number = _tried(leave)
    if number == 0:
        return None
    full = number in {errno.ENOSPC, errno.EUSERS}
    by = (
        "user.max_user_namespaces or user.max_net_namespaces" if full else "a sysctl, AppArmor or a container's profile"
    )
    return f"the kernel refuses a network namespace: {os.strerror(number).lower()} ({by})"


@cache
def _leaving_the_network() -> Callable[[], int] | None:
    """Return what leaves the network, and returns 0 or the error's number; None where there is no such call."""
    if sys.platform != "linux":
        return None
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER

    def leave() -> int:
        return 0 if unshare(flags) == 0 else ctypes.get_errno()

    return leave


def _tried(leave: Callable[[], int]) -> int:
    """Try it in a child that ends before it becomes any program."""
    with subprocess.Popen([sys.executable], preexec_fn=lambda: os._exit(leave())) as child:  # noqa: PLW1509 - see above
        return child.wait()
