"""Ties a child process to the life of its parent, so that ffmpeg does not go on after its worker was killed.

Linux only: its kernel can send a child a signal when its parent dies. "Parent" means the thread that started the
child, so that thread has to wait for it, as `process.run` does. Elsewhere a killed worker leaves its ffmpeg running to
its end; the lease (I3) still keeps that output from replacing anything.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from functools import cache

_PR_SET_PDEATHSIG = 1


@cache
def _set_parent_death_signal() -> Callable[[int, int], int] | None:
    """Load prctl once, in the parent: between fork and exec a child may not load anything."""
    if sys.platform != "linux":
        return None
    prctl: Callable[[int, int], int] = ctypes.CDLL(None, use_errno=False).prctl
    return prctl


def tied_to_this_process() -> Callable[[], None] | None:
    """Return what ties a child that calls it before it becomes ffmpeg, None where there is no such tie.

    It has to be the last thing that the child does: changes of its credentials would make the kernel forget the tie.
    """
    prctl = _set_parent_death_signal()
    if prctl is None:
        return None
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the call: no signal will come
            os._exit(1)

    return tie
