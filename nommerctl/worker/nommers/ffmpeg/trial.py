"""Tries an ffmpeg: which one it is, and whether it can do what a preset asks, by doing it."""

import re
from collections.abc import Callable
from pathlib import Path

from nommerctl.domain.job import Progress
from nommerctl.domain.options import Preset, muxer_for
from nommerctl.errors import EncodingError
from nommerctl.ports import Encoded, Nommer, Work
from nommerctl.worker.nommers.ffmpeg.process import run
from nommerctl.worker.nommers.ffmpeg.sample import write_sample

TIME_LIMIT = 30.0
"""Seconds that one run of a trial may take: many times what it takes on a slow machine."""

_VERSION = re.compile(rb"ffmpeg version (\S+)")


def version_of(ffmpeg: Path, folder: Path, keep_on: Callable[[], None]) -> str:
    """Return the version that an ffmpeg says it has; EncodingError if it says none. `folder` is where it is run."""
    said = bytearray()
    ran = run([str(ffmpeg), "-version"], folder=folder, time_limit=TIME_LIMIT, keep_on=keep_on, on_stdout=said.extend)
    version = _VERSION.match(said)
    if ran.code != 0 or version is None:
        msg = f"{ffmpeg} does not answer as an ffmpeg: it does not say its version"
        raise EncodingError(msg)
    return version[1].decode(errors="replace")


def try_preset(nommer: Nommer, preset: Preset, folder: Path, keep_on: Callable[[], None]) -> Encoded:
    """Encode a film of one second as a job of this preset would be, in `folder`; EncodingError says why it fails."""
    source = folder / "sample.avi"
    write_sample(source)
    output = folder / f"sample{preset.suffix}"
    output.touch()
    work = Work(source=source, output=output, folder=folder, muxer=muxer_for(output.name), options=preset.passes)
    return nommer.encode(work, _Watch(keep_on))


class _Watch:
    """A ports.Watch for which only the end of the trial counts."""

    def __init__(self, keep_on: Callable[[], None]) -> None:
        self.keep_on = keep_on

    def report(self, progress: Progress) -> None:
        """Take no interest in progress."""
