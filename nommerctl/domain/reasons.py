"""Why a job, or a node, is where it is: one phrase that a person can act on."""

from enum import StrEnum

from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Node
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.moves import lease_live
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, age, micros, seconds_between


def first_line(text: str | None) -> str | None:
    """The first line of a text that says anything, None if there is none."""
    lines = (line.strip() for line in (text or "").splitlines())
    return next((line for line in lines if line), None)


def waits_plainly(job: EncodingJob) -> bool:
    """Whether it does nothing but wait for its first worker, so that its state and its age say all there is to say."""
    return job.state is JobState.PENDING and first_line(job.details) is None


def reason(job: EncodingJob, now: Instant, *, as_of: Instant | None = None) -> str | None:
    """Why the job is where it is; None where nothing needs saying: it is FINISHED, or a worker has it in hand.

    `as_of` is when the record was known to be right, `now` if it was just read: a lease that has ended since may have
    been renewed since, so nothing is said of it.
    The text may come from outside (details of a failure): it is not fit for a terminal as it is.
    """
    if job.state is JobState.FINISHED:
        return None
    if job.finished:
        return first_line(job.details)
    if job.state is JobState.PENDING:
        if waits_plainly(job):
            return f"waiting for a worker for {age(seconds_between(job.changed, now))}"
        return f"handed back, waits again: {first_line(job.details)}"
    if lease_live(job, now if as_of is None else as_of):
        return None
    return "its worker is gone: waits to be taken over"


class NodeCondition(StrEnum):
    """How a node is, as a person asks."""

    RUNNING = "running"
    BOOTING = "not up yet"
    SILENT = "silent"
    DEAD = "dead"


def silent(node: Node, *, now: Instant, limits: ScaleSettings) -> bool:
    """Whether a node has given no sign for longer than it may: since its last beat, or since its launch."""
    allowed = limits.silent_after if node.beat else limits.boot_limit
    return node.last_sign + micros(allowed) < now


def node_condition(node: Node, *, now: Instant, limits: ScaleSettings) -> NodeCondition:
    """How a node is: by the fleet's word first, then by its heartbeats and the limits that scale ends nodes by."""
    if not node.alive:
        return NodeCondition.DEAD
    if silent(node, now=now, limits=limits):
        return NodeCondition.SILENT
    return NodeCondition.RUNNING if node.beat else NodeCondition.BOOTING
