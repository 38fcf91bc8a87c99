"""Telling listeners again that were given up: what `notify dead retry` does."""

from collections.abc import Iterable, Sequence

from nommerctl.domain.batches import batches
from nommerctl.domain.job import EncodingJob, short_id
from nommerctl.domain.moves import revived
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.text import counted
from nommerctl.errors import UsageError
from nommerctl.passes.announce import hint
from nommerctl.passes.jobs import named
from nommerctl.passes.means import Effect, FarmReads, FarmWrites, Performer

AT_ONCE = 25
"""Jobs of one step."""


def tell_again(reads: FarmReads, perform: Performer, prefixes: Sequence[str]) -> Outcome:
    """Let refresh tell of jobs anew, from what was not taken on: of those that are named, or of all.

    A URL that is gone is so for all jobs. So of those that are named with it, all others are revived too.
    """
    for some in batches(_chosen(reads, prefixes), AT_ONCE):
        target = some[0].id if len(some) == 1 else counted(len(some), "job")
        perform(Change("tell again", target, "by the next refresh"), _revive(some))
    return perform.outcome("notify dead retry")


def _chosen(reads: FarmReads, prefixes: Sequence[str]) -> Iterable[EncodingJob]:
    if not prefixes:
        return reads.store.undelivered()
    jobs = {job.id: job for job in (named(reads.store, prefix) for prefix in prefixes)}
    for job in jobs.values():
        if not job.undelivered:
            msg = f"the listener of job {short_id(job.id)} was not given up: see `nommerctl notify dead list`"
            raise UsageError(msg)
    urls = {job.notify_url for job in jobs.values()}
    gone = (job for job in reads.store.undelivered() if job.delivery is not None and job.delivery.gone)
    return (jobs | {job.id: job for job in gone if job.notify_url in urls}).values()


def _revive(jobs: Sequence[EncodingJob]) -> Effect:
    def effect(writes: FarmWrites) -> None:
        with writes.together():
            moved = writes.store.transitions([(job, revived) for job in jobs])
            writes.changes.send([job.id for job in moved])
        hint(writes.cache, moved)

    return effect
