"""Whether ffmpeg can be cut off from the network: in a network namespace of its own, which Linux may refuse."""

import ctypes
import os
import sys
from functools import cache

_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000


@cache
def refusal() -> str | None:
    """Return why this system does not let ffmpeg be cut off from the network, None if it does; asked once."""
    if sys.platform != "linux":
        return "only Linux can do that"
    wanted = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    child = os.fork()
    if child == 0:
        os._exit(ctypes.get_errno() if unshare(wanted) else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return f"no network namespace can be made: {os.strerror(code).lower()}" if code else None
