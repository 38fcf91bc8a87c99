"""What nodes install: a version of nommerctl in a package index, or a wheel of it, pinned by its SHA-256."""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from nommerctl.adapters.http import Line, attended
from nommerctl.domain.text import shown
from nommerctl.errors import SettingsError, TransferError, UnreachableError

PYPI = "https://pypi.org/simple"

NAME = "nommerctl"

_WHEEL = re.compile(rf"{NAME}-(?P<version>[A-Za-z0-9.+!_]+)-py3-none-any\.whl\Z")

_ANSWER = "application/vnd.pypi.simple.v1+json"
"""The form of PEP 691, https://peps.python.org/pep-0691/."""

_LIMIT = 15.0
"""Seconds that an index may take."""

_LONGEST = 10 * 1024**2
"""Bytes of an index's answer that are read."""


class WheelFile(Struct, frozen=True):
    """A wheel on this machine."""

    path: Path
    sha256: str

    @property
    def name(self) -> str:
        """What it is called; pip takes the version from it."""
        return self.path.name


class _File(Struct):
    filename: str
    hashes: dict[str, str] = {}


class _Project(Struct):
    files: list[_File]


_projects = msgspec.json.Decoder(_Project)


def wheel_file(path: Path, version: str) -> WheelFile:
    """Read a wheel; SettingsError if it is none of this version, for nodes get their dependencies from that one's lock.

    `path` is what aws.package names.
    """
    named = f"aws.package, '{shown(str(path))}',"
    found = _WHEEL.match(path.name)
    if found is None or found["version"] != version:
        msg = (
            f"{named} is no wheel of nommerctl {version}: name one that"
            f" 'pip wheel --no-deps' makes, {NAME}-{version}-py3-none-any.whl"
        )
        raise SettingsError(msg)
    try:
        with path.open("rb") as file:
            whole = _is_whole(file, f"{NAME}-{version}.dist-info/METADATA")
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"{named} cannot be read: {error.strerror}"
        raise SettingsError(msg) from error
    if not whole:
        msg = f"{named} is called like a wheel and is none, or a damaged one: make it again by 'pip wheel --no-deps'"
        raise SettingsError(msg)
    return WheelFile(path, digest)


def _is_whole(file: IO[bytes], metadata: str) -> bool:
    """Whether it is a zip file with this file in it, and every file in it is as its checksum says."""
    try:
        with zipfile.ZipFile(file) as archive:
            return metadata in archive.namelist() and archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return False  # also one that is encrypted, or compressed in a way that this Python does not know


def hashes_in_index(index: str, version: str, *, keep_on: Callable[[], None]) -> tuple[str, ...]:
    """Ask a package index (PEP 691) for the SHA-256 of the wheels of this version.

    Raises:
        SettingsError: the index does not have it.
        UnreachableError: it cannot be asked.
    """
    url = f"{(index or PYPI).rstrip('/')}/{NAME}/"
    try:
        status, body = attended(url, lambda line: _asked(line, url), limit=_LIMIT, keep_on=keep_on)
    except TransferError as error:
        msg = f"the package index cannot be asked for nommerctl {version}: {error}"
        raise UnreachableError(msg) from error
    found = _hashes(body, version, url) if status == HTTPStatus.OK else ()
    if not found:
        msg = (
            f"the package index {shown(index or PYPI)} does not have nommerctl {version} as a wheel: set aws.package to"
            " one that 'pip wheel --no-deps' made of it, or aws.index_url to an index that has it"
        )
        raise SettingsError(msg)
    return found


def _asked(line: Line, url: str) -> tuple[int, bytes]:
    answer = line.ask("GET", url, {"Accept": _ANSWER})
    return answer.status, answer.read(_LONGEST)


def _hashes(body: bytes, version: str, url: str) -> tuple[str, ...]:
    try:
        project = _projects.decode(body)
    except msgspec.DecodeError as error:
        msg = f"'{shown(url)}' answers with something else than a package index does (PEP 691, JSON)"
        raise UnreachableError(msg) from error
    wheels = ((_WHEEL.match(file.filename), file.hashes.get("sha256")) for file in project.files)
    return tuple(sorted(digest for found, digest in wheels if found and found["version"] == version and digest))
