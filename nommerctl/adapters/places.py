"""Looks at folders and file systems, and changes nothing: not even a folder is made to see whether it can be."""

import fcntl
import os
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from nommerctl.adapters.os_errors import reason, translated
from nommerctl.domain.places import FileLook, FileSystem, FolderLook

_MOUNTS = Path("/proc/self/mounts")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def look_at_folder(path: Path, inner: tuple[str, ...] = ()) -> FolderLook:
    """Look at a folder that need not be there, at what is in it, and at what is in its folders named `inner`.

    Raises:
        PermissionDeniedError: a folder above it may not be entered.
        UnreachableError: the path cannot be followed, as when its links go in a circle.
    """
    try:
        link_to = str(path.readlink()) if path.is_symlink() else None
        above = _nearest(path)
        look = FolderLook(path=str(path), above=str(above), above_writable=_usable(above), link_to=link_to)
        if not path.exists():
            return look
        found = path.stat()
        ours = found.st_uid == os.geteuid()
        return structs.replace(
            look,
            mode=stat.S_IMODE(found.st_mode),
            is_folder=path.is_dir(),
            owner=_user_name(found.st_uid),
            is_ours=ours,
            writable=_usable(path),
            barred=tuple(_barred([path, *(path / name for name in inner)])) if ours else (),
        )
    except OSError as error:
        raise translated(error, f"'{path}' cannot be looked at") from error


def look_at_file(path: Path) -> FileLook:
    """Look at a file that is there; UnreachableError or PermissionDeniedError if it cannot be looked at."""
    try:
        found = path.stat()
    except OSError as error:
        raise translated(error, f"'{path}' cannot be looked at") from error
    ours = found.st_uid in {os.geteuid(), 0}
    stranger = None if ours else _user_name(found.st_uid)
    return FileLook(path=str(path), mode=stat.S_IMODE(found.st_mode), stranger=stranger)


def why_unwritable(file: Path) -> str | None:
    """Return why a file could not be appended to, or made if there is none; None if it could."""
    try:
        if file.exists():
            if not file.is_file():
                return "it is no file"
            return None if os.access(file, os.W_OK) else "permission denied"
        if not file.parent.is_dir():
            return f"'{file.parent}' is no folder" if file.parent.exists() else f"there is no folder '{file.parent}'"
        return None if _usable(file.parent) else f"you may not write in '{file.parent}'"
    except OSError as error:
        return reason(error)


def file_system_of(path: Path, *, locking: bool = False) -> FileSystem:
    """Return the file system that a path is on, or would be; with `locking`, locks are tried on it too."""
    try:
        folder = _nearest(path)
        room = os.statvfs(folder)
        return FileSystem(
            device=folder.stat().st_dev,
            kind=_kind_of(folder.resolve()),
            read_only=bool(room.f_flag & os.ST_RDONLY),
            free=room.f_bavail * room.f_frsize,
            free_files=room.f_favail if room.f_files else None,  # btrfs, for one, has no number of them
            lock_error=_lock_error(folder) if locking else None,
        )
    except OSError as error:
        raise translated(error, f"'{path}' cannot be looked at") from error


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest above it that there is."""
    return next(each for each in (path, *path.parents) if each.exists())


def _usable(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.R_OK | os.W_OK | os.X_OK)


def _barred(folders: list[Path]) -> Iterator[str]:
    """Say which entries of folders this user cannot use. Files come and go meanwhile; links are not followed."""
    for folder in folders:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):  # the last is said of the folder itself
            for entry in sorted(folder.iterdir()):
                with suppress(FileNotFoundError):
                    found = entry.lstat()
                    needed = os.R_OK | os.W_OK | (os.X_OK if stat.S_ISDIR(found.st_mode) else 0)
                    if found.st_uid != os.geteuid():
                        yield f"'{entry}' belongs to {_user_name(found.st_uid)}"
                    elif not stat.S_ISLNK(found.st_mode) and not os.access(entry, needed):
                        yield f"'{entry}' cannot be read and written by you"


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _kind_of(folder: Path) -> str:
    """The kind of the file system mounted at or above a folder that has no link in its path; '' if nobody says."""
    try:
        lines = _MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    fields = [line.split(" ") for line in lines]
    at = [(Path(_ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), each[1])), each[2]) for each in fields]
    above = [(len(point.parts), order, kind) for order, (point, kind) in enumerate(at) if folder.is_relative_to(point)]
    return max(above, default=(0, 0, ""))[2]  # of two at one point the later hides the earlier


def _lock_error(folder: Path) -> str | None:
    """Try, on the folder itself, whether a lock that one descriptor holds keeps a second one out."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    holder, other = os.open(folder, flags), os.open(folder, flags)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None  # as it should be: by us, or by a doctor beside us
    except OSError as error:
        return reason(error)
    else:
        return "a lock that one process holds does not keep others out"
    finally:
        os.close(holder)
        os.close(other)
