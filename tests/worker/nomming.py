"""What the tests of the ffmpeg nommer share: a watch that remembers, and one encode from clip to output."""

from collections.abc import Callable, Sequence
from pathlib import Path

from nommerctl.adapters.presets import PresetLibrary
from nommerctl.domain.config import FfmpegSettings
from nommerctl.domain.job import EncodePass, Progress
from nommerctl.domain.options import muxer_for, parse_options
from nommerctl.ports import Encoded, Work
from nommerctl.worker.nommers.ffmpeg.nommer import FfmpegNommer
from nommerctl.worker.nommers.ffmpeg.probe import Probe, parse_probe
from nommerctl.worker.nommers.ffmpeg.process import run
from tests.clips import ffmpeg


class Recorder:
    """A Watch that keeps every report and counts how often it was asked whether to keep on."""

    def __init__(self, keep_on: Callable[[], None] | None = None) -> None:
        self.reports: list[Progress] = []
        self.asked = 0
        self._keep_on = keep_on

    def report(self, progress: Progress) -> None:
        self.reports.append(progress)

    def keep_on(self) -> None:
        self.asked += 1
        if self._keep_on:
            self._keep_on()


def passes(*outfile: Sequence[Sequence[object]]) -> tuple[EncodePass, ...]:
    """Passes from their outfile options alone, as an options file has them."""
    return parse_options([{"outfile_options": [list(pair) for pair in options]} for options in outfile])


def preset(name: str) -> tuple[EncodePass, ...]:
    return PresetLibrary().load(name).passes


def work(source: Path, output: Path, options: tuple[EncodePass, ...]) -> Work:
    folder = output.parent / "work"
    folder.mkdir(exist_ok=True)
    output.touch()
    return Work(source=source, output=output, folder=folder, muxer=muxer_for(output.name), options=options)


def encode(
    source: Path,
    output: Path,
    options: tuple[EncodePass, ...],
    *,
    watch: Recorder | None = None,
    settings: FfmpegSettings | None = None,
) -> Encoded:
    """Encode with the ffmpeg of '[local]', whatever else is installed."""
    nommer = FfmpegNommer(settings or FfmpegSettings(), search_path="")
    return nommer.encode(work(source, output, options), watch or Recorder())


def described(path: Path) -> str:
    """What ffmpeg says of a file, stream by stream."""
    argv = [str(ffmpeg()), "-hide_banner", "-nostdin", "-loglevel", "level+info", "-i", str(path)]
    return run(argv, folder=path.parent, time_limit=20, keep_on=lambda: None).head


def probed(path: Path) -> Probe:
    probe = parse_probe(described(path))
    assert probe is not None
    return probe
