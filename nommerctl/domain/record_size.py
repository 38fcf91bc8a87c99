"""How large the record of a job is, and what it does without where a store has no more room for it."""

import msgspec
from msgspec import structs

from nommerctl.domain.job import EncodingJob, HistoryEntry

_to_json = msgspec.json.Encoder()


def record_size(job: EncodingJob) -> int:
    """Return how many bytes the record takes as JSON in UTF-8."""
    return len(_to_json.encode(job))


def fitted(job: EncodingJob, limit: int) -> EncodingJob:
    """Return the job with a record of at most `limit` bytes, the very same if it has one already.

    What is there for people to read goes, and nothing else; as little of it as will do, in this order: the command, the
    details in the history from the oldest entry on, the log, and at last the details themselves. A record that is too
    large even so, as none is that was far below the limit when it was submitted, is returned without all of that.
    """
    excess = record_size(job) - limit
    if excess > 0 and job.command is not None:
        job = structs.replace(job, command=None)
        excess = record_size(job) - limit
    if excess > 0:
        job = structs.replace(job, history=_without_details(job.history, excess))
        excess = record_size(job) - limit
    if excess > 0 and job.log is not None:
        job = structs.replace(job, log=None)
        excess = record_size(job) - limit
    if excess > 0 and job.details is not None:
        job = structs.replace(job, details=None)
    return job


def _without_details(history: tuple[HistoryEntry, ...], excess: int) -> tuple[HistoryEntry, ...]:
    """Take the details out of as many of the oldest entries as makes them shorter by `excess` bytes, if all do."""
    kept = list(history)
    for place, entry in enumerate(history):
        if excess <= 0:
            break
        without = structs.replace(entry, details=None)
        saved = len(_to_json.encode(entry)) - len(_to_json.encode(without))
        if saved > 0:  # else it has none, or such short ones that "null" is no shorter
            kept[place] = without
            excess -= saved
    return tuple(kept)
