"""What the job cache holds besides jobs, and what of a job."""

from msgspec import Struct, structs

from nommerctl.domain.credentials import without_credentials
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.times import Instant


class CacheStatus(Struct, frozen=True, kw_only=True):
    """What passes tell each other through the cache.

    `refreshed` is when refresh last ended well (None: the cache is cold), `resynced` when the whole store was last
    read. `resync_wanted` is raised by scale when cache and queue differ, by so many messages as `difference` says
    (negative: too few of them). `short` counts the resyncs in a row that found
    fewer messages than jobs that need one.
    """

    refreshed: Instant | None = None
    resynced: Instant | None = None
    resync_wanted: bool = False
    difference: int = 0
    short: int = 0


def as_cached(job: EncodingJob) -> EncodingJob:
    """Return a job without credentials, and without what only `show` tells: command and log are most of a record."""
    fit = without_credentials(job)
    return fit if fit.command is None and fit.log is None else structs.replace(fit, command=None, log=None)
