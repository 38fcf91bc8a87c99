"""Finds an ffmpeg that can do a job: the one of the settings, else the system's, else the one that pip installed."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from nommerctl.errors import EncodingError

_ENCODER = re.compile(r" [VAS][A-Z.]{5} (\S+) .*?(?:\(codec (\S+)\))?")
_ANSWER_LIMIT = 20.0


def find_ffmpeg(settings_path: str, encoders: frozenset[str], path_variable: str | None) -> Path:
    """Return an ffmpeg that has all of the encoders, which may be named as codecs too (`h264`).

    `settings_path` ('' for none) is used or fails, nothing else is tried. `path_variable` is a PATH; None means the
    system's default one. EncodingError says what is missing and what to do.
    """
    if settings_path:
        ffmpeg = Path(settings_path)
        missing = encoders - encoders_of(ffmpeg)
        if missing:
            msg = f"no encoder {', '.join(sorted(missing))} in {ffmpeg} (ffmpeg.path)"
            raise EncodingError(msg)
        return ffmpeg
    looked = []
    for ffmpeg in _installed(path_variable):
        missing = encoders - encoders_of(ffmpeg)
        if not missing:
            return ffmpeg
        looked.append(f"no encoder {', '.join(sorted(missing))} in {ffmpeg}")
    if looked:
        raise EncodingError("; ".join(looked))
    msg = "there is no ffmpeg: install it, or pip install 'nommerctl[local]', or set ffmpeg.path"
    raise EncodingError(msg)


def _installed(path_variable: str | None) -> Iterator[Path]:
    system = shutil.which("ffmpeg", path=os.defpath if path_variable is None else path_variable)
    if system:
        yield Path(system).absolute()
    yield from packaged_ffmpeg()


def packaged_ffmpeg() -> list[Path]:
    """Return the ffmpeg that the package imageio-ffmpeg carries, or nothing; its Python code is not run."""
    package = find_spec("imageio_ffmpeg")
    if package is None or not package.submodule_search_locations:
        return []
    binaries = Path(package.submodule_search_locations[0]) / "binaries"
    return sorted(path for path in binaries.glob("ffmpeg-*") if os.access(path, os.X_OK))[-1:]


@cache
def encoders_of(ffmpeg: Path) -> frozenset[str]:
    """Return the names of an ffmpeg's encoders and of the codecs they make; asked once in a process."""
    try:
        answer = subprocess.run(
            [ffmpeg, "-hide_banner", "-loglevel", "error", "-encoders"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"LC_ALL": "C"},
            timeout=_ANSWER_LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        why = error.strerror if isinstance(error, OSError) else "it fails, or takes too long"
        msg = f"{ffmpeg} does not answer as an ffmpeg: {why}"
        raise EncodingError(msg) from error
    lines = answer.stdout.decode(errors="replace").split("\n")
    found = [match for line in lines if (match := _ENCODER.fullmatch(line.rstrip()))]
    return frozenset(name for match in found for name in match.groups() if name)
