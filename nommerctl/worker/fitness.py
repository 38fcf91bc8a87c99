"""Whether a node can work at all."""

import shutil
import time
from pathlib import Path

PROBE = 64 * 1024
"""Bytes that must find room in a node's folder before it works again."""

_MOST_DOUBLINGS = 6


class Fitness:
    """What a worker learnt of its node from the jobs that it handed back because the node could not do them.

    Without it, the worker would receive such a job at once, again and again, until the job is given up. So it waits
    before the next one, for `pause` seconds, twice as long each time, and then until there is room for `folder` again.
    """

    def __init__(self, folder: Path, pause: float) -> None:
        self._folder = folder
        self._pause = pause
        self._failures = 0
        self._not_before = 0.0

    def note(self, *, unfit: bool) -> None:
        """Take note of a job that has ended, for want of a fit node or otherwise."""
        if not unfit:
            self._failures = 0
            return
        self._not_before = time.monotonic() + self._pause * 2**self._failures
        self._failures = min(self._failures + 1, _MOST_DOUBLINGS)

    def allows(self) -> bool:
        """Whether the next job may be taken."""
        if not self._failures:
            return True
        return time.monotonic() >= self._not_before and self._has_room()

    def _has_room(self) -> bool:
        probe = self._folder / "probe"
        try:
            probe.mkdir(exist_ok=True)
            (probe / "file").write_bytes(bytes(PROBE))
        except OSError:
            return False
        finally:
            shutil.rmtree(probe, ignore_errors=True)
        return True
