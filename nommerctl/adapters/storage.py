"""Sources and destinations by scheme: one storage that hands each URI to the one that has its scheme."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from nommerctl.domain.uris import scheme_of
from nommerctl.errors import NommerctlError, TransferError, UsageError
from nommerctl.ports import Done, Output, SourceLook, nobody


class Sources(Protocol):
    """The reading half of a ports.Storage, for URIs of certain schemes."""

    def look(self, source: str) -> SourceLook:
        """As in ports.Storage."""

    def fetch(self, source: str, folder: Path, keep_on: Callable[[], None], done: Done = nobody) -> Path:
        """As in ports.Storage."""


class Destinations(Protocol):
    """The writing half of a ports.Storage, for URIs of certain schemes."""

    def check_destination(self, dest: str) -> None:
        """As in ports.Storage."""

    def output(
        self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None
    ) -> AbstractContextManager[Output]:
        """As in ports.Storage."""

    def is_same(self, source: str, dest: str) -> bool:
        """As in ports.Storage, for a source of the same kind."""


class SchemeStorage:
    """A ports.Storage made of others. Keys are the schemes of domain/uris.py: `file` is for plain paths."""

    def __init__(self, sources: Mapping[str, Sources], destinations: Mapping[str, Destinations]) -> None:
        self._sources = sources
        self._destinations = destinations

    def look(self, source: str) -> SourceLook:
        """Look at a source where its scheme says."""
        return self._source(source, UsageError).look(source)

    def check_destination(self, dest: str) -> None:
        """Check a destination where its scheme says."""
        self._destination(dest, UsageError).check_destination(dest)

    def is_same(self, source: str, dest: str) -> bool:
        """Compare them if they are of one scheme."""
        return scheme_of(source) == scheme_of(dest) and self._destination(dest, UsageError).is_same(source, dest)

    def fetch(self, source: str, folder: Path, keep_on: Callable[[], None], done: Done = nobody) -> Path:
        """Fetch a source from where its scheme says."""
        return self._source(source, TransferError).fetch(source, folder, keep_on, done)

    def output(
        self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None
    ) -> AbstractContextManager[Output]:
        """Open a place for an output where its scheme says."""
        return self._destination(dest, TransferError).output(dest, tag, leave_word)

    def _source(self, uri: str, error: type[NommerctlError]) -> Sources:
        scheme = scheme_of(uri)
        if scheme not in self._sources:
            msg = f"a source cannot be '{scheme}:' with this backend: it takes {_listed(self._sources)}"
            raise error(msg)
        return self._sources[scheme]

    def _destination(self, uri: str, error: type[NommerctlError]) -> Destinations:
        scheme = scheme_of(uri)
        if scheme not in self._destinations:
            msg = f"a destination cannot be '{scheme}:' with this backend: it takes {_listed(self._destinations)}"
            raise error(msg)
        return self._destinations[scheme]


def _listed(schemes: Mapping[str, object]) -> str:
    return ", ".join(f"{scheme}:" for scheme in schemes)
