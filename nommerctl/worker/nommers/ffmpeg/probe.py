"""Reads what ffmpeg says of its input when it opens it, since there is no ffprobe: the one module that knows that text.

Under `-loglevel level+info`, so that each line that ffmpeg begins carries `[info] ` and one that a line break within a
metadata text begins does not. Looks like this; attached pictures are cover art and count as nothing:

    [info] Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:/work/source':
    [info]   Metadata:
    [info]     title           : anything, Duration: 00:00:01.00 too
    [info]   Duration: 00:00:02.00, start: 0.000000, bitrate: 219 kb/s
    [info]   Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p, 320x240 [SAR 1:1 DAR 4:3], 25 fps
    [info]   Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono, fltp, 69 kb/s (default)
"""

import re
from typing import NamedTuple

from nommerctl.domain.expectations import Streams

_LEVEL = "[info] "
_INPUT = "Input #0, "
_DURATION = re.compile(r" {2}Duration: (?:(\d+):(\d\d):(\d\d(?:\.\d+)?)|N/A)")
_STREAM = re.compile(r" {2,4}Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\([^()]*\))?: (Video|Audio): (.*)")
_SIZE = re.compile(r", (\d{1,6})x(\d{1,6})(?=[ ,]|$)")
_AFTER_INPUT = re.compile(r"^\[info\] (?:Stream mapping:|Output #0, )", re.MULTILINE)
"""What ffmpeg says once it has said all of its input."""

HEADER_CHARACTERS = 256 * 1024

_NOT_MOVING = ("(attached pic)", "(timed thumbnails)")


class Probe(NamedTuple):
    """What a file holds: its duration in seconds (None if it does not say), its streams, its first picture's size."""

    seconds: float | None
    streams: Streams
    width: int | None = None
    height: int | None = None


class ProbeReader:
    """Takes what ffmpeg says as it comes, and knows what its first input holds as soon as that has been said.

    So one run both encodes and tells what it encodes: nobody has to open the source a second time.
    """

    def __init__(self) -> None:
        self._text = ""
        self.probe: Probe | None = None

    @property
    def seconds(self) -> float | None:
        """How long the input lasts, None as long as that is not known."""
        return self.probe.seconds if self.probe else None

    def feed(self, data: bytes) -> None:
        """Take what came. Of an input that does not end within HEADER_CHARACTERS nothing is known while it runs."""
        if self.probe is None and len(self._text) < HEADER_CHARACTERS:
            self._text += data.decode(errors="replace")
            if _AFTER_INPUT.search(self._text):
                self.probe = parse_probe(self._text)


def parse_probe(stderr: str) -> Probe | None:
    """Return what the first input holds, None if ffmpeg could not open it."""
    lines = _input_lines(stderr)
    durations = [(at, found) for at, line in enumerate(lines) if (found := _DURATION.match(line))]
    if not durations:
        return None
    at, found = durations[0]
    video: list[str] = []
    audio: list[str] = []
    seen = set()
    for line in lines[at:]:
        stream = _STREAM.fullmatch(line)
        if stream and stream[1] not in seen and not stream[3].endswith(_NOT_MOVING):
            seen.add(stream[1])
            (video if stream[2] == "Video" else audio).append(stream[3])
    sizes = [(int(size[1]), int(size[2])) for text in video if (size := _SIZE.search(text))]
    width, height = sizes[0] if sizes else (None, None)
    seconds = _seconds(found) if len(durations) == 1 else None  # of two, one is a lie: it has to be measured
    return Probe(seconds, Streams(bool(video), bool(audio)), width, height)


def _input_lines(stderr: str) -> list[str]:
    """Return the indented lines that ffmpeg itself wrote about its first input."""
    own = [line.removeprefix(_LEVEL) for line in stderr.split("\n") if line.startswith(_LEVEL)]
    start = next((at for at, line in enumerate(own) if line.startswith(_INPUT)), None)
    if start is None:
        return []
    section = own[start + 1 :]
    end = next((at for at, line in enumerate(section) if not line.startswith(" ")), len(section))
    return section[:end]


def _seconds(found: re.Match[str]) -> float | None:
    if found[1] is None:
        return None
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])
