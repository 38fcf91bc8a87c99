"""What the folder of the job cache, and what SQLite would open in it, must be before anybody opens it."""

import stat
from pathlib import Path

from nommerctl.adapters import os_errors
from nommerctl.adapters.cache_table import DATABASE, CacheDamagedError
from nommerctl.errors import PermissionDeniedError

_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal")


def check_files(folder: Path) -> None:
    """Raise unless these are a folder and files, as far as they are there: opening a pipe or a device may do anything.

    PermissionDeniedError for a symbolic link in the folder's place, CacheDamagedError for all else.
    """
    kind = _kind(folder)
    if kind is None:
        return
    if stat.S_ISLNK(kind):
        msg = f"the job cache {folder} is a symbolic link, which is not followed: remove it"
        raise PermissionDeniedError(msg)
    if not stat.S_ISDIR(kind):
        what = "its folder is not a folder"
        raise CacheDamagedError(what)
    for name in _FILES:
        kind = _kind(folder / name)
        if kind is not None and not stat.S_ISREG(kind):
            what = f"{name} is not a file"
            raise CacheDamagedError(what)


def _kind(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise os_errors.translated(error, f"{path} cannot be looked at") from error
