"""The folder of a node on this machine. A lock in it is held for as long as the node's process lives.

The lock is an flock: it belongs to the open file, passes to a child that inherits it, and is freed by the kernel when
its last holder dies, however it dies. So a node's death is known at once, and no process id is guessed at.
"""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

import msgspec
from msgspec import Struct

from nommerctl.domain.times import Instant

_LOCK = "lock"
_SIGNATURE = 80
"""Bytes of the text in the lock file."""

UNNAMED = "."
"""Begins the name of a folder that is not a node's yet."""


class Birth(Struct, frozen=True):
    """What stands in the lock file: when the node was launched, and the process that holds the lock."""

    launched: Instant = 0
    pid: int = 0


class NodeHome:
    """One node's folder: `lock`, and a folder for each job in hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor: int | None = None
        self._launched: Instant = 0

    @property
    def node(self) -> str:
        """The node's id: the folder's name."""
        return self.folder.name

    def occupy(self, launched: Instant) -> int:
        """Make the folder, take the lock, and return its descriptor; FileExistsError if the folder is there already.

        The folder gets its name when its lock is held, so that nobody finds it without one and takes the node for dead.
        Who is to hold the lock signs for it afterwards: until then nobody can be told to end.
        """
        unnamed = self.folder.with_name(f"{UNNAMED}{self.node}")
        shutil.rmtree(unnamed, ignore_errors=True)
        unnamed.mkdir(mode=0o700)
        self._descriptor = os.open(unnamed / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._launched = launched
        self.sign(0)
        try:
            unnamed.rename(self.folder)
        except OSError as error:
            self.let_go()
            shutil.rmtree(unnamed, ignore_errors=True)
            raise FileExistsError(error.errno, "the node is there already", str(self.folder)) from error
        return self._descriptor

    def inherit(self, descriptor: int) -> None:
        """Hold on to a lock that the process that started this one took for it, and sign for it."""
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - it has no name
        self._launched = self.birth().launched
        self._descriptor = descriptor
        self.sign(os.getpid())

    def sign(self, pid: int) -> None:
        """Write which process holds the lock from now on; to be called by who holds it.

        In one write of one length, so that whoever reads it never reads a half.
        """
        if self._descriptor is None:
            msg = f"nobody here holds the lock of {self.node}"
            raise ValueError(msg)
        os.pwrite(self._descriptor, msgspec.json.encode(Birth(self._launched, pid)).ljust(_SIGNATURE), 0)

    def let_go(self) -> None:
        """Close our hold on the lock; a child that inherited it holds it on."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def birth(self) -> Birth:
        """Return what stands in the lock file; zeros if it is not there or not whole."""
        try:
            return msgspec.json.decode((self.folder / _LOCK).read_bytes(), type=Birth)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return Birth()

    def alive(self) -> bool:
        """Whether some process holds the lock. Looks without writing."""
        try:
            descriptor = os.open(self.folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def clear(self) -> None:
        """Remove the folder, and the unfinished outputs that a killed worker's jobs left beside their destinations."""
        for link in self.folder.glob("*/output"):
            if link.is_symlink():
                with contextlib.suppress(OSError):
                    link.readlink().unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
