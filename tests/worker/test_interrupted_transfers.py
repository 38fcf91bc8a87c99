"""What becomes of a job whose transfers fail by trouble that will pass."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec import structs

from nommerctl.adapters.local.files import FileOutput, FileStorage
from nommerctl.domain.states import JobState
from nommerctl.errors import TransferInterruptedError
from nommerctl.ports import Done, nobody, nothing
from nommerctl.worker import placing
from tests.cli import eventually
from tests.worker.bench import SETTINGS, Bench


class InterruptedStorage(FileStorage):
    """One whose transfers are interrupted at first: fetching so often, placing an output so often."""

    def __init__(self, *, fetching: int = 0, placing: int = 0) -> None:
        self.fetching = fetching
        self.placing = placing

    def fetch(self, source: str, folder: Path, keep_on: Callable[[], None], done: Done = nobody) -> Path:
        self.fetching -= 1
        if self.fetching >= 0:
            interrupt()
        return super().fetch(source, folder, keep_on, done)

    @contextmanager
    def output(self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None) -> Iterator[FileOutput]:
        with super().output(dest, tag, leave_word) as output:
            yield InterruptedOutput(self, output)


class InterruptedOutput(FileOutput):
    def __init__(self, storage: InterruptedStorage, output: FileOutput) -> None:
        self.__dict__.update(vars(output))
        self._interrupted = storage

    def place(self, permit: Callable[[], None], keep_on: Callable[[], None] = nothing, done: Done = nobody) -> None:
        self._interrupted.placing -= 1
        if self._interrupted.placing >= 0:
            interrupt()
        super().place(permit, keep_on, done)


def interrupt() -> NoReturn:
    msg = "S3 asks to slow down"
    raise TransferInterruptedError(msg)


def test_an_output_that_cannot_be_placed_for_a_while_is_not_encoded_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "PAUSES", (0.01, 0.02))
    bench.storage = InterruptedStorage(placing=2)
    bench.submit(1)
    bench.worker().run()
    assert (bench.job(1).state, bench.job(1).attempt) == (JobState.FINISHED, 1)
    assert (bench.folder / "1.mp4").read_text() == "film 1"
    assert sum("output not in its place yet: S3 asks to slow down" in line for line in bench.log) == 2


@pytest.mark.parametrize("storage", [InterruptedStorage(placing=3), InterruptedStorage(fetching=1)])
def test_a_transfer_that_stays_interrupted_hands_the_job_back_and_the_node_pauses(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, storage: InterruptedStorage
) -> None:
    monkeypatch.setattr(placing, "PAUSES", (0.01, 0.02))
    bench.storage = storage
    bench.submit(1)

    assert bench.worker(settings=structs.replace(SETTINGS, heartbeat=30)).run() == 1, "and no second time at once"

    job = bench.job(1)
    assert (job.state, job.interruptions, job.details) == (JobState.PENDING, 1, "S3 asks to slow down")
    assert bench.new_jobs.depth().visible == 1
    assert not (bench.folder / "1.mp4").exists()


def test_a_worker_that_has_to_go_waits_no_longer_for_an_output_to_be_placed(
    bench: Bench, running: Callable[..., threading.Thread]
) -> None:
    bench.storage = InterruptedStorage(placing=99)
    bench.submit(1)
    worker = bench.worker()
    thread = running(worker)
    eventually(lambda: any("not in its place yet" in line for line in bench.log), every=0.01)
    worker.stop("the worker was told to end (SIGTERM)")
    thread.join(timeout=5)
    assert (bench.job(1).state, bench.job(1).details) == (JobState.PENDING, "the worker was told to end (SIGTERM)")
