"""Proves an output before it is put in its place: whole, as long as it should be, with the streams it should have."""

from pathlib import Path

from nommerctl.domain.expectations import expects, keeps_duration
from nommerctl.domain.job import Media
from nommerctl.domain.options import chosen_muxer
from nommerctl.ports import Work
from nommerctl.worker.nommers.ffmpeg.command import measure_command, verify_command
from nommerctl.worker.nommers.ffmpeg.complaint import complaint
from nommerctl.worker.nommers.ffmpeg.probe import Probe, parse_probe
from nommerctl.worker.nommers.ffmpeg.progress import ProgressReader
from nommerctl.worker.nommers.ffmpeg.runs import Runs

TOLERANCE_SECONDS = 1.0
TOLERANCE_SHARE = 0.01


def tolerance(seconds: float) -> float:
    """How much an output may last shorter or longer than its source: 1 %, or 1 s if that is more."""
    return max(TOLERANCE_SECONDS, seconds * TOLERANCE_SHARE)


class Verification:
    """Checks what one job made, with the same ffmpeg that made it. Failures are EncodingErrors with the figures."""

    def __init__(self, ffmpeg: Path, work: Work, source: Probe, runs: Runs) -> None:
        self._ffmpeg = ffmpeg
        self._work = work
        self._source = source
        self._runs = runs

    def passed(self, *, threads: int) -> Media:
        """Decode the output to its end and return its measures, as decoded."""
        clock = ProgressReader()
        command = verify_command(self._ffmpeg, self._work.output, threads=threads, limits=self._runs.limits)
        ran = self._runs.must_run(command, "the output is damaged", clock.feed)
        output, seconds = parse_probe(ran.head), clock.last.seconds
        if output is None or not seconds:
            msg = "the output is empty: nothing in it can be decoded"
            raise self._runs.failure(msg)
        self._check_streams(output)
        if keeps_duration(self._work.options):
            self._check_duration(output, seconds)
        return Media(seconds=round(seconds, 3), width=output.width, height=output.height)

    def _check_streams(self, output: Probe) -> None:
        options = self._work.options
        muxer = chosen_muxer(options, self._work.muxer)
        expected = expects(options, source=self._source.streams, muxer=muxer)
        if expected.video and not output.streams.video:
            msg = "the output has no picture, though the source has one and the options keep it"
            raise self._runs.failure(msg)
        if expected.audio and not output.streams.audio:
            msg = "the output has no sound, though the source has some and the options keep it"
            raise self._runs.failure(msg)

    def _check_duration(self, output: Probe, seconds: float) -> None:
        """Compare with what the source says of itself; where they differ, with what is really in it.

        Headers may speak of streams that the output was not to have, or be estimates, or be missing.
        """
        said = self._source.seconds
        if said is not None and abs(seconds - said) <= tolerance(said):
            return
        found = self._measured(output)
        expected = found if found is not None else said
        if expected is not None and abs(seconds - expected) > tolerance(expected):
            msg = (
                f"the output lasts {seconds:.1f} s, the source {expected:.1f} s;"
                f" they may differ by {tolerance(expected):.1f} s"
            )
            raise self._runs.failure(msg)

    def _measured(self, output: Probe) -> float | None:
        """Return how long those streams of the source last that the output has; None if the source is not whole."""
        clock = ProgressReader()
        command = measure_command(self._ffmpeg, self._work.source, output.streams, limits=self._runs.limits)
        ran = self._runs.run(command, clock.feed)
        return None if ran.code != 0 or complaint(ran.tail) else clock.last.seconds
