"""The limits that the moves of a job go by."""

from msgspec import Struct


class AttemptLimits(Struct, frozen=True):
    """How often a job is begun before it is given up, and how many of those may be interruptions."""

    max_attempts: int = 3
    max_interruptions: int = 10


class AbandonAfter(Struct, frozen=True):
    """How long, in seconds, a job may show no sign of life: in the hands of a worker, and in the queue."""

    in_work: float
    pending: float
