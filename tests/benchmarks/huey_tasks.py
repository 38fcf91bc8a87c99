"""The encode as a task of huey, kept in SQLite."""

import os
from pathlib import Path

from huey import SqliteHuey

from tests.benchmarks.encode import QUEUE, encode

huey = SqliteHuey(filename=os.environ[QUEUE], results=False)
task = huey.task()(encode)


def submit(sources: str, outputs: str) -> None:
    """Put a task for each source of a folder into the queue."""
    for source in sorted(Path(sources).iterdir()):
        task(str(source), f"{outputs}/{source.stem}.mp4")
