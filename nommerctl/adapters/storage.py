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
    """A ports.Storage made of others. Keys are the schemes of domain/uris.py: `file` is for plain paths.

    `usable` makes of every URI what the others get, or refuses it by a UsageError.
    """

    def __init__(
        self,
        sources: Mapping[str, Sources],
        destinations: Mapping[str, Destinations],
        usable: Callable[[str], str] = lambda uri: uri,
    ) -> None:
        self._sources = sources
        self._destinations = destinations
        self._usable = usable

    def look(self, source: str) -> SourceLook:
        """Look at a source where its scheme says."""
        sources, uri = self._source(source, UsageError)
        return sources.look(uri)

    def check_destination(self, dest: str) -> None:
        """Check a destination where its scheme says."""
        destinations, uri = self._destination(dest, UsageError)
        destinations.check_destination(uri)

    def is_same(self, source: str, dest: str) -> bool:
        """Compare them if they are of one scheme."""
        if scheme_of(source) != scheme_of(dest):
            return False
        destinations, uri = self._destination(dest, UsageError)
        return destinations.is_same(self._usable(source), uri)

    def fetch(self, source: str, folder: Path, keep_on: Callable[[], None], done: Done = nobody) -> Path:
        """Fetch a source from where its scheme says."""
        sources, uri = self._source(source, TransferError)
        return sources.fetch(uri, folder, keep_on, done)

    def output(
        self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None
    ) -> AbstractContextManager[Output]:
        """Open a place for an output where its scheme says."""
        destinations, uri = self._destination(dest, TransferError)
        return destinations.output(uri, tag, leave_word)

    def _source(self, uri: str, error: type[NommerctlError]) -> tuple[Sources, str]:
        scheme = scheme_of(uri)
        if scheme not in self._sources:
            msg = f"a source cannot be '{scheme}:' with this backend: it takes {_listed(self._sources)}"
            raise error(msg)
        return self._sources[scheme], self._used(uri, error)

    def _destination(self, uri: str, error: type[NommerctlError]) -> tuple[Destinations, str]:
        scheme = scheme_of(uri)
        if scheme not in self._destinations:
            msg = f"a destination cannot be '{scheme}:' with this backend: it takes {_listed(self._destinations)}"
            raise error(msg)
        return self._destinations[scheme], self._used(uri, error)

    def _used(self, uri: str, kind: type[NommerctlError]) -> str:
        try:
            return self._usable(uri)
        except UsageError as error:
            raise kind(str(error)) from error


def _listed(schemes: Mapping[str, object]) -> str:
    return ", ".join(f"{scheme}:" for scheme in schemes)
