"""The options of an encode: presets, media-nommer's lists of passes, and what of them ffmpeg may get.

A list of passes, as an options file or a preset holds it: one dict is one pass, two are a two-pass encode whose first
writes nothing but its statistics. `[{"outfile_options": [["vcodec", "libx264"], ["an", null]], "infile_options": [],
"move_atom_to_front": true}]`. Faults are UsageErrors that name their path in that list.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from nommerctl.domain import allowed
from nommerctl.domain.filtergraph import filters_in
from nommerctl.domain.formats import DEMUXERS, MUXERS
from nommerctl.domain.job import EncodePass
from nommerctl.domain.uris import name_in
from nommerctl.errors import UsageError

Value: TypeAlias = str | int | float | None
OptionList: TypeAlias = tuple[tuple[str, Value], ...]

MAX_PASSES = 2
MAX_VALUE_CHARACTERS = 16_384

_PASS_KEYS = {"infile_options", "move_atom_to_front", "outfile_options"}
_STREAM_SPECIFIER = re.compile(r"[A-Za-z0-9:#_]*")
_MAP = re.compile(r"-?0(:[A-Za-z0-9:#_]+)?\??|\[[A-Za-z0-9_]+\]")


class Preset(Struct, frozen=True, kw_only=True):
    """A named encode. `suffix` (`-web-720p.mp4`) ends the name of an output whose folder alone was given."""

    name: str
    description: str
    suffix: str
    passes: tuple[EncodePass, ...]


class Option(NamedTuple):
    """One option of one pass as ffmpeg knows it: without its dash, its stream specifier (`v:0`, or '') apart."""

    name: str
    stream: str
    value: Value


def named(options: OptionList) -> Iterator[Option]:
    """Yield options in order, each taken apart."""
    for name, value in options:
        base, _, stream = name.removeprefix("-").partition(":")
        yield Option(base, stream, value)


def parse_options(document: object) -> tuple[EncodePass, ...]:
    """Return the passes that a document (as read from JSON or TOML) holds, checked by `check_options`."""
    if not isinstance(document, list) or not 1 <= len(document) <= MAX_PASSES:
        msg = f"options must be a list of one pass, or of {MAX_PASSES} for a two-pass encode"
        raise UsageError(msg)
    passes = tuple(_parse_pass(one, f"options[{at}]") for at, one in enumerate(document))
    check_options(passes)
    return passes


def _parse_pass(document: object, path: str) -> EncodePass:
    if not isinstance(document, dict):
        msg = f'{path} must be an object such as {{"outfile_options": [["vcodec", "libx264"]]}}'
        raise UsageError(msg)
    unknown = document.keys() - _PASS_KEYS
    if unknown:
        msg = f"{path} has an unknown key {min(unknown, key=str)!r}; known: {', '.join(sorted(_PASS_KEYS))}"
        raise UsageError(msg)
    front = document.get("move_atom_to_front", False)
    if not isinstance(front, bool):
        msg = f"{path}.move_atom_to_front must be true or false"
        raise UsageError(msg)
    return EncodePass(
        outfile_options=_parse_list(document.get("outfile_options", []), f"{path}.outfile_options"),
        infile_options=_parse_list(document.get("infile_options", []), f"{path}.infile_options"),
        move_atom_to_front=front,
    )


def _parse_list(document: object, path: str) -> OptionList:
    if not isinstance(document, list):
        msg = f"{path} must be a list of [name, value] pairs"
        raise UsageError(msg)
    return tuple(_parse_pair(pair, f"{path}[{at}]") for at, pair in enumerate(document))


def _parse_pair(pair: object, path: str) -> tuple[str, Value]:
    match pair:
        case [str(name)]:
            return name, None
        case [str(name), value] if value is None or (
            isinstance(value, str | int | float) and not isinstance(value, bool)
        ):
            return name, value
        case [str(name), value]:
            msg = f"{path}: the value of {name!r} must be text, a number or null, not {value!r}"
        case _:
            msg = f"{path} must be a pair [name, value], the value null for a bare flag"
    raise UsageError(msg)


def check_options(passes: tuple[EncodePass, ...]) -> None:
    """Raise UsageError for the first option that ffmpeg may not get, with its name and path."""
    if not 1 <= len(passes) <= MAX_PASSES:
        msg = f"an encode has one or {MAX_PASSES} passes, not {len(passes)}"
        raise UsageError(msg)
    _check_pass_numbers(passes)
    for at, one in enumerate(passes):
        path = f"options[{at}]"
        for index, option in enumerate(named(one.infile_options)):
            known = _Known(allowed.INPUT_FLAGS, allowed.INPUT_VALUES, frozenset(DEMUXERS))
            _check(option, known, f"{path}.infile_options[{index}]")
        muxers = frozenset(MUXERS.values()) if at == len(passes) - 1 else frozenset({*MUXERS.values(), "null"})
        for index, option in enumerate(named(one.outfile_options)):
            known = _Known(allowed.OUTPUT_FLAGS, allowed.OUTPUT_VALUES, muxers)
            _check(option, known, f"{path}.outfile_options[{index}]")


def _check_pass_numbers(passes: tuple[EncodePass, ...]) -> None:
    """UsageError unless the option `pass` says of each pass which it is: 1 and 2 of two, and of one nothing."""
    for at, one in enumerate(passes):
        numbers = {str(option.value) for option in named(one.outfile_options) if option.name == "pass"}
        if len(passes) == 1 and numbers:
            msg = "an encode of one pass must not have the option 'pass': give two passes, or leave it out"
            raise UsageError(msg)
        if not numbers <= {str(at + 1)}:
            msg = f"options[{at}] is pass {at + 1}, and its option 'pass' says {', '.join(sorted(numbers))}"
            raise UsageError(msg)


class _Known(NamedTuple):
    """What may stand on one side of a pass."""

    flags: frozenset[str]
    values: frozenset[str]
    formats: frozenset[str]


def _check(option: Option, known: _Known, path: str) -> None:
    name, value = option.name, option.value
    shown = f"{path}: option {name!r}"
    if name not in known.flags | known.values:
        msg = f"{shown} is not among those that nommerctl passes to ffmpeg at this place"
        raise UsageError(msg)
    if not _STREAM_SPECIFIER.fullmatch(option.stream):
        msg = f"{shown} has a stream specifier that is not understood: {option.stream!r}"
        raise UsageError(msg)
    if name in known.flags and value is not None:
        msg = f"{shown} is a bare flag: its value must be null, not {value!r}"
        raise UsageError(msg)
    if name in known.values and value is None:
        msg = f"{shown} needs a value"
        raise UsageError(msg)
    if value is not None:
        _check_value(name, str(value), known, shown)


def _check_value(name: str, value: str, known: _Known, shown: str) -> None:
    if len(value) > MAX_VALUE_CHARACTERS or "\0" in value or not _is_unicode(value):
        msg = f"{shown} has a value that is too long, or no proper text"
        raise UsageError(msg)
    if name == "f" and value not in known.formats:
        msg = f"{shown} names a format that nommerctl does not use: {value!r}"
        raise UsageError(msg)
    if name == "map" and not _MAP.fullmatch(value):
        msg = f"{shown} may pick streams of the source (0:v:0) or labels of its filters ([out]), not {value!r}"
        raise UsageError(msg)
    if name == "bsf":
        _check_names(value.split(","), allowed.BITSTREAM_FILTERS, f"{shown} names the bitstream filter")
    if name in allowed.ENCODER_PARAMETERS:
        _check_names(value.split(":"), allowed.ENCODER_PARAMETERS[name], f"{shown} sets")
    if name in allowed.FILTER_OPTIONS:
        _check_filters(value, shown)


def _check_names(parts: list[str], known: frozenset[str], shown: str) -> None:
    """Check the names of a list `name[=value]`; one with quotes or backslashes has no known name."""
    for part in parts:
        name = part.partition("=")[0].strip()
        spelled = {name, name.replace("_", "-")}
        if not spelled & known or set("\\'") & set(part):
            msg = f"{shown} {part.strip()!r}, which nommerctl does not pass to ffmpeg"
            raise UsageError(msg)


def _check_filters(graph: str, shown: str) -> None:
    try:
        filters = filters_in(graph)
    except UsageError as error:
        msg = f"{shown}: {error}"
        raise UsageError(msg) from error
    for one in filters:
        if one.name not in allowed.FILTERS:
            msg = f"{shown} names the filter {one.name!r}, which nommerctl does not pass to ffmpeg"
            raise UsageError(msg)
        writer = allowed.FILTERS_THAT_WRITE.get(one.name)
        for key in one.keys:
            if "file" in key or "/" in key or key == writer:  # `/key=name` reads any option's value from a file
                msg = f"{shown}: option {key!r} of the filter {one.name!r} names a file"
                raise UsageError(msg)
            if writer and not key:
                msg = f"{shown}: the options of the filter {one.name!r} must be given by name"
                raise UsageError(msg)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell
        return False
    return True


def encoders(passes: tuple[EncodePass, ...]) -> frozenset[str]:
    """Return the encoders, or codecs, that the options name; ffmpeg must have them."""
    return frozenset(
        str(option.value)
        for one in passes
        for option in named(one.outfile_options)
        if option.name in allowed.CODEC_OPTIONS and option.value != "copy"
    )


def chosen_muxer(passes: tuple[EncodePass, ...], by_name: str) -> str:
    """Return the muxer of the output: the one that the last pass names (`f`), else that of the destination's name."""
    chosen = [str(option.value) for option in named(passes[-1].outfile_options) if option.name == "f"]
    return chosen[-1] if chosen else by_name


def muxer_for(dest: str) -> str:
    """Return the muxer for a destination, a path or a URI, by its extension; UsageError names those that are known."""
    name = name_in(dest)
    stem, dot, extension = name.rpartition(".")
    muxer = MUXERS.get(extension.lower()) if stem and dot else None
    if muxer is None:
        known = ", ".join(MUXERS)
        msg = f"the name of the destination {name!r} does not end in a known media extension: {known}"
        raise UsageError(msg)
    return muxer
