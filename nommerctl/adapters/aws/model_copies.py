"""A copy of cut-down models on disk: where it is, what its files hold, and whether it can be trusted; see models.py."""

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import botocore
import msgspec
from msgspec import Struct

from nommerctl.adapters.aws.operations import CREDENTIAL_SERVICES, OPERATIONS

FORMAT = 1
"""To be raised when files are cut in another way."""

SHARED = "shared"
"""The name of the file that has what is no single service's."""


class Cut(Struct, frozen=True):
    """What stands in a file: the models of a service by their type, such as `service-2`, or what is SHARED."""

    name: str
    api_version: str
    models: dict[str, Any]


def copy_folder(folder: Path) -> Path:
    """Return the folder of the copy that fits: within `folder`, by what it is made from and what is kept."""
    kept = msgspec.json.encode([OPERATIONS, CREDENTIAL_SERVICES])
    return folder / f"{botocore.__version__}-{FORMAT}-{hashlib.sha256(kept).hexdigest()[:12]}"


def is_ours(copy: Path) -> bool:
    """Whether it is a folder of this user's that nobody else may write in; OSError if that cannot be found out."""
    found = copy.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def read_cut(copy: Path, name: str) -> Cut | None:
    """Return what stands in a file of the copy; None if it is missing, or there is anything wrong with it."""
    try:
        digest, _, text = (copy / f"{name}.json").read_bytes().partition(b"\n")
        if digest != hashlib.sha256(text).hexdigest().encode():
            return None
        cut = msgspec.json.decode(text, type=Cut)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None
    return cut if cut.name == name else None
