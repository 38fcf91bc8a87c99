"""The state of the job cache."""

from msgspec import Struct

from nommerctl.domain.times import Instant


class CacheStatus(Struct, frozen=True, kw_only=True):
    """What passes tell each other through the cache.

    `refreshed` is when refresh last ended well (None: the cache is cold), `resynced` when the whole store was last
    read. `resync_wanted` is raised by scale when cache and queue differ. `short` counts the resyncs in a row that found
    fewer messages than jobs that need one.
    """

    refreshed: Instant | None = None
    resynced: Instant | None = None
    resync_wanted: bool = False
    short: int = 0
