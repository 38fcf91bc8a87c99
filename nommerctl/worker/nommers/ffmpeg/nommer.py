"""The nommer that runs ffmpeg: look at the source, encode in one or two passes, verify what came out."""

from pathlib import Path

from nommerctl.domain.config import FfmpegSettings
from nommerctl.domain.options import check_options, encoders
from nommerctl.errors import EncodingError, UsageError
from nommerctl.ports import Encoded, Watch, Work
from nommerctl.worker.nommers.ffmpeg.command import encode_command, probe_command
from nommerctl.worker.nommers.ffmpeg.limits import Limits
from nommerctl.worker.nommers.ffmpeg.locate import find_ffmpeg
from nommerctl.worker.nommers.ffmpeg.probe import Probe, ProbeReader, parse_probe
from nommerctl.worker.nommers.ffmpeg.progress import Gauge, ProgressReader
from nommerctl.worker.nommers.ffmpeg.runs import Runs
from nommerctl.worker.nommers.ffmpeg.verify import Verification


class FfmpegNommer:
    """Implements ports.Nommer. `search_path` is the PATH that a system ffmpeg is looked for on."""

    def __init__(self, settings: FfmpegSettings, *, search_path: str | None = None) -> None:
        self._settings = settings
        self._search_path = search_path

    def encode(self, work: Work, watch: Watch) -> Encoded:
        """Encode and verify. Blocks its thread until then, and no ffmpeg is left when it returns or raises."""
        try:
            check_options(work.options)  # the store may hold jobs that were not submitted by nommerctl
        except UsageError as error:
            raise EncodingError(str(error)) from error
        ffmpeg = find_ffmpeg(self._settings.path, encoders(work.options), self._search_path)
        limits = Limits.of(self._settings)
        runs = Runs(work.folder, work.output, time_limit=self._settings.time_limit, watch=watch, limits=limits)
        source = self._encoded(ffmpeg, work, runs, watch)
        command, log = runs.command, runs.log
        media = Verification(ffmpeg, work, source, runs).passed(threads=self._settings.threads)
        return Encoded(media=media, command=command, log=log)

    def _encoded(self, ffmpeg: Path, work: Work, runs: Runs, watch: Watch) -> Probe:
        """Run every pass; return what the first one said of the source."""
        if work.source.stat().st_size == 0:
            msg = "the source is empty: it has no bytes"
            raise EncodingError(msg)
        header = ProbeReader()
        gauge = Gauge(watch.report, seconds=lambda: header.seconds, passes=len(work.options))
        source = None
        for index in range(len(work.options)):
            argv = encode_command(ffmpeg, work, index, threads=self._settings.threads, limits=runs.limits)
            runs.note(argv)
            ran = runs.run(argv, ProgressReader(gauge.update).feed, header.feed)
            source = source or parse_probe(ran.head)
            if source is None or not any(source.streams):
                _check_source(ffmpeg, work.source, runs)
            if ran.code != 0:
                raise runs.failed(ran, "ffmpeg failed")
            gauge.pass_done()
        if source is None:
            msg = "ffmpeg ended well without a word about the source"
            raise runs.failure(msg)
        return source


def _check_source(ffmpeg: Path, source: Path, runs: Runs) -> None:
    """EncodingError if it is the source, and not what the options ask of it, that no ffmpeg could encode."""
    ran = runs.run(probe_command(ffmpeg, source, limits=runs.limits))
    probe = parse_probe(ran.head)
    if probe is None:
        raise runs.failed(ran, "the source cannot be read as a media file")
    if not any(probe.streams):
        msg = "the source has neither a moving picture nor sound"
        raise runs.failure(msg)
