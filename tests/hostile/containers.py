"""Media files that name what is not theirs: made of harmless ones, byte by byte where no tool would do it."""

import struct
from pathlib import Path

# --- QuickTime: a track whose samples are said to be in another file --------------------------------------------------

_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"dinf"}


def _atom(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _with_references(data: bytes, reference: bytes) -> bytes:
    """Return atoms with every data reference replaced. Their index has to come after the samples, whose places stay."""
    out = []
    while data:
        size, kind = struct.unpack_from(">I4s", data)
        body, data = data[8:size], data[size:]
        if kind in _PARENTS:
            body = _with_references(body, reference)
        if kind == b"dref":
            body = struct.pack(">II", 0, 1) + reference
        out.append(_atom(kind, body))
    return b"".join(out)


def mov_with_alias(film: bytes, target: Path) -> bytes:
    """A Macintosh alias: the absolute path of the file that has the samples."""
    path = str(target).encode()
    head = b"".join([
        bytes(10),
        bytes([0]) + bytes(27),  # the name of the volume
        bytes(12),
        bytes([len(target.name)]) + target.name.encode().ljust(63, b"\0"),
        bytes(16),
        struct.pack(">HH", 0, 0),  # levels up and down from the film: none, so that the path itself is taken
        bytes(16),
    ])  # fmt: skip
    entries = struct.pack(">HH", 2, len(path)) + path + bytes(len(path) % 2) + struct.pack(">hH", -1, 0)
    return _with_references(film, _atom(b"alis", bytes(4), head, entries))


def mov_with_url(film: bytes, url: str) -> bytes:
    return _with_references(film, _atom(b"url ", bytes(4), url.encode() + b"\0"))


def reference_movie(url: str) -> bytes:
    """A QuickTime file that has no samples at all, and names the movie to play in its place."""
    place = url.encode() + b"\0"
    reference = _atom(b"rdrf", bytes(4), b"url ", struct.pack(">I", len(place)), place)
    return _atom(b"ftyp", b"qt  ", bytes(4), b"qt  ") + _atom(b"moov", _atom(b"rmra", _atom(b"rmda", reference)))


# --- AVI: a playlist as its subtitles ---------------------------------------------------------------------------------


def _chunk(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2)


def _stream(kind: bytes, handler: bytes, frames: int, form: bytes) -> bytes:
    head = struct.pack("<4s4sIHHIIIIIIIIhhhh", kind, handler, 0, 0, 0, 0, 1, 25, 0, frames, 0, 0, 0, 0, 0, 16, 16)
    return _chunk(b"LIST", b"strl", _chunk(b"strh", head), _chunk(b"strf", form))


def avi(frame: bytes, codec: bytes, size: tuple[int, int], *, frames: int = 25, subtitles: bytes = b"") -> bytes:
    """An AVI of equal pictures, 25 a second, with embedded (GAB2) subtitles if there are any."""
    width, height = size
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, codec, len(frame), 0, 0, 0, 0)
    head = struct.pack("<14I", 40_000, 0, 0, 0x10, frames, 0, 2 if subtitles else 1, 0, 16, 16, 0, 0, 0, 0)
    streams = [_stream(b"vids", codec, frames, form)]
    pieces = [_chunk(b"00dc", frame)] * frames
    if subtitles:
        streams.append(_stream(b"txts", bytes(4), 1, b""))
        text = struct.pack("<5sHI", b"GAB2\0", 2, 2) + b"a\0" + struct.pack("<HI", 4, len(subtitles)) + subtitles
        pieces.insert(0, _chunk(b"01tx", text))
    lists = [_chunk(b"LIST", b"hdrl", _chunk(b"avih", head), *streams), _chunk(b"LIST", b"movi", *pieces)]
    return _chunk(b"RIFF", b"AVI ", *lists)


# --- sound: a cover picture that is only a link -----------------------------------------------------------------------


def flac_with_linked_cover(sound: bytes, url: str) -> bytes:
    """The type `-->` says that the picture is to be fetched."""
    link = url.encode()
    picture = struct.pack(">II3sI", 3, 3, b"-->", 0) + struct.pack(">IIII", 0, 0, 0, 0)
    block = picture + struct.pack(">I", len(link)) + link
    first = 4 + 4 + 34  # `fLaC` and the one block that has to come first
    return sound[:first] + struct.pack(">I", 0x06000000 | len(block)) + block + sound[first:]


def mp3_with_linked_cover(sound: bytes, url: str) -> bytes:
    frame = b"\0-->\0\x03\0" + url.encode()
    tag = b"APIC" + struct.pack(">IH", len(frame), 0) + frame
    size = bytes(len(tag) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + tag + sound


# --- Matroska and subtitles: names of files and fonts -----------------------------------------------------------------


def subtitles_with_fonts(target: Path) -> bytes:
    return f"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,{target},20

[Fonts]
fontname: {target}
!!!!

[Events]
Format: Layer, Start, End, Style, Text
Dialogue: 0,0:00:00.00,0:00:02.00,Default,{{\\fn{target}}}canary{{\\p1}}m 0 0{{\\p0}}
""".encode()
