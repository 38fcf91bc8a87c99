"""A tiny film of one second, picture and sound, written without ffmpeg: what every ffmpeg can read (raw AVI)."""

import math
import struct
from pathlib import Path

WIDTH, HEIGHT, RATE = 64, 48, 10
"""Pixels, and pictures a second."""

HERTZ = 44_100
TONE = 440

_PCM, _BITS, _PIXEL_BITS = 1, 16, 24


def write_sample(path: Path) -> None:
    """Write the film: a coloured slope that moves, and a tone."""
    pictures = [_chunk(b"00db", _picture(number)) + _chunk(b"01wb", _sound(number)) for number in range(RATE)]
    headers = _list(b"hdrl", _chunk(b"avih", _film()), _video(), _audio())
    path.write_bytes(_chunk(b"RIFF", b"AVI " + headers + _list(b"movi", *pictures)))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def _list(name: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", name + b"".join(chunks))


def _film() -> bytes:
    return struct.pack("<14I", 1_000_000 // RATE, 0, 0, 0, RATE, 0, 2, 0, WIDTH, HEIGHT, 0, 0, 0, 0)


def _video() -> bytes:
    header = struct.pack("<4s4sIHH8I4H", b"vids", b"DIB ", 0, 0, 0, 0, 1, RATE, 0, RATE, 0, 0, 0, 0, 0, WIDTH, HEIGHT)
    size = WIDTH * HEIGHT * _PIXEL_BITS // 8
    picture = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, _PIXEL_BITS, 0, size, 0, 0, 0, 0)
    return _list(b"strl", _chunk(b"strh", header), _chunk(b"strf", picture))


def _audio() -> bytes:
    width = _BITS // 8
    header = struct.pack("<4s4sIHH8I4H", b"auds", b"", 0, 0, 0, 0, 1, HERTZ, 0, HERTZ, 0, 0, width, 0, 0, 0, 0)
    sound = struct.pack("<HHIIHH", _PCM, 1, HERTZ, HERTZ * width, width, _BITS)
    return _list(b"strl", _chunk(b"strh", header), _chunk(b"strf", sound))


def _picture(number: int) -> bytes:
    row = [bytes((4 * column, 25 * number, 255 - 4 * column)) for column in range(WIDTH)]
    return b"".join(b"".join(row[shift:] + row[:shift]) for shift in range(HEIGHT))


def _sound(number: int) -> bytes:
    length = HERTZ // RATE
    instants = (at / HERTZ for at in range(number * length, (number + 1) * length))
    return b"".join(struct.pack("<h", round(8_000 * math.sin(2 * math.pi * TONE * at))) for at in instants)
