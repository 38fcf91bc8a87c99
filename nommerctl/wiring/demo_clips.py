"""The clips of the demonstration, made by ffmpeg's own test sources."""

import subprocess
from pathlib import Path

from nommerctl.errors import EncodingError
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm
from nommerctl.worker.nommers.ffmpeg.locate import find_ffmpeg

SECONDS = 4

PICTURES = {
    "bars": f"smptehdbars=size=1280x720:rate=25:duration={SECONDS}",
    "pattern": f"testsrc2=size=1280x720:rate=25:duration={SECONDS}",
    "zoom": f"mandelbrot=size=640x480:rate=25:end_pts={SECONDS * 25}",
}
"""A name and a source of pictures for each clip."""


def clip_commands(farm: Farm, folder: Path) -> list[tuple[list[str], Path]]:
    """Return, for each clip, the ffmpeg command that makes it and the file that comes of it."""
    ffmpeg = find_ffmpeg(farm.settings.ffmpeg.path, frozenset({"libx264", "aac"}), process.search_path())
    return [
        (_command(str(ffmpeg), picture, 220 * (number + 1), folder / f"{name}.mov"), folder / f"{name}.mov")
        for number, (name, picture) in enumerate(PICTURES.items())
    ]


def _command(ffmpeg: str, picture: str, hertz: int, clip: Path) -> list[str]:
    quiet = ["-v", "error", "-nostdin", "-y"]
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"sine=frequency={hertz}:duration={SECONDS}"]
    coding = ["-t", str(SECONDS), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    return [ffmpeg, *quiet, *inputs, *coding, str(clip)]


def make_clip(argv: list[str]) -> None:
    """Run the command of one clip; EncodingError with ffmpeg's words if it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True, errors="replace")
    if done.returncode:
        msg = f"ffmpeg could not make a clip: {done.stderr.strip()[-500:]}"
        raise EncodingError(msg)
