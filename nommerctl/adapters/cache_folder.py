"""The folder of the job cache: who may write in it now, and what becomes of a damaged one."""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nommerctl.adapters import os_errors
from nommerctl.errors import PermissionDeniedError, TryAgainError

_PAUSE = 0.002


@contextmanager
def locked(folder: Path, timeout: float, keep_on: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a cache folder, `<folder>.lock` beside it; the kernel frees it if the process dies.

    It stands beside the folder, not in it, so that it outlives the folder that is set aside. TryAgainError when
    another process, or another thread, still holds it after `timeout` seconds; `keep_on` may raise before that.
    """
    path = folder.with_name(f"{folder.name}.lock")
    if path.is_symlink():
        msg = f"{path} is a symbolic link, which is not followed: remove it"
        raise PermissionDeniedError(msg)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise os_errors.translated(error, f"the lock of the job cache, {path}, cannot be used") from error
    try:
        deadline = time.monotonic() + timeout
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                msg = f"another process has been writing the job cache in {folder} for {timeout:g} s"
                raise TryAgainError(msg)
            keep_on()
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def make_private(folder: Path) -> None:
    """Make the folder, for its owner alone, or take from others what they may do in an existing one.

    PermissionDeniedError if it is somebody else's: what stands in it is what they want to stand there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.geteuid():
        msg = f"the job cache {folder} belongs to another user: remove it, a refresh makes it anew"
        raise PermissionDeniedError(msg)
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def set_aside(folder: Path) -> Path:
    """Rename a damaged folder to `<folder>.damaged-<random>`, remove older ones, and return the new name.

    To be called with the lock held. No file in it is opened or followed.
    """
    prefix = f"{folder.name}.damaged-"
    older = [path for path in folder.parent.iterdir() if path.name.startswith(prefix)]
    kept = folder.rename(folder.with_name(prefix + secrets.token_hex(6)))
    for path in older:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return kept
