"""Small files that hold, or say that they hold, pictures of any size."""

import struct
import zlib

from tests.hostile.containers import avi


def y4m(width: int, height: int) -> bytes:
    return f"YUV4MPEG2 W{width} H{height} F25:1 C420\nFRAME\n".encode() + bytes(64)


def gif(width: int, height: int, *, frames: int = 1, delay: float = 0.04) -> bytes:
    """Pictures of one pixel on a screen of this size, each shown for `delay` seconds (655.35 at most)."""
    control = b"\x21\xf9\x04\0" + struct.pack("<H", round(delay * 100)) + b"\0\0"
    picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + screen + (control + picture) * frames + b"\x3b"


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *, rows: int) -> bytes:
    """A grey picture of this size, with so many of its rows: a thousandth of them once they are compressed."""
    compressor = zlib.compressobj(9)
    row = bytes(1 + width)
    data = b"".join(compressor.compress(row) for _ in range(rows)) + compressor.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (_png_chunk(b"IHDR", head), _png_chunk(b"IDAT", data), _png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def avi_of_png(width: int, height: int, *, rows: int = 1, frames: int = 3) -> bytes:
    """An AVI that speaks of small pictures, and has large ones in it."""
    return avi(png(width, height, rows=rows), b"MPNG", (16, 16), frames=frames)


def jpeg(width: int, height: int) -> bytes:
    """A JPEG up to where its size stands, and past it."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    table = bytes([0]) + bytes([1] * 64)
    scan = b"\x01\x01\x00\x00\x3f\x00"

    def segment(kind: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, kind, 2 + len(body)) + body

    return b"\xff\xd8" + segment(0xDB, table) + segment(0xC0, frame) + segment(0xDA, scan) + bytes(64) + b"\xff\xd9"


def mjpeg_avi(width: int, height: int) -> bytes:
    return avi(jpeg(width, height), b"MJPG", (16, 16))
