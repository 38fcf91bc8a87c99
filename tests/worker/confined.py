"""Runs a command as the nommer runs ffmpeg, in a process of its own: as another user, or where a namespace is refused.

`python -m tests.worker.confined WAY COMMAND...`, where WAY is a user's number, `refused` for a system that refuses
network namespaces, or `revoked` for one that does so only after the trial. Prints how the command ended, as JSON, or
what was raised. Everything is imported before the user changes: who it becomes may not be able to read Python's files.
"""

import ctypes
import json
import os
import sys
from pathlib import Path

from nommerctl.domain.config import FfmpegSettings
from nommerctl.worker.nommers.ffmpeg.limits import Limits
from nommerctl.worker.nommers.ffmpeg.process import run
from nommerctl.worker.nommers.ffmpeg.sandbox import refusal

_CLONE_NEWUSER = 0x10000000


def become(user: int) -> None:
    if user != os.geteuid():
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def no_more_network_namespaces() -> None:
    """Be root of a user namespace, where root may set the limits of that namespace."""
    me = os.geteuid()
    assert ctypes.CDLL(None).unshare(_CLONE_NEWUSER) == 0
    Path("/proc/self/uid_map").write_text(f"0 {me} 1")
    assert refusal() is None
    Path("/proc/sys/user/max_net_namespaces").write_text("0")


def main(way: str, *command: str) -> None:
    match way:
        case "refused":
            no_more_network_namespaces()
            refusal.cache_clear()
        case "revoked":
            no_more_network_namespaces()
        case _:
            become(int(way))
    try:
        ran = run(command, folder=Path("/"), time_limit=60, keep_on=lambda: None, limits=Limits.of(FfmpegSettings()))
        found = {"refusal": refusal(), "code": ran.code, "stderr": ran.tail}
    except OSError as error:
        found = {"raised": error.strerror}
    sys.stdout.write(json.dumps(found))


main(*sys.argv[1:])
