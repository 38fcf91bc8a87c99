"""The commands of an encode, as nommerctl runs them, for others to run: a shell, or the workers of a task queue."""

import os
import shlex
import subprocess
from pathlib import Path

import msgspec
from msgspec import Struct

from nommerctl.domain.config import FfmpegSettings
from nommerctl.worker.nommers.ffmpeg.command import verify_command
from nommerctl.worker.nommers.ffmpeg.limits import Limits

SOURCE = "SOURCE"
OUTPUT = "OUTPUT"

WHERE = "BENCHMARK_COMMANDS"
"""The variable that names the file in which workers find the commands."""

QUEUE = "BENCHMARK_QUEUE"
"""The variable that names the file in which huey keeps its queue."""


class Commands(Struct, frozen=True):
    """The argument lists of encode and verification, in which SOURCE and OUTPUT stand for the files."""

    encode: tuple[str, ...]
    verify: tuple[str, ...]


def learnt(shown: str) -> Commands:
    """Return what was run, from the `command` that `nommerctl show --json` shows of a finished job."""
    encode = shlex.split(shown)
    encode[encode.index("-i") + 1] = f"file:{SOURCE}"
    encode[-1] = f"file:{OUTPUT}"
    verify = verify_command(Path(encode[0]), Path(OUTPUT), threads=0, limits=Limits.of(FfmpegSettings()))
    return Commands(tuple(encode), tuple(verify))


def script(commands: Commands) -> str:
    """Return a shell script that encodes and verifies its first argument, and then moves it to its second."""
    quoted = [
        shlex.join(command).replace(f"file:{SOURCE}", 'file:"$1"').replace(f"file:{OUTPUT}", 'file:"$2".part')
        for command in (commands.encode, commands.verify)
    ]
    return f'set -e\n{quoted[0]} > "$2".log 2>&1\n{quoted[1]} > "$2".log 2>&1\nmv "$2".part "$2"\n'


def keep(commands: Commands, file: Path) -> None:
    """Write the commands to a file for `encode`."""
    file.write_bytes(msgspec.json.encode(commands))


def kept(file: Path) -> Commands:
    """Return the commands that were written to a file."""
    return msgspec.json.decode(file.read_bytes(), type=Commands)


def encode(source: str, dest: str) -> None:
    """Encode and verify, then move the output into place: the task that the workers of huey and rq run."""
    commands = kept(Path(os.environ[WHERE]))
    for command in (commands.encode, commands.verify):
        argv = [word.replace(SOURCE, source).replace(OUTPUT, f"{dest}.part") for word in command]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    Path(f"{dest}.part").replace(dest)
