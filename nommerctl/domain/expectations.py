"""What an output must be like, given its source and the options: the rules by which it is verified."""

from typing import NamedTuple

from nommerctl.domain import allowed
from nommerctl.domain.filtergraph import filters_in
from nommerctl.domain.formats import PICTURE_ONLY, SOUND_ONLY
from nommerctl.domain.job import EncodePass
from nommerctl.domain.options import named

CUTTING = frozenset({
    "aframes", "frames", "fs", "itsoffset", "itsscale", "shortest", "ss", "sseof", "stream_loop", "t", "to",
    "vframes",
})  # fmt: skip
"""Options by which an output may last shorter or longer than its source."""

STRETCHING_INPUT = frozenset({"framerate", "r"})
"""Input options that give the source's pictures new times. As an output option, `r` drops or repeats pictures."""

STRETCHING_FILTERS = frozenset({
    "acrossfade", "adelay", "aecho", "amix", "apad", "aselect", "asetpts", "asetrate", "asettb", "atempo", "atrim",
    "concat", "mpdecimate", "rubberband", "select", "separatefields", "setpts", "settb", "silenceremove", "telecine",
    "thumbnail", "tinterlace", "tpad", "trim", "weave", "xfade",
})  # fmt: skip


class Streams(NamedTuple):
    """Whether there is a moving picture (cover art is none) and sound."""

    video: bool
    audio: bool


def keeps_duration(passes: tuple[EncodePass, ...]) -> bool:
    """Whether the output should last as long as the source: no option cuts, repeats or stretches it."""
    last = passes[-1]
    inputs, outputs = list(named(last.infile_options)), list(named(last.outfile_options))
    if any(option.name in CUTTING for option in (*inputs, *outputs)):
        return False
    if any(option.name in STRETCHING_INPUT for option in inputs):
        return False
    graphs = [str(option.value) for option in outputs if option.name in allowed.FILTER_OPTIONS]
    return not any(one.name in STRETCHING_FILTERS for graph in graphs for one in filters_in(graph))


def expects(passes: tuple[EncodePass, ...], *, source: Streams, muxer: str) -> Streams:
    """Return which streams the output of the last pass must have.

    False means that nothing is demanded: the stream is left out, or the options pick streams in a way (by number, by
    label, by exclusion) whose result only ffmpeg knows.
    """
    last = passes[-1]
    without = {option.name for option in (*named(last.infile_options), *named(last.outfile_options))}
    outputs = list(named(last.outfile_options))
    maps = [str(option.value) for option in outputs if option.name == "map"]
    complex_graph = any(option.name == "filter_complex" for option in outputs)
    automatic = not maps and not complex_graph
    return Streams(
        video=source.video and "vn" not in without and ((automatic and muxer not in SOUND_ONLY) or _picked(maps, "vV")),
        audio=source.audio
        and "an" not in without
        and ((automatic and muxer not in PICTURE_ONLY) or _picked(maps, "a")),
    )


def _picked(maps: list[str], kinds: str) -> bool:
    """Whether the maps surely pick the first stream of a kind: by `0`, `0:v` or `0:v:0`, and take nothing back."""
    wanted = {"0", *(f"0:{kind}{which}" for kind in kinds for which in ("", ":0"))}
    return any(one.removesuffix("?") in wanted for one in maps) and not any(one.startswith("-") for one in maps)
