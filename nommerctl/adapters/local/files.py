"""Sources and destinations that are files of this machine, by absolute path.

A source is never copied: the worker's folder gets a symbolic link to it. An output is written beside its destination,
under a hidden name of ours, and moved there in one step; so the destination is the old file or the whole new one, at
any instant and after any crash. A destination that is a symbolic link is itself replaced, not what it points to.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nommerctl.adapters.os_errors import reason
from nommerctl.domain.text import shown
from nommerctl.errors import TransferError, UsageError
from nommerctl.ports import Done, SourceLook, nobody, nothing

STAGED_NAME = "source"
"""What a fetched source is called. No extension: what it is shall be told by its content, never by its name."""

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY  # a named pipe must not make anybody wait
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class FileStorage:
    """The files of this machine: the `file` half of a ports.Storage."""

    def look(self, source: str) -> SourceLook:
        """Return size and modification time; UsageError unless it is a regular file that this user may read."""
        try:
            found = _readable(source)
        except TransferError as error:
            raise UsageError(str(error)) from error
        return SourceLook(size=found.st_size, modified=found.st_mtime_ns // 1000)

    def check_destination(self, dest: str) -> None:
        """UsageError unless a file could be put there now. Leaves no trace."""
        if dest.endswith("/"):
            msg = f"'{shown(dest)}' is a folder: name the file to write in it"
            raise UsageError(msg)
        path = Path(dest)
        try:
            _check_folder(path.parent)
            _check_name(path)
        except OSError as error:
            raise UsageError(_unwritable(dest, error)) from error

    def fetch(
        self,
        source: str,
        folder: Path,
        keep_on: Callable[[], None],
        done: Done = nobody,  # noqa: ARG002 - it takes no time
    ) -> Path:
        """Link to the source from `folder`; TransferError if it can no longer be read."""
        keep_on()
        _readable(source)
        staged = folder.absolute() / STAGED_NAME
        try:
            staged.unlink(missing_ok=True)
            staged.symlink_to(source)
        except OSError as error:
            msg = f"'{shown(str(staged))}' cannot be made: {reason(error)}"
            raise TransferError(msg) from error
        return staged

    def is_same(self, source: str, dest: str) -> bool:
        """Whether both names, by links or otherwise, lead to one file."""
        try:
            return Path(dest).samefile(source)
        except OSError:
            return False

    @contextmanager
    def output(
        self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None
    ) -> Iterator["FileOutput"]:
        """Open a file beside `dest` to write to, once word was left of it; TransferError if that cannot be.

        `tag` is `JOB-TURN`, or more after another hyphen. What earlier turns of the job left is removed, whether they
        are dead or not: the job is no longer theirs, and one that was stopped between the last look at its lease and
        the move of its file to the destination must find no file to move. Later turns are left alone, for this may be
        the one that was stopped. (A turn is what others call a fencing token:
        https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html)
        """
        path = Path(dest)
        job, turn = tag.split("-")[:2]
        _remove_earlier(path.parent, job, int(turn))
        unfinished = path.parent / f".nommerctl-{tag}.part"
        leave_word(unfinished)
        try:
            output = FileOutput(unfinished, path)
        except OSError as error:
            raise TransferError(_unwritable(dest, error)) from error
        try:
            yield output
        finally:
            output.discard()


class FileOutput:
    """A ports.Output: a file that exists from the start, so that a full or forbidden folder is known at once."""

    def __init__(self, path: Path, dest: Path) -> None:
        self.path = path
        self._dest = dest
        file = os.open(path, _CREATE, 0o666)
        try:
            self._mode = stat.S_IMODE(os.fstat(file).st_mode)  # what the umask, or the folder's ACL, makes of 0666
        finally:
            os.close(file)

    def place(
        self,
        permit: Callable[[], None],
        keep_on: Callable[[], None] = nothing,  # noqa: ARG002 - it takes no time
        done: Done = nobody,  # noqa: ARG002
    ) -> None:
        """Sync the file, call `permit`, move the file over the destination, sync the folder.

        TransferError if that fails, or if nothing was written; the destination is then as it was.
        """
        try:
            self._make_last()
        except OSError as error:
            raise TransferError(_unwritable(str(self._dest), error)) from error
        permit()
        try:
            self.path.replace(self._dest)
            _sync_folder(self._dest.parent)
        except OSError as error:
            raise TransferError(_unwritable(str(self._dest), error)) from error

    def discard(self) -> None:
        """Remove what was written. What cannot be removed is left to the next attempt."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _make_last(self) -> None:
        try:
            file = os.open(self.path, _READ | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            msg = f"'{shown(str(self._dest))}' cannot be written: what was to be put there has been removed"
            raise TransferError(msg) from error
        try:
            if os.fstat(file).st_size == 0:
                msg = f"'{shown(str(self._dest))}' is not replaced: what was to be put there is empty"
                raise TransferError(msg)
            os.fchmod(file, self._mode)  # what wrote it may have made it anew, private
            os.fsync(file)
        finally:
            os.close(file)


def _readable(source: str) -> os.stat_result:
    """Return what is known of a source after opening it; TransferError unless it is a regular file."""
    try:
        if not stat.S_ISREG(Path(source).stat().st_mode):  # before it is opened: opening a device may move it
            kind = "a folder" if Path(source).is_dir() else "neither a file nor a folder"
            msg = f"'{shown(source)}' cannot be read: it is {kind}"
            raise TransferError(msg)
        file = os.open(source, _READ)
    except OSError as error:
        msg = f"'{shown(source)}' cannot be read: {reason(error)}"
        raise TransferError(msg) from error
    try:
        return os.fstat(file)
    finally:
        os.close(file)


def _check_folder(folder: Path) -> None:
    """UsageError unless this is a folder in which files can be made."""
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except FileNotFoundError as error:
        msg = f"there is no folder '{shown(str(folder))}': make it first"
        raise UsageError(msg) from error
    if not is_folder:
        msg = f"'{shown(str(folder))}' is not a folder"
        raise UsageError(msg)
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        msg = f"folder '{shown(str(folder))}' cannot be written to: permission denied"
        raise UsageError(msg)


def _check_name(path: Path) -> None:
    """UsageError, or the OSError that says so, unless this name is free or a file that can be replaced."""
    limit = os.pathconf(path.parent, "PC_NAME_MAX")
    length = len(os.fsencode(path.name))
    if length > limit:
        msg = f"'{shown(path.name)}' is too long for a file name: {length} bytes, the limit is {limit}"
        raise UsageError(msg)
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        msg = f"'{shown(str(path))}' is a folder: name the file to write in it"
        raise UsageError(msg)
    if not stat.S_ISREG(found.st_mode):
        msg = f"'{shown(str(path))}' is neither a file nor a folder and is not replaced"
        raise UsageError(msg)
    if _is_of_another_user(path):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def _is_of_another_user(path: Path) -> bool:
    """Whether it lies in a folder such as /tmp (sticky), where only its owner may replace it."""
    folder = path.parent.stat()
    owners = {0, folder.st_uid, path.lstat().st_uid}
    return bool(folder.st_mode & stat.S_ISVTX) and os.geteuid() not in owners


def _remove_earlier(folder: Path, job: str, turn: int) -> None:
    """Remove what can be removed: if the folder is unusable, making a file in it says so better."""
    unfinished = re.compile(rf"\.nommerctl-{re.escape(job)}-([0-9]+)(-.*)?\.part")
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = unfinished.fullmatch(entry.name)
            if found and int(found[1]) < turn:
                with suppress(OSError):
                    Path(entry.path).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync a folder, and need not
            raise
    finally:
        os.close(file)


def _unwritable(dest: str, error: OSError) -> str:
    why = "its folder does not exist" if error.errno == errno.ENOENT else reason(error)
    return f"'{shown(dest)}' cannot be written: {why}"
