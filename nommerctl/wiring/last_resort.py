"""An end for what was told to end and hangs, whatever it hangs in."""

import os
import signal
import threading
import time

from nommerctl.errors import ExitCode

PATIENCE = 4.5
"""Seconds from the signal."""

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def end_in_time(patience: float = PATIENCE) -> None:
    """From now on, end this process `patience` seconds after a signal that it handles, unless it has ended by then.

    Handlers run between two steps of Python, in the main thread. If that is inside of SQLite, waiting for a lock, or
    inside of a file system that does not answer, none runs. So a thread reads the signals' numbers from a pipe, into
    which the kernel's own call of the interpreter writes them. What it cuts off is cut off as by SIGKILL, by which
    nothing is lost either.
    """
    told, telling = os.pipe()
    os.set_blocking(telling, False)
    signal.set_wakeup_fd(telling, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(told, patience), name="last resort", daemon=True).start()


def _wait(told: int, patience: float) -> None:
    while (number := os.read(told, 1)[0]) not in _ENDING:
        pass
    time.sleep(patience)
    os._exit(ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED)
