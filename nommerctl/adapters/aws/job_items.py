"""The items of the table of jobs: a record as JSON, and beside it what is asked for."""

import msgspec

from nommerctl.adapters.aws.tables import ITEM_BYTES, Item
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.record_size import fitted
from nommerctl.domain.states import UNFINISHED, JobState
from nommerctl.domain.text import shown
from nommerctl.errors import UnreachableError, UsageError

_BESIDES = 1024
"""Bytes of an item, at most, that are not the record."""

_STORED_BYTES = ITEM_BYTES - _BESIDES
"""Of any record."""

SUBMITTED_BYTES = 256 * 1024
"""Of a record that is submitted. The rest is for what is yet to be written into it: lease, log, details, history."""

PENDING_PHASE = "pending"
IN_WORK_PHASE = "in-work"
UNTOLD_PHASE = "untold"
"""Finished, and its listener has still to be told of something."""

FINISHED_PHASE = "finished"

UNDELIVERED_HEAD = "undelivered"
"""In place of the first character of its id: of a job whose listener was given up, whatever its phase."""

_to_json = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(EncodingJob)


def key_of(job_id: JobId) -> Item:
    """Return the key of a job's item."""
    return {"id": {"S": job_id}}


def item_of(job: EncodingJob) -> Item:
    """Return the item of a job."""
    return {
        **key_of(job.id),
        "version": {"N": str(job.version)},
        "head": {"S": UNDELIVERED_HEAD if job.undelivered else job.id[0]},
        "phase": {"S": _phase_of(job)},
        "state": {"S": job.state.value},
        "created": {"N": str(job.created)},
        "changed": {"N": str(job.changed)},
        "record": {"S": _to_json.encode(job).decode()},
    }


def phases_with(state: JobState) -> tuple[str, ...]:
    """Return the phases that a job in this state may be in."""
    if state in UNFINISHED:
        return (_unfinished_phase(state),)
    return UNTOLD_PHASE, FINISHED_PHASE


def _phase_of(job: EncodingJob) -> str:
    if not job.finished:
        return _unfinished_phase(job.state)
    return UNTOLD_PHASE if job.untold else FINISHED_PHASE


def _unfinished_phase(state: JobState) -> str:
    return PENDING_PHASE if state is JobState.PENDING else IN_WORK_PHASE


def fit_to_submit(job: EncodingJob) -> Item:
    """Return the item of a new job; UsageError if it would have no room to grow."""
    item = item_of(job)
    size = bytes_of(item) - _BESIDES
    if size > SUBMITTED_BYTES:
        msg = (
            f"the record of job {job.id} takes {size:,} bytes, and the backend aws has room for {SUBMITTED_BYTES:,}:"
            " make its options, source, destination or notify_url shorter"
        )
        raise UsageError(msg)
    return item


def fit_to_store(job: EncodingJob) -> EncodingJob:
    """Return a job that was changed, without what there is no room for."""
    return fitted(job, _STORED_BYTES)


def bytes_of(item: Item) -> int:
    """Return how many bytes an item takes, at most."""
    return len(item["record"]["S"].encode()) + _BESIDES


def job_of(job_id: JobId, item: Item, table: str) -> EncodingJob:
    """Return the job in an item; UnreachableError if it cannot be the one that was written."""
    try:
        job = _decoder.decode(item["record"]["S"])
    except (KeyError, TypeError, msgspec.DecodeError, RecursionError) as error:
        raise _damaged(job_id, table, str(error) or type(error).__name__) from error
    if job.id != job_id:
        raise _damaged(job_id, table, f"it is that of job {job.id}")
    if item.get("version") != {"N": str(job.version)}:
        raise _damaged(job_id, table, "its version is not the one beside it")
    return job


def _damaged(job_id: JobId, table: str, why: str) -> UnreachableError:
    return UnreachableError(
        f"the record of job {shown(job_id)} in table '{table}' is damaged ({shown(why)}): restore the table to an"
        " earlier point in time, or delete this item from it"
    )
