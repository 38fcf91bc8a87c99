"""What the tests of the worker share."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nommerctl.worker.worker import Worker
from tests.worker.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def running(bench: Bench) -> Iterator[Callable[..., threading.Thread]]:
    """Starts workers on threads, and ends them after the test."""
    workers: list[tuple[Worker, threading.Thread]] = []

    def start(worker: Worker) -> threading.Thread:
        thread = threading.Thread(target=worker.run)
        thread.start()
        workers.append((worker, thread))
        return thread

    yield start
    for worker, thread in workers:
        worker.stop("the test ends")
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert bench.nommer.running == 0
