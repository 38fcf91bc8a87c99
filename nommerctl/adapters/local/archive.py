"""The archive of removed jobs: a file with one JSON record a line."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from nommerctl.adapters.os_errors import translated
from nommerctl.domain.job import EncodingJob


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
        except OSError as error:
            raise translated(error, f"upkeep.archive '{self._path}' cannot be written") from error
