"""How the farm stands. Every number comes from an index or a few small records; no job is read."""

from nommerctl.domain.config import CacheSettings
from nommerctl.domain.status import FarmStatus
from nommerctl.domain.times import Instant
from nommerctl.passes.means import FarmReads
from nommerctl.passes.scale import look


def status(reads: FarmReads, cache_settings: CacheSettings, now: Instant) -> FarmStatus:
    """Read what `status` shows; a store, cache or fleet that cannot be read raises."""
    return FarmStatus(
        view=look(reads, cache_settings, now),
        changes=reads.changes.depth().total,
        dead=reads.new_jobs.dead_count(),
    )
