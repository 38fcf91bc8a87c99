"""The states of a job. Apart from its record, so that naming them costs a command next to nothing."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. The values are media-nommer's words, as stored and shown."""

    PENDING = "PENDING"
    DOWNLOADING = "DOWNLOADING"
    ENCODING = "ENCODING"
    UPLOADING = "UPLOADING"
    FINISHED = "FINISHED"
    ERROR = "ERROR"
    ABANDONED = "ABANDONED"


IN_WORK = frozenset({JobState.DOWNLOADING, JobState.ENCODING, JobState.UPLOADING})
"""A worker has, or had, the job in hand."""

UNFINISHED = IN_WORK | {JobState.PENDING}

FINISHED_STATES = frozenset(JobState) - UNFINISHED
"""Media-nommer's name for the states that a job stays in: FINISHED, ERROR and ABANDONED."""
