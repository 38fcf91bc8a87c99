"""What a progress bar says of a job."""

from pathlib import PurePosixPath
from typing import TypedDict

from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from nommerctl.domain.text import shown
from nommerctl.render.shorten import cells, shorten_middle

NAME_WIDTH = 24


class BarFields(TypedDict):
    """The texts beside a bar, and how full it is (0 to 1)."""

    name: str
    state: str
    pace: str
    fraction: float


def bar_fields(job: EncodingJob) -> BarFields:
    """Return what is to be shown of a job, safe for a terminal and of constant width."""
    return BarFields(name=_name(job), state=job.state.value, pace=_pace(job), fraction=_fraction(job))


def _name(job: EncodingJob) -> str:
    name = shorten_middle(PurePosixPath(shown(job.source)).name, NAME_WIDTH)  # masked while it is still a URI
    return name + " " * (NAME_WIDTH - cells(name))


def _fraction(job: EncodingJob) -> float:
    if job.state is JobState.FINISHED:
        return 1.0
    return job.progress.fraction if job.progress and not job.finished else 0.0


def _pace(job: EncodingJob) -> str:
    """`120 fps  4.0x  ETA 12 s`, each in a place of its own; blank where nothing is known."""
    progress = job.progress if job.state is JobState.ENCODING else None
    fps = f"{progress.fps:.0f} fps" if progress and progress.fps else ""
    speed = f"{progress.speed:.1f}x" if progress and progress.speed else ""
    eta = f"ETA {progress.eta_s:.0f} s" if progress and progress.eta_s is not None else ""
    return f"{fps:>8} {speed:>6} {eta:<10}"
