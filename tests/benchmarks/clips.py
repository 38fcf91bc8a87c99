"""Whole encodes, from `submit` to the last verified output, against the same commands run in other ways."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nommerctl.worker.nommers.ffmpeg.locate import packaged_ffmpeg
from tests.benchmarks import encode, rivals
from tests.benchmarks.measure import Row, Settings, compared, in_turns, timed
from tests.benchmarks.processes import NOMMERCTL

SECONDS = 5
PRESET = "web-720p"
WORKERS = 2


class Way(NamedTuple):
    """A way to encode: `run` takes the folders of sources and outputs and one to scribble in, and returns seconds."""

    name: str
    goal: str
    run: Callable[[Path, Path, Path], float]
    lacks: Callable[[], str | None] = lambda: None


def rows(settings: Settings) -> list[Row]:
    """Clips of 720 lines, where the encodes are nearly all of it, and of 180 lines, where much else is."""
    return [
        *_rows(settings, "1280x720", goal="1.05", turns=settings.turns(3)),
        *_rows(settings, "320x180", goal="1.25", turns=settings.turns(5)),
    ]


def _rows(settings: Settings, size: str, *, goal: str, turns: int) -> list[Row]:
    folder = settings.scratch / f"clips-{size}"
    sources = folder / "sources"
    count = settings.size(24, 3)
    make(sources, count, size)
    encode.keep(learnt(sources, folder), folder / "commands.json")
    others = [
        Way(f"`xargs -P {WORKERS}` running the same ffmpeg commands", goal, by_xargs),
        Way(f"`huey` (SQLite) with {WORKERS} processes running them", "under 1.0", rivals.by_huey, rivals.huey_lacks),
        Way(f"`rq` (Redis) with {WORKERS} workers running them", "under 1.0", rivals.by_rq, rivals.rq_lacks),
    ]
    there = [way for way in others if way.lacks() is None]
    ours, *theirs = in_turns(
        turns, *(partial(_encoded, run, sources, folder) for run in (by_nommerctl, *(way.run for way in there)))
    )
    shutil.rmtree(folder)
    what = f"{count} clips of {SECONDS} s at {size}, {PRESET}: `submit`, `worker --once --slots {WORKERS}`"
    return [
        *(compared(what, way.name, ours, figures, goal=way.goal) for way, figures in zip(there, theirs, strict=True)),
        *(Row(what=what, against=way.name, ours=f"missing: {lack}") for way in others if (lack := way.lacks())),
    ]


def make(sources: Path, count: int, size: str, seconds: int = SECONDS) -> None:
    """Make clips: one by ffmpeg's test sources, and copies of it. They are an hour old, as far as anybody can see."""
    sources.mkdir(parents=True)
    first = sources / "clip-1.mov"
    picture, sound = f"testsrc2=size={size}:rate=25:duration={seconds}", f"sine=frequency=440:duration={seconds}"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([packaged_ffmpeg()[0], "-v", "error", "-nostdin", *inputs, *coding, first], check=True)
    clips = [first, *(Path(shutil.copy(first, sources / f"clip-{number + 2}.mov")) for number in range(count - 1))]
    for clip in clips:
        os.utime(clip, (time.time() - 3600, time.time() - 3600))


def learnt(sources: Path, folder: Path) -> encode.Commands:
    """Return the commands that nommerctl runs for these clips, by having it encode one."""
    outputs, state_dir = folder / "outputs", folder / "state"
    outputs.mkdir()
    _submit([next(sources.iterdir())], outputs, state_dir)
    _nommerctl(state_dir, "worker", "--once")
    _nommerctl(state_dir, "refresh")
    (job,) = json.loads(_nommerctl(state_dir, "list", "--json"))["jobs"]
    shown = json.loads(_nommerctl(state_dir, "show", job["id"], "--json"))["job"]
    shutil.rmtree(outputs)
    shutil.rmtree(state_dir)
    return encode.learnt(shown["command"])


def _encoded(run: Callable[[Path, Path, Path], float], sources: Path, folder: Path) -> float:
    """Encode into a folder of its own; return what that took."""
    outputs, scratch = folder / "outputs", folder / "scratch"
    outputs.mkdir()
    scratch.mkdir()
    shutil.copy(folder / "commands.json", scratch)
    seconds = run(sources, outputs, scratch)
    shutil.rmtree(outputs)
    shutil.rmtree(scratch)
    return seconds


def by_nommerctl(sources: Path, outputs: Path, scratch: Path) -> float:
    """Two commands, as by hand: submit them all, and have a worker with two slots do them."""
    state_dir = scratch / "state"

    def by_hand() -> None:
        _submit(sorted(sources.iterdir()), outputs, state_dir)
        _nommerctl(state_dir, "worker", "--once", "--slots", str(WORKERS))

    seconds = timed(by_hand)
    rivals.until_all_are_there(sources, outputs, within=0)
    return seconds


def by_xargs(sources: Path, outputs: Path, scratch: Path) -> float:
    """A shell script for each clip, two at once, that encodes, verifies and moves."""
    script, pairs = scratch / "encode.sh", scratch / "pairs"
    script.write_text(encode.script(encode.kept(scratch / "commands.json")))
    pairs.write_text("".join(f"{source}\n{outputs}/{source.stem}.mp4\n" for source in sorted(sources.iterdir())))
    command = ["xargs", "-a", str(pairs), "-n", "2", "-P", str(WORKERS), "sh", str(script)]
    seconds = timed(lambda: subprocess.run(command, check=True))
    rivals.until_all_are_there(sources, outputs, within=0)
    return seconds


def _submit(sources: list[Path], outputs: Path, state_dir: Path) -> None:
    _nommerctl(state_dir, "submit", *map(str, sources), "--dest", f"{outputs}/", "--suffix", ".mp4", "--preset", PRESET)


def _nommerctl(state_dir: Path, *arguments: str) -> str:
    command = [NOMMERCTL, "--state-dir", str(state_dir), *arguments]
    done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout
