"""Builds ffmpeg's argument lists. No shell ever sees them; the source and the output are named in full, as files."""

from collections.abc import Iterable
from pathlib import Path

from nommerctl.domain.expectations import Streams
from nommerctl.domain.formats import DEMUXERS, INDEX_AT_END
from nommerctl.domain.options import OptionList, chosen_muxer, named
from nommerctl.ports import Work
from nommerctl.worker.nommers.ffmpeg.limits import Limits

_ALWAYS = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "repeat+level+info")
_PROGRESS = ("-progress", "pipe:1")

# The job's own source and nothing else: no other protocol, and no playlist that could name other files.
_ONE_FILE = ("-protocol_whitelist", "file", "-format_whitelist", ",".join(DEMUXERS))

_TO_NOWHERE = ("-f", "null", "-")


def probe_command(ffmpeg: Path, source: Path, *, limits: Limits) -> list[str]:
    """Open a source and say what it holds. Ends with an error code, for want of an output."""
    return [str(ffmpeg), *_ALWAYS, *_source(source, limits)]


def encode_command(ffmpeg: Path, work: Work, index: int, *, threads: int, limits: Limits) -> list[str]:
    """Run pass number `index` of the work. All but the last write nothing but their statistics.

    `threads` is used where the options name none; 0 leaves it to ffmpeg. A muxer that the options name (`f`) goes
    before the one of the destination's extension.
    """
    one = work.options[index]
    last = index == len(work.options) - 1
    names = {option.name for option in named(one.outfile_options)}
    at_most = ["-threads", str(threads)] if threads and "threads" not in names else []
    muxer = chosen_muxer(work.options, work.muxer)
    outfile = [*_arguments(one.outfile_options, without="f"), *at_most, *limits.arguments]
    if "pass" in names:
        outfile += ["-passlogfile", str(work.folder / "pass")]
    if last and one.move_atom_to_front and muxer in INDEX_AT_END:
        outfile += ["-movflags", "+faststart"]
    target = ("-f", muxer, f"file:{work.output}") if last else _TO_NOWHERE
    infile = [*at_most, *_arguments(one.infile_options)]
    return [str(ffmpeg), *_ALWAYS, *_PROGRESS, "-y", *infile, *_source(work.source, limits), *outfile, *target]


def verify_command(ffmpeg: Path, output: Path, *, threads: int, limits: Limits) -> list[str]:
    """Decode every moving picture and sound of an output to its end; the first fault makes it fail.

    Without `explode` decoders hide faults, without `-xerror` ffmpeg reports but outlives them.
    """
    at_most = ["-threads", str(threads)] if threads else []
    strict = ("-xerror", "-err_detect", "explode")
    every = ("-map", "0:v?", "-map", "0:a?")
    return [str(ffmpeg), *_ALWAYS, *_PROGRESS, *at_most, *strict, *_source(output, limits), *every, *_TO_NOWHERE]


def measure_command(ffmpeg: Path, source: Path, streams: Streams, *, limits: Limits) -> list[str]:
    """Read a source to its end without decoding it, to see how long its picture or sound, or both, really last."""
    kinds = [*(("-map", "0:V?") if streams.video else ()), *(("-map", "0:a?") if streams.audio else ())]
    return [str(ffmpeg), *_ALWAYS, *_PROGRESS, "-xerror", *_source(source, limits), *kinds, "-c", "copy", *_TO_NOWHERE]


def _source(path: Path, limits: Limits) -> list[str]:
    return [*_ONE_FILE, *limits.arguments, "-i", f"file:{path}"]


def _arguments(options: OptionList, *, without: str | None = None) -> Iterable[str]:
    for option in named(options):
        if option.name != without:
            yield f"-{option.name}:{option.stream}" if option.stream else f"-{option.name}"
            if option.value is not None:
                yield str(option.value)
