"""Small file systems of a test's own, to be full or read-only: only root can make them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Mount:
    """A mounted tmpfs, in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / ".ballast"

    def fill(self, *, leave: int = 0) -> None:
        """Use up the room, but for so many bytes."""
        found = os.statvfs(self.path)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_bsize - leave)

    def use_up_files(self) -> None:
        """Leave no room for another file, however small."""
        self._ballast.mkdir()
        for number in range(os.statvfs(self.path).f_ffree):
            (self._ballast / str(number)).touch()

    def free(self) -> None:
        """Give the room back."""
        if self._ballast.is_dir():
            for file in self._ballast.iterdir():
                file.unlink()
            self._ballast.rmdir()
        else:
            self._ballast.unlink()

    def read_only(self, *, yes: bool) -> None:
        """Let nothing be written any more, or again."""
        subprocess.run(["/bin/mount", "-o", f"remount,{'ro' if yes else 'rw'}", self.path], check=True)


@contextmanager
def mounted(path: Path, *, size: str = "8m", files: int = 1000) -> Iterator[Mount]:
    """Mount a file system of this size, with room for so many files, on a new folder."""
    path.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    options = f"size={size},nr_inodes={files},mode=755"
    done = subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", options, "test", path], check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield Mount(path)
    finally:
        subprocess.run(["/bin/umount", "--lazy", path], check=True)
