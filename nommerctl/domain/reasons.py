"""Why a job is where it is: one phrase that a person can act on."""

from nommerctl.domain.credentials import masked
from nommerctl.domain.job import EncodingJob, held_without_lease, lease_live
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, age, seconds_between


def first_line(text: str | None) -> str | None:
    """The first line of a text that says anything, None if there is none; masked before it is cut off."""
    lines = (line.strip() for line in masked(text or "").splitlines())
    return next((line for line in lines if line), None)


def waits_plainly(job: EncodingJob) -> bool:
    """Whether it does nothing but wait for its first worker, so that its state and its age say all there is to say."""
    return job.state is JobState.PENDING and first_line(job.details) is None and job.fault is None


def reason(job: EncodingJob, now: Instant, *, as_of: Instant | None = None) -> str | None:
    """Why the job is where it is; None where nothing needs saying: it is FINISHED, or a worker has it in hand.

    `as_of` is when the record was known to be right, `now` if it was just read: a lease that has ended since may have
    been renewed since, so nothing is said of it.
    The text may come from outside (details of a failure): it is not fit for a terminal as it is.
    """
    if job.state is JobState.FINISHED:
        return None
    if job.finished or job.fault is not None:
        return first_line(job.fault or job.details)
    if job.state is JobState.PENDING:
        if waits_plainly(job):
            return f"waiting for a worker for {age(seconds_between(job.changed, now))}"
        return f"handed back, waits again: {first_line(job.details)}"
    if held_without_lease(job) or lease_live(job, now if as_of is None else as_of):
        return None
    return "its worker is gone: waits to be taken over"
