"""The archive of removed jobs: a file with one JSON record a line."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from nommerctl.domain.job import EncodingJob
from nommerctl.errors import PermissionDeniedError, TryAgainError, UnreachableError


class JsonlArchive:
    """Appends to a file, which is made, readable by its owner alone, when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, jobs: Sequence[EncodingJob]) -> None:
        """Write the records and wait until the disk has them."""
        text = b"".join(msgspec.json.encode(job) + b"\n" for job in jobs)
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except PermissionError as error:
            msg = f"upkeep.archive '{self._path}' cannot be written: {error.strerror}"
            raise PermissionDeniedError(msg) from error
        except FileNotFoundError as error:
            msg = f"upkeep.archive '{self._path}' cannot be written: its folder does not exist"
            raise UnreachableError(msg) from error
        except OSError as error:
            msg = f"upkeep.archive '{self._path}' cannot be written: {error.strerror}"
            raise TryAgainError(msg) from error
