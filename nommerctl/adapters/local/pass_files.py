"""The files in `locks/`: a lock for each verb, and a record of how its last runs went."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from nommerctl.adapters.os_errors import translated
from nommerctl.domain.schedule import PassRecord
from nommerctl.domain.times import Instant, rfc3339
from nommerctl.errors import AlreadyRunningError


class Holder(Struct, frozen=True):
    """What stands in a lock file: the process that holds it and since when."""

    pid: int
    since: str


@contextlib.contextmanager
def pass_lock(folder: Path, verb: str, *, now: Instant) -> Iterator[None]:
    """Hold the lock of a verb, which the kernel frees when we die; AlreadyRunningError if another run holds it."""
    path = folder / f"{verb}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise translated(error, f"{path} cannot be made") from error
    try:
        _take(descriptor, path, verb, now)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, verb: str, now: Instant) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        text = msgspec.json.encode(Holder(os.getpid(), rfc3339(now)))
        os.pwrite(descriptor, text, 0)
        os.ftruncate(descriptor, len(text))
    except BlockingIOError:
        raise AlreadyRunningError(_busy(verb, os.pread(descriptor, 200, 0))) from None
    except OSError as error:
        raise translated(error, f"{path} cannot be locked") from error


def _busy(verb: str, text: bytes) -> str:
    try:
        holder = msgspec.json.decode(text, type=Holder)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"another {verb} is running: this run leaves the work to it"
    return f"another {verb} is running (process {holder.pid}, since {holder.since}): this run leaves the work to it"


class PassRecords:
    """How the last runs of each pass on this machine went, a small JSON file for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> list[PassRecord]:
        """Return the records that there are, by name; one that is damaged is as good as none."""
        records = []
        for path in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                records.append(msgspec.json.decode(path.read_bytes(), type=PassRecord))
        return records

    def write(self, record: PassRecord) -> None:
        """Replace the record of a pass, in one step; to be called with its lock held."""
        temporary = self._folder / f"{record.name}.new"  # what a killed run left of one, this run replaces
        try:
            temporary.write_bytes(msgspec.json.encode(record))
            temporary.replace(self._folder / f"{record.name}.json")
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise translated(error, f"how {record.name} went cannot be noted in {self._folder}") from error
