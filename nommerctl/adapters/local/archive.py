"""The archive of removed jobs: a file with one JSON record a line."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from nommerctl.adapters.os_errors import translated
from nommerctl.domain.credentials import without_credentials
from nommerctl.domain.job import EncodingJob


class JsonlArchive:
    """Appends to a file, which is made, readable by its owner alone, when it is first needed.

    Credentials in URIs, such as a token in a query, are masked: nothing will be fetched or told from an archive.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, jobs: Sequence[EncodingJob]) -> None:
        """Write the records and wait until the disk has them.

        Somebody who was killed, or whose disk was full, may have left half a line: it gets its end, so that it spoils
        no record but its own, which stands further on again.
        """
        text = b"".join(msgspec.json.encode(without_credentials(job)) + b"\n" for job in jobs)
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                if _ends_within_a_line(file):
                    file.write(b"\n")
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise translated(error, f"upkeep.archive '{self._path}' cannot be written") from error


def _ends_within_a_line(file: BinaryIO) -> bool:
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
