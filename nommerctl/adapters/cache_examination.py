"""The job cache examined from end to end, read only, and compared with the store."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nommerctl.adapters import cache_table
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.adapters.disk_cache import check_settings
from nommerctl.adapters.sqlite_integrity import complaints
from nommerctl.domain.batches import batches
from nommerctl.domain.job import JobId
from nommerctl.domain.soundness import CacheFacts
from nommerctl.errors import AWAY

_AT_ONCE = 500
"""Jobs compared with the store in one question: fewer than the 999 parameters that old builds of SQLite take."""


class CacheExamination(CachedJobs):
    """Examines the cache in `folder`.

    `versions` answers which version the store has of some jobs, leaving out those that it does not know. It is asked
    after the cache was read, so that the store is the newer of the two.
    """

    def __init__(
        self, folder: Path, *, versions: Callable[[Sequence[JobId]], Mapping[JobId, int]], heed: Callable[[], None]
    ) -> None:
        super().__init__(folder)
        self._versions = versions
        self._heed = heed

    def examine(self) -> CacheFacts:
        """Read every entry.

        Raises:
            CacheDamagedError: it is not a cache of this version, or one of its entries is none.
            PermissionDeniedError: it may not be read, or is a symbolic link.
        """
        return self._read(self._examined)

    def _examined(self, connection: sqlite3.Connection) -> CacheFacts:
        refreshed = cache_table.status(connection).refreshed
        if cache_table.is_cold(connection):
            return CacheFacts(refreshed=refreshed)
        check_settings(connection)
        structure = complaints(connection, "quick_check", self._heed)
        jobs = unfinished = 0
        compared = True
        unknown = ahead = behind = 0
        for some in batches(cache_table.each_job(connection), _AT_ONCE):
            self._heed()
            jobs += len(some)
            unfinished += sum(not job.finished for job in some)
            try:
                stored = self._versions([job.id for job in some])
            except AWAY:
                compared = False
                continue
            unknown += sum(job.id not in stored for job in some)
            ahead += sum(job.version > stored.get(job.id, job.version) for job in some)
            behind += sum(job.version < stored.get(job.id, job.version) for job in some)
        return CacheFacts(
            jobs=jobs,
            unfinished=unfinished,
            refreshed=refreshed,
            complaints=structure,
            compared=compared,
            unknown=unknown,
            ahead=ahead,
            behind=behind,
        )
