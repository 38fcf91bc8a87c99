"""What nothing may touch while hostile work is done: a file that nobody opens, a server that nobody asks, a folder."""

import ctypes
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.web import Web, reply, serving

SECRET = b"the canary sings in the coal mine at noon"

_IN_ACCESS = 0x001
_IN_MODIFY = 0x002
_IN_ATTRIB = 0x004
_IN_MOVED = 0x0C0
_IN_CREATE = 0x100
_IN_DELETE = 0x600
_IN_OPEN = 0x020
_TOUCHES = _IN_ACCESS | _IN_MODIFY | _IN_ATTRIB | _IN_MOVED | _IN_CREATE | _IN_DELETE | _IN_OPEN
_EVENT = struct.Struct("iIII")


class Watch:
    """Learns from the kernel (inotify) who so much as opens a file, or makes or moves one in a folder."""

    def __init__(self, paths: Iterable[Path]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._file = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._watched = {
            libc.inotify_add_watch(self._file, os.fsencode(path), ctypes.c_uint32(_TOUCHES)): path for path in paths
        }
        assert self._file >= 0
        assert min(self._watched) >= 0

    def touched(self) -> list[str]:
        """Return what was touched since the last call: the path, and what the kernel calls it."""
        try:
            data = os.read(self._file, 1 << 16)
        except BlockingIOError:
            return []
        found = []
        while data:
            watched, mask, _, length = _EVENT.unpack_from(data)
            name = data[_EVENT.size : _EVENT.size + length].rstrip(b"\0").decode()
            found.append(f"{self._watched[watched]} {name} {mask:#x}")
            data = data[_EVENT.size + length :]
        return found

    def close(self) -> None:
        os.close(self._file)


@dataclass
class Canaries:
    """`film` is real media that tells the secret, `text` a line of it; `url` is a place on the watched server."""

    folder: Path
    film: Path
    text: Path
    web: Web
    watch: Watch

    def url(self, path: str = "/film.ts") -> str:
        return self.web.url(path)

    def touched(self) -> list[str]:
        """Return what was opened, changed or asked for since the last call, and forget it."""
        asked = [f"{asked.method} {asked.path}" for asked in self.web.asked]
        self.web.asked.clear()
        return [*self.watch.touched(), *asked]


@contextmanager
def canaries_in(folder: Path, film: Path) -> Iterator[Canaries]:
    """Set them out in a new folder; `film` is copied, with the secret at its end."""
    folder.mkdir()
    bird = folder / f"canary{film.suffix}"
    bird.write_bytes(film.read_bytes() + SECRET)
    text = folder / "passwd"
    text.write_bytes(SECRET + b"\n")
    with serving({"/film.ts": reply(200, bird.read_bytes())}) as web:
        watch = Watch([folder, bird, text])
        try:
            yield Canaries(folder, bird, text, web, watch)
        finally:
            watch.close()


def places_of_the_secret(folders: Iterable[Path]) -> list[Path]:
    """Return the files below these folders that hold it."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if SECRET in path.read_bytes()]


def told(texts: Iterable[str | None]) -> bool:
    """Whether one of these texts tells the secret."""
    return any(SECRET.decode() in (text or "") for text in texts)
