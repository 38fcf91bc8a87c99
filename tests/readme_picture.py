"""Makes the picture of a job table in the README: `python tests/readme_picture.py`.

A real run: real clips, real workers, and `nommerctl list` in a terminal of its own, drawn as SVG by rich.
"""

import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.cli import Cli  # noqa: E402 - found by the line above
from tests.clips import Clips  # noqa: E402

PICTURE = ROOT / ".readme" / "job-table.svg"
WIDTH = 118
ENCODING_TO_SHOW = 0.3


def in_a_terminal(cli: Cli, *arguments: str) -> str:
    """Return what a command writes to a terminal that is WIDTH cells wide."""
    leader, follower = pty.openpty()
    environment = cli.environment({"COLUMNS": str(WIDTH), "TERM": "xterm-256color"})
    process = subprocess.Popen(
        [*cli.executable, *arguments], env=environment, stdout=follower, stderr=follower, stdin=follower
    )
    os.close(follower)
    said = bytearray()
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the terminal's other end was closed
            break
        if not piece:
            break
        said += piece
    process.wait()
    os.close(leader)
    return said.decode().replace("\r\n", "\n")


def sources(clips: Clips, folder: Path) -> list[Path]:
    """Return clips with names that say something."""
    picture = ("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25")
    sound = ("-f", "lavfi", "-i", "sine=frequency=440")
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac")
    seconds = {"opening titles.mov": 3, "interview-take-2.mov": 4, "concert_2024-06-01.mkv": 40, "aerial.mp4": 40}
    made = [clips.make(name, *picture, *sound, "-t", str(length), *coding) for name, length in seconds.items()]
    broken = folder / "broken tape.mp4"
    broken.write_bytes(made[0].read_bytes()[:20_000])
    return [made[0], broken, made[1], made[2], made[3]]


def worth_showing(jobs: list[dict[str, Any]]) -> bool:
    """Whether two encodes are well under way."""
    encoding = [job for job in jobs if job["state"] == "ENCODING" and (job["progress"] or 0) > ENCODING_TO_SHOW]
    return len(encoding) > 1


def main() -> None:
    """Run a farm until its table shows every kind of thing, and draw it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cli = Cli(folder / "state", cwd=folder, executable=(sys.executable, "-m", "nommerctl"))
        cli.settings |= {"WORKER_HEARTBEAT": "0.5", "WORKER_LEASE": "30"}
        for source in sources(Clips(folder / "clips"), folder):
            cli.run("submit", source, "--dest", f"{folder}/", "--preset", "web-720p")
        cli.run("scale")
        while not worth_showing(list(cli.refreshed().values())):
            time.sleep(0.2)
        cli.run("submit", folder / "clips" / "aerial.mp4", "--dest", f"{folder}/", "--preset", "audio-m4a")
        cli.run("refresh")
        shown = in_a_terminal(cli, "list")
        cli.end_workers()
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115 - only its record counts
    console.print(Text.from_ansi(f"$ nommerctl list\n{shown}"))
    PICTURE.parent.mkdir(exist_ok=True)
    drawn = console.export_svg(title="nommerctl", unique_id="job-table")
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))  # fonts that it would fetch


if __name__ == "__main__":
    main()
