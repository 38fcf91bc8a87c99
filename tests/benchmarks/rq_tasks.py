"""The encode as a job of rq, kept in Redis."""

from pathlib import Path

from redis import Redis
from rq import Queue

from tests.benchmarks.encode import encode


def submit(sources: str, outputs: str, socket: str) -> None:
    """Put a job for each source of a folder into the queue, all of them in one go."""
    jobs = [
        Queue.prepare_data(encode, (str(source), f"{outputs}/{source.stem}.mp4"))
        for source in sorted(Path(sources).iterdir())
    ]
    Queue(connection=Redis(unix_socket_path=socket)).enqueue_many(jobs)
