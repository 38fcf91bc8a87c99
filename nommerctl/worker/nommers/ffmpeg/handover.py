"""Gives ffmpeg its output as an open file, so that nothing that is put under its name meanwhile is written to.

An output lies beside its destination, in a folder that others may write in too. One of them could put a symbolic link
in its place before ffmpeg opens it, and have a worker that may write more than they may (root, for one) write for them.
Linux only: elsewhere an open file has no name under which it could be opened anew, and ffmpeg opens it by its path.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from nommerctl.errors import EncodingError

_OPEN_FILES = Path("/proc/self/fd")

_NOT_OURS = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.EACCES})
"""What opening the file says that was made for this output, when it is not there any more."""


class Handover(NamedTuple):
    """A command, and the descriptors that it has to inherit; `by_name` turns what it says back to the output's path."""

    argv: list[str]
    descriptors: tuple[int, ...] = ()
    name: str = ""
    place: str = ""

    def by_name(self, text: str) -> str:
        """Return what ffmpeg said as if it had been given the path."""
        return text.replace(self.place, self.name) if self.place else text


@contextmanager
def handed_over(argv: Sequence[str], output: Path | None) -> Iterator[Handover]:
    """Open the output for a command that names it as `file:PATH`; EncodingError if something else is in its place."""
    name = f"file:{output}"
    if output is None or name not in argv or not _OPEN_FILES.is_dir():
        yield Handover(list(argv))
        return
    try:
        file = os.open(output, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in _NOT_OURS:
            raise
        msg = f"the unfinished output is gone, or something else is in its place: {error.strerror}"
        raise EncodingError(msg) from error
    place = f"file:{_OPEN_FILES / str(file)}"
    try:
        yield Handover([place if word == name else word for word in argv], (file,), name, place)
    finally:
        os.close(file)
