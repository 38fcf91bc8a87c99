"""Tiny real clips, made by ffmpeg's own test sources: each is made once for a test run and shared by its processes."""

import os
import subprocess
from pathlib import Path

from nommerctl.worker.nommers.ffmpeg.locate import packaged_ffmpeg

SECONDS = 2

_QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error", "-y")
_FAST = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac")
_TAPE = ("-f", "lavfi", "-i", f"sine=frequency=440:duration={SECONDS}")


def ffmpeg() -> Path:
    """The ffmpeg that comes with '[local]'; tests use no other, so that they say the same everywhere."""
    return packaged_ffmpeg()[0]


def _picture(size: str = "160x120") -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={SECONDS}")


_RECIPES: dict[str, tuple[str, ...]] = {
    "plain.mp4": (*_picture(), *_TAPE, *_FAST, "-movflags", "+faststart"),
    "plain.mkv": (*_picture(), *_TAPE, *_FAST),
    "plain.ts": (*_picture(), *_TAPE, *_FAST),
    "silent.mp4": (*_picture(), *_FAST),
    "tone.wav": _TAPE,
    "ten-bit.mkv": (*_picture(), *_TAPE, *_FAST, "-pix_fmt", "yuv422p10le"),
    "full-chroma.mkv": (*_picture(), *_FAST, "-pix_fmt", "yuv444p"),
    "odd.mkv": (*_picture("161x121"), *_FAST, "-pix_fmt", "yuv444p"),
    "hd.mp4": (*_picture("1920x1080"), *_FAST, "-t", "0.4"),
    "anamorphic.mp4": (*_picture("180x144"), *_FAST, "-vf", "setsar=16/11"),
    "mono.wav": (*_TAPE, "-ac", "1", "-ar", "22050"),
    "surround.mkv": (*_picture(), *_TAPE, *_FAST, "-ac", "6"),
    "short-sound.mp4": (*_picture(), "-f", "lavfi", "-i", "sine=duration=0.5", *_FAST),
}


class Clips:
    """Makes clips in one folder. Safe for several processes at once: each makes its own and moves it into place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def __getitem__(self, name: str) -> Path:
        """Return a clip by its name; how it is made stands in this module."""
        path = self._folder / name
        return path if path.exists() else self._made(name)

    def _made(self, name: str) -> Path:
        match name:
            case "rotated.mp4":
                return self._rotated(name)
            case "cover.mp4":
                return self._with_cover(name)
            case "subtitled.mkv":
                return self._with_subtitles(name)
            case "truncated.mp4" | "truncated.mkv":
                return self.cut(name, self[name.replace("truncated", "plain")], 0.45)
            case "no-index.mp4":
                return self.cut(name, self.make("index-last.mp4", *_picture(), *_FAST), 0.5)
            case _:
                return self.make(name, *_RECIPES[name])

    def make(self, name: str, *arguments: str) -> Path:
        """Make a clip by ffmpeg's arguments, all but the output."""
        unfinished = self._folder / f"{os.getpid()}-{name}"
        subprocess.run([ffmpeg(), *_QUIET, *arguments, unfinished], check=True, timeout=60)
        return unfinished.rename(self._folder / name)

    def cut(self, name: str, whole: Path, share: float) -> Path:
        """Make a clip that is the first bytes of another."""
        data = whole.read_bytes()
        return self._written(name, data[: int(len(data) * share)])

    def damaged(self, name: str, whole: Path) -> Path:
        """Make a clip with a stretch of its media data overwritten."""
        data = bytearray(whole.read_bytes())
        middle = len(data) // 2
        for at in range(middle, middle + 1500):
            data[at] = at * 37 % 251
        return self._written(name, bytes(data))

    def _rotated(self, name: str) -> Path:
        return self.make(name, "-display_rotation", "90", "-i", str(self["plain.mp4"]), "-c", "copy")

    def _with_cover(self, name: str) -> Path:
        art = self.make("art.png", "-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", "-update", "1")
        inputs = ("-i", str(art), "-i", str(self["plain.mp4"]))
        return self.make(name, *inputs, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic")

    def _with_subtitles(self, name: str) -> Path:
        text = self._written("lines.srt", b"1\n00:00:00,500 --> 00:00:09,000\nOutlasts the picture\n")
        return self.make(name, "-i", str(self["plain.mp4"]), "-i", str(text), "-c", "copy", "-c:s", "srt")

    def _written(self, name: str, data: bytes) -> Path:
        unfinished = self._folder / f"{os.getpid()}-{name}"
        unfinished.write_bytes(data)
        return unfinished.rename(self._folder / name)
