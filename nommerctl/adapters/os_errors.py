"""What the operating system refuses, in plain words."""

import errno

from nommerctl.errors import NommerctlError, PermissionDeniedError, TryAgainError, UnreachableError

_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})

_REASONS = {
    errno.EACCES: "permission denied",
    errno.EDQUOT: "the disk quota is used up",
    errno.EEXIST: "a file of that name is in the way",
    errno.EISDIR: "it is a folder",
    errno.ELOOP: "its symbolic links go in a circle",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOENT: "there is no such file",
    errno.ENOSPC: "no space is left on the disk",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
}


def reason(error: OSError) -> str:
    """Return why the system refused, to stand after a colon; the system's own words for what is rare."""
    return _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())


def translated(error: OSError, what: str) -> NommerctlError:
    """Return the project's error for one of the system's; `what` is the sentence before the reason."""
    msg = f"{what}: {reason(error)}"
    if error.errno in _FORBIDDEN:
        return PermissionDeniedError(msg)
    return TryAgainError(msg) if error.errno in _FULL else UnreachableError(msg)
