"""What a person does to single jobs: name them, retry them, cancel them."""

from collections.abc import Sequence

from nommerctl.domain.job import EncodingJob, short_id
from nommerctl.domain.moves import cancelled, retried
from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.states import JobState
from nommerctl.domain.text import shown
from nommerctl.errors import UsageError
from nommerctl.passes.announce import make_move
from nommerctl.passes.means import Effect, FarmReads, Performer
from nommerctl.ports import Clock, JobReads

SHOWN_MATCHES = 3


def named(store: JobReads, prefix: str) -> EncodingJob:
    """Return the one job whose id begins with `prefix`; UsageError if there is none, or more than one."""
    wanted = prefix.strip().lower()
    if not wanted or any(character not in "0123456789abcdef" for character in wanted):
        msg = f"'{shown(prefix)}' is not a job: give the first characters of an id, as `nommerctl list` shows them"
        raise UsageError(msg)
    found = store.find(wanted, SHOWN_MATCHES + 1)
    if not found:
        msg = f"no job's id begins with '{wanted}': see `nommerctl list`"
        raise UsageError(msg)
    if len(found) > 1:
        some = ", ".join(job.id[: len(wanted) + 6] for job in found[:SHOWN_MATCHES])
        more = ", ..." if len(found) > SHOWN_MATCHES else ""
        msg = f"'{wanted}' begins the ids of more than one job ({some}{more}): give more characters"
        raise UsageError(msg)
    return found[0]


def retry(
    reads: FarmReads, perform: Performer, prefixes: Sequence[str], *, failed: bool, by: str, clock: Clock
) -> Outcome:
    """Put jobs that ended in ERROR or ABANDONED back into the queue; `failed` takes every job in ERROR."""
    jobs = [named(reads.store, prefix) for prefix in prefixes]
    if failed:
        jobs += reads.store.in_state(JobState.ERROR)
    for job in {job.id: job for job in jobs}.values():
        if job.state not in {JobState.ERROR, JobState.ABANDONED}:
            msg = f"job {short_id(job.id)} is {job.state}: only jobs in ERROR or ABANDONED can be retried"
            raise UsageError(msg)
    for job in {job.id: job for job in jobs}.values():
        perform(Change("retry", job.id, f"was {job.state}"), _retry(job, by, clock))
    return perform.outcome("retry")


def _retry(job: EncodingJob, by: str, clock: Clock) -> Effect:
    return lambda writes: make_move(writes, job, lambda current: retried(current, now=clock(), by=by))


def cancel(reads: FarmReads, perform: Performer, prefixes: Sequence[str], *, by: str, clock: Clock) -> Outcome:
    """Give up unfinished jobs because somebody says so."""
    jobs = {job.id: job for job in (named(reads.store, prefix) for prefix in prefixes)}
    for job in jobs.values():
        if job.finished:
            msg = f"job {short_id(job.id)} is {job.state} already: there is nothing to cancel"
            raise UsageError(msg)
    for job in jobs.values():
        perform(Change("cancel", job.id, f"was {job.state}"), _cancel(job, by, clock))
    return perform.outcome("cancel")


def _cancel(job: EncodingJob, by: str, clock: Clock) -> Effect:
    return lambda writes: make_move(writes, job, lambda current: cancelled(current, now=clock(), by=by))
