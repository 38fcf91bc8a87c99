"""The worker's loop and its attempts, on a farm in memory with real files."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nommerctl.adapters.local.files import FileOutput, FileStorage
from nommerctl.domain.config import WorkerSettings
from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.job import EncodingJob, JobState, Media, Progress
from nommerctl.domain.moves import cancelled, retried, submitted
from nommerctl.domain.times import micros
from nommerctl.errors import EncodingError, PermissionDeniedError, UnreachableError
from nommerctl.ports import Encoded, Message, Watch, Work
from nommerctl.worker.attempt import WorkerPorts
from nommerctl.worker.worker import Identity, Worker
from tests.builders import job_id, make_job, make_lease
from tests.cli import eventually
from tests.fakes.clock import FakeClock
from tests.fakes.job_store import FakeJobStore
from tests.fakes.ledger import FakeLedger
from tests.fakes.queue import FakeQueue

SETTINGS = WorkerSettings(lease=90, heartbeat=0.05, idle_exit=0.1)


class CopyNommer:
    """Copies the source, after waiting for `gate` if there is one; `running` and `most` count its work."""

    def __init__(self, gate: threading.Event | None = None, error: Exception | None = None) -> None:
        self.gate = gate
        self.error = error
        self.at_the_end: Callable[[], object] = lambda: None
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()

    def encode(self, work: Work, watch: Watch) -> Encoded:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            watch.report(Progress(fraction=0.5, fps=25.0))
            while self.gate and not self.gate.wait(0.01):
                watch.keep_on()
            if self.error:
                raise self.error
            work.output.write_bytes(work.source.read_bytes())
            self.at_the_end()
            return Encoded(media=Media(seconds=1.0), command="cp", log="copied")
        finally:
            with self._lock:
                self.running -= 1


class ForbiddenQueue(FakeQueue):
    """A queue that nobody may send to."""

    def send(self, bodies: Sequence[str]) -> None:  # noqa: ARG002 - none of them
        msg = "forbidden"
        raise PermissionDeniedError(msg)


class AwayStore(FakeJobStore):
    """A store that does not answer the next `away` transitions."""

    away = 0

    def transition(self, job_id: str, move: Callable[[EncodingJob], EncodingJob]) -> EncodingJob:
        if self.away:
            self.away -= 1
            msg = "the store is away"
            raise UnreachableError(msg)
        return super().transition(job_id, move)


@dataclass
class Bench:
    """A worker and all that it works with."""

    folder: Path
    nommer: CopyNommer = field(default_factory=CopyNommer)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.store = AwayStore()
        self.ledger = FakeLedger(self.clock)
        self.new_jobs = FakeQueue(self.clock)
        self.changes = FakeQueue(self.clock)
        self.storage = FileStorage()
        self.log: list[str] = []
        (self.folder / "node").mkdir()

    def worker(self, *, slots: int = 1, once: bool = True, keep_nodes: int = 0) -> Worker:
        started = self.clock()
        return Worker(
            Identity(node="node-1", folder=self.folder / "node", host="here", pid=7, started=started),
            ports=WorkerPorts(
                store=self.store,
                ledger=self.ledger,
                new_jobs=self.new_jobs,
                changes=self.changes,
                storage=self.storage,
                nommers={"ffmpeg": self.nommer},
                clock=self.clock,
                new_lease_id=iter(f"lease{number}" for number in range(100)).__next__,
                log=self.log.append,
            ),
            settings=SETTINGS,
            slots=slots,
            once=once,
            keep_nodes=keep_nodes,
        )

    def submit(self, *numbers: int) -> list[EncodingJob]:
        jobs = []
        for number in numbers:
            source = self.folder / f"{number}.mov"
            source.write_text(f"film {number}")
            job = make_job(number, source=str(source), dest=str(self.folder / f"{number}.mp4"), created=self.clock())
            jobs.append(submitted(job, by="somebody"))
        self.store.submit(jobs)
        self.new_jobs.send([job.id for job in jobs])
        return jobs

    def job(self, number: int) -> EncodingJob:
        return self.store.jobs[job_id(number)]


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


def test_a_job_goes_through_all_its_states_and_each_is_announced(bench: Bench) -> None:
    bench.submit(1)
    assert bench.worker().run() == 1
    job = bench.job(1)
    assert [entry.state.value for entry in job.history] == [
        "PENDING",
        "DOWNLOADING",
        "ENCODING",
        "UPLOADING",
        "FINISHED",
    ]
    assert (job.media, job.command, job.log, job.lease) == (Media(seconds=1.0), "cp", "copied", None)
    assert (bench.folder / "1.mp4").read_text() == "film 1"
    assert [message.body for message in bench.changes.receive(10, 1)] == [job.id] * 4
    assert bench.new_jobs.depth().total == 0


def test_it_works_at_as_many_jobs_at_once_as_it_has_slots(bench: Bench, running: Callable[..., object]) -> None:
    bench.nommer.gate = threading.Event()
    bench.submit(1, 2, 3, 4)
    running(bench.worker(slots=2))
    eventually(lambda: bench.nommer.running == 2, every=0.01)
    time.sleep(0.1)
    bench.nommer.gate.set()
    eventually(lambda: all(job.state is JobState.FINISHED for job in bench.store.jobs.values()), every=0.01)
    assert bench.nommer.most == 2


def test_one_beat_extends_lease_and_visibility_and_stores_the_progress(
    bench: Bench, running: Callable[..., object]
) -> None:
    bench.nommer.gate = threading.Event()
    bench.submit(1)
    running(bench.worker())
    eventually(lambda: bench.job(1).progress == Progress(fraction=0.5, fps=25.0), every=0.01)
    bench.clock.advance(60)
    renewed_until = bench.clock() + micros(SETTINGS.lease)
    eventually(lambda: bench.job(1).lease == make_lease("lease0", until=renewed_until), every=0.01)
    bench.clock.advance(60)
    assert bench.new_jobs.receive(1, 1) == []
    assert bench.ledger.heartbeats()["node-1"].jobs == (job_id(1),)


def test_a_job_that_is_cancelled_is_let_go_and_nothing_is_written(bench: Bench, running: Callable[..., object]) -> None:
    bench.nommer.gate = threading.Event()
    (job,) = bench.submit(1)
    (bench.folder / "1.mp4").write_text("older")
    running(bench.worker())
    eventually(lambda: bench.job(1).state is JobState.ENCODING, every=0.01)
    bench.store.transition(job.id, lambda current: cancelled(current, now=bench.clock(), by="somebody"))
    eventually(lambda: bench.nommer.running == 0 and bench.new_jobs.depth().total == 0, every=0.01)
    assert bench.job(1).state is JobState.ABANDONED
    assert (bench.folder / "1.mp4").read_text() == "older"
    assert list(bench.folder.glob(".nommerctl-*")) == list((bench.folder / "node").iterdir()) == []


def test_told_to_stop_it_hands_the_job_back_with_an_interruption(
    bench: Bench, running: Callable[..., threading.Thread]
) -> None:
    bench.nommer.gate = threading.Event()
    bench.submit(1)
    worker = bench.worker()
    thread = running(worker)
    eventually(lambda: bench.job(1).state is JobState.ENCODING, every=0.01)
    worker.stop("the worker was told to end (SIGTERM)")
    thread.join(timeout=5)
    job = bench.job(1)
    assert (job.state, job.attempt, job.interruptions) == (JobState.PENDING, 1, 1)
    assert job.details == "the worker was told to end (SIGTERM)"
    assert bench.new_jobs.depth().visible == 1
    assert bench.ledger.heartbeats() == {}


def test_a_failed_encode_is_an_error_with_command_and_log(bench: Bench) -> None:
    bench.nommer.error = EncodingError("the picture is upside down", command="cp -x", log="oh")
    bench.submit(1)
    bench.worker().run()
    job = bench.job(1)
    assert (job.state, job.details, job.command, job.log) == (
        JobState.ERROR,
        "the picture is upside down",
        "cp -x",
        "oh",
    )
    assert bench.new_jobs.depth().total == 0


def test_a_bug_in_a_nommer_ends_its_job_and_not_the_worker(bench: Bench) -> None:
    bench.nommer.error = ZeroDivisionError("by zero")
    bench.submit(1, 2)
    assert bench.worker().run() == 2
    assert bench.job(1).details == "a bug in nommerctl: ZeroDivisionError('by zero')"
    assert "ZeroDivisionError" in str(bench.job(2).log)


def test_a_source_that_is_gone_is_an_error(bench: Bench) -> None:
    bench.submit(1)
    (bench.folder / "1.mov").unlink()
    bench.worker().run()
    assert bench.job(1).state is JobState.ERROR
    assert "1.mov' cannot be read: there is no such file" in str(bench.job(1).details)


def test_a_nommer_that_it_does_not_have_is_an_error(bench: Bench) -> None:
    bench.store.submit([make_job(1, nommer="gstreamer", dest=str(bench.folder / "1.mp4"))])
    bench.new_jobs.send([job_id(1)])
    bench.worker().run()
    assert bench.job(1).details == "this worker has no nommer called 'gstreamer'"


@pytest.mark.parametrize("body", ["", "no id", job_id(9)])
def test_a_message_of_no_job_is_deleted(bench: Bench, body: str) -> None:
    bench.new_jobs.send([body])
    assert bench.worker().run() == 0
    assert bench.new_jobs.depth().total == 0


def test_the_message_of_a_finished_job_is_deleted(bench: Bench) -> None:
    bench.submit(1)
    bench.worker().run()
    bench.new_jobs.send([job_id(1)])
    assert bench.worker().run() == 0
    assert bench.new_jobs.depth().total == 0
    assert len(bench.job(1).history) == 5


def test_the_message_of_a_job_in_other_hands_is_hidden_until_their_lease_may_have_ended(bench: Bench) -> None:
    lease = make_lease("other", owner="node-2", until=bench.clock() + micros(50))
    bench.store.submit([make_job(1, state=JobState.ENCODING, lease=lease, attempt=1)])
    bench.new_jobs.send([job_id(1)])
    assert bench.worker().run() == 0
    assert bench.job(1).lease == lease
    bench.clock.advance(49)
    assert bench.new_jobs.depth().visible == 0
    bench.clock.advance(2)
    assert bench.new_jobs.depth().visible == 1


def test_a_job_whose_attempts_are_used_up_is_given_up_with_the_reason(bench: Bench) -> None:
    lease = make_lease("dead", owner="node-2", until=bench.clock() - 1)
    bench.store.submit([make_job(1, state=JobState.ENCODING, lease=lease, attempt=3)])
    bench.new_jobs.send([job_id(1)])
    assert bench.worker().run() == 0
    assert bench.job(1).state is JobState.ERROR
    assert bench.new_jobs.depth().total == 0
    assert bench.changes.depth().total == 1


def test_a_store_that_is_away_for_a_moment_costs_nothing(bench: Bench, running: Callable[..., object]) -> None:
    bench.nommer.gate = threading.Event()
    bench.submit(1)
    running(bench.worker())
    eventually(lambda: bench.job(1).state is JobState.ENCODING, every=0.01)
    bench.store.away = 3
    bench.nommer.gate.set()
    eventually(lambda: bench.job(1).state is JobState.FINISHED, every=0.01)
    assert bench.store.away == 0


def test_a_queue_of_changes_that_may_not_be_used_ends_no_encode(bench: Bench) -> None:
    bench.changes = ForbiddenQueue(bench.clock)
    bench.submit(1)
    bench.worker().run()
    assert bench.job(1).state is JobState.FINISHED
    assert any("change not announced: forbidden" in line for line in bench.log)


def test_an_output_is_not_put_in_place_once_the_lease_is_lost(bench: Bench) -> None:
    # given a job that is cancelled while its encode ends, before any heartbeat could notice
    (job,) = bench.submit(1)
    (bench.folder / "1.mp4").write_text("older")
    bench.nommer.at_the_end = lambda: bench.store.transition(
        job.id, lambda current: cancelled(current, now=bench.clock(), by="somebody")
    )
    # when
    bench.worker().run()
    # then
    assert (bench.folder / "1.mp4").read_text() == "older"
    assert bench.job(1).state is JobState.ABANDONED


def test_the_lease_is_checked_between_the_last_state_and_the_move_into_place(bench: Bench) -> None:
    # given a job that is cancelled at the very last moment, while its output is made to last
    (job,) = bench.submit(1)
    (bench.folder / "1.mp4").write_text("older")

    class LateStorage(FileStorage):
        @contextmanager
        def output(self, dest: str, tag: str) -> Iterator[FileOutput]:
            with super().output(dest, tag) as output:
                yield LateOutput(output)

    class LateOutput(FileOutput):
        def __init__(self, output: FileOutput) -> None:
            self.__dict__.update(vars(output))

        def place(self, permit: Callable[[], None]) -> None:
            bench.store.transition(job.id, lambda current: cancelled(current, now=bench.clock(), by="somebody"))
            super().place(permit)

    bench.storage = LateStorage()
    # when
    bench.worker().run()
    # then
    assert (bench.folder / "1.mp4").read_text() == "older"
    assert bench.job(1).state is JobState.ABANDONED


def test_a_job_that_comes_back_while_its_earlier_attempt_is_on_its_way_out_is_attempted_anew(
    bench: Bench, running: Callable[..., object]
) -> None:
    # given a worker of two slots with a job in hand
    bench.nommer.gate = threading.Event()
    (job,) = bench.submit(1)
    running(bench.worker(slots=2, once=False))
    eventually(lambda: bench.nommer.running == 1, every=0.01)
    # when the job is cancelled and tried again, before a heartbeat could notice
    bench.store.transition(job.id, lambda current: cancelled(current, now=bench.clock(), by="somebody"))
    bench.store.transition(job.id, lambda current: retried(current, now=bench.clock(), by="somebody"))
    bench.new_jobs.send([job.id])
    # then the second attempt runs to its end and the first one is gone
    eventually(lambda: bench.job(1).attempt == 1 and bench.job(1).state is JobState.ENCODING, every=0.01)
    bench.nommer.gate.set()
    eventually(lambda: bench.job(1).state is JobState.FINISHED, every=0.01)
    eventually(lambda: bench.nommer.running == 0 and list((bench.folder / "node").iterdir()) == [], every=0.01)
    assert (bench.folder / "1.mp4").read_text() == "film 1"
    assert list(bench.folder.glob(".nommerctl-*")) == []


def test_a_source_that_changes_while_it_is_encoded_is_an_error(bench: Bench) -> None:
    bench.submit(1)
    bench.nommer.at_the_end = lambda: (bench.folder / "1.mov").write_text("film 1, and a part more")
    bench.worker().run()
    assert bench.job(1).details == "the source changed while it was encoded: submit it again when it is complete"
    assert not (bench.folder / "1.mp4").exists()


def test_an_idle_worker_leaves_and_takes_its_heartbeat_along(bench: Bench) -> None:
    assert bench.worker(once=False).run() == 0
    assert bench.ledger.heartbeats() == {}
    assert bench.log[-1] == "worker node-1 ends: no work"


def test_an_idle_worker_stays_while_the_farm_would_have_too_few_nodes(
    bench: Bench, running: Callable[..., threading.Thread]
) -> None:
    thread = running(bench.worker(once=False, keep_nodes=1))
    time.sleep(4 * SETTINGS.idle_exit)
    assert thread.is_alive()
    now = bench.clock()
    bench.ledger.beat(Heartbeat(node="node-2", started=now, at=now, slots=1))
    eventually(lambda: not thread.is_alive(), within=5, every=0.05)


def test_poison_ends_among_the_dead_letters(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.new_jobs = FakeQueue(bench.clock, max_receives=2)
    lease = make_lease("other", until=bench.clock() + micros(1000))
    bench.store.submit([make_job(1, state=JobState.ENCODING, lease=lease)])
    bench.new_jobs.send([job_id(1)])
    for _ in range(4):
        bench.worker().run()
        bench.clock.advance(1001)
        bench.store.jobs[job_id(1)] = make_job(
            1, state=JobState.ENCODING, lease=make_lease("other", until=bench.clock() + micros(1000))
        )
    assert [message.body for message in bench.new_jobs.dead()] == [job_id(1)]
    assert isinstance(bench.new_jobs.dead()[0], Message)
