"""What one ffmpeg run may use, and how a user is told which limit struck.

The kernel holds memory and file size, ffmpeg itself the size of a picture. None of them says so by an exit code of its
own: a file that grows too large is a signal, the others are words on stderr, each encoder with its own.
"""

import re
import resource
import signal
import sys
from typing import NamedTuple

from nommerctl.domain.config import FfmpegSettings
from nommerctl.worker.nommers.ffmpeg.complaint import ending

_PICTURE = re.compile(r"\[error\] Picture size (\d{1,10})x(\d{1,10}) (?:is invalid|exceeds specified max pixel count)")

_OUT_OF_MEMORY = re.compile(
    r"Cannot allocate memory|[Mm]emory allocation (?:error|failure)|allocate memory failed"
    r"|malloc of size \d+ failed|Resource temporarily unavailable|std::bad_alloc"
)
"""How ffmpeg, x264, x265, SVT-AV1, libvpx and C++ say it. What is unavailable is a thread, for want of its stack."""

_TOLD = "[info] "
"""Marks lines that may repeat what the source says of itself."""

_LARGEST_COUNT = 2**31 - 1
"""The most pixels that ffmpeg's option takes, which is also its default."""


class Limits(NamedTuple):
    """Bytes of memory, bytes of one written file, pixels of one picture; 0 is without limit."""

    memory: int = 0
    output: int = 0
    pixels: int = 0

    @classmethod
    def of(cls, settings: FfmpegSettings) -> "Limits":
        """Return the limits of the settings."""
        return cls(memory=settings.memory_limit, output=settings.output_limit, pixels=settings.max_pixels)

    @property
    def arguments(self) -> list[str]:
        """What ffmpeg is told of its limits, before a source and once more before an output."""
        return ["-max_pixels", str(min(self.pixels, _LARGEST_COUNT))] if self.pixels else []

    def resources(self) -> list[tuple[int, tuple[int, int]]]:
        """Return what setrlimit(2) is to be called with in the child: kinds, with soft and hard limit.

        RLIMIT_DATA counts what a process may write and shares with nobody, not address space that it merely reserves,
        of which encoders take a lot. A core dump would write all of that memory to a disk.
        """
        wanted = {resource.RLIMIT_DATA: self.memory, resource.RLIMIT_FSIZE: self.output}
        kinds = [(kind, _no_higher_than_it_is(kind, value)) for kind, value in wanted.items() if value]
        return [*kinds, (resource.RLIMIT_CORE, (0, 0))]

    def struck(self, code: int, stderr: str) -> str | None:
        """Return the limit that a run met, and its setting, by its exit code and words; None if it met none."""
        if code == -signal.SIGXFSZ:
            ours = self.output and _no_higher_than_it_is(resource.RLIMIT_FSIZE, self.output)[0] == self.output
            whose = (
                f"ffmpeg.output_limit allows ({self.output} bytes" if ours else "this system lets a file be (ulimit -f"
            )
            return f"the output is larger than {whose}; {ending(code)})"
        for width, height in _PICTURE.findall(stderr):
            if 0 < self.pixels < int(width) * int(height):
                return f"a picture of {width}x{height} is larger than ffmpeg.max_pixels allows ({self.pixels} pixels)"
        own = (line for line in stderr.split("\n") if _TOLD not in line)
        if self.memory and any(map(_OUT_OF_MEMORY.search, own)):
            return f"ffmpeg needs more memory than ffmpeg.memory_limit allows ({self.memory} bytes)"
        return None


def _no_higher_than_it_is(kind: int, value: int) -> tuple[int, int]:
    _, hard = resource.getrlimit(kind)
    limit = min(value, sys.maxsize if hard == resource.RLIM_INFINITY else hard)
    return limit, limit
