"""A worker and all that it works with: a farm in memory, with real files."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from nommerctl.adapters.local.files import FileStorage
from nommerctl.domain.config import WorkerSettings
from nommerctl.domain.job import EncodingJob, Media, Progress
from nommerctl.domain.moves import submitted
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant
from nommerctl.errors import NommerctlError, PermissionDeniedError, UnreachableError
from nommerctl.ports import Encoded, Message, Move, Notices, Watch, Work
from nommerctl.worker.ports import WorkerPorts
from nommerctl.worker.presence import Identity
from nommerctl.worker.worker import Worker
from tests.builders import job_id, make_job
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


class CountingQueue(FakeQueue):
    """A queue that counts how often messages were hidden for longer."""

    extended = 0

    def extend(self, messages: Sequence[Message], visibility: float) -> None:
        self.extended += len(messages)
        super().extend(messages, visibility)


class AwayStore(FakeJobStore):
    """A store that refuses the next `away` transitions as it `says`, and breaks at what writes `breaks_at`."""

    away = 0
    says: type[NommerctlError] = UnreachableError
    breaks_at: JobState | None = None

    def transition(self, job: str | EncodingJob, move: Move) -> EncodingJob:
        if self.away:
            self.away -= 1
            msg = "the store is away"
            raise self.says(msg)
        moved = super().transition(job, move)
        if moved.state is self.breaks_at:
            msg = "\x1b[2J is no state"
            raise ValueError(msg)
        return moved


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

    def worker(
        self,
        *,
        slots: int = 1,
        once: bool = True,
        keep_nodes: int = 0,
        settings: WorkerSettings = SETTINGS,
        usd_per_hour: float | None = None,
        notices: Notices | None = None,
        controller_seen: Callable[[], Instant | None] | None = None,
        leave_to_on_demand: bool = False,
    ) -> Worker:
        identity = Identity(
            node="node-1",
            folder=self.folder / "node",
            host="here",
            pid=7,
            started=self.clock(),
            usd_per_hour=usd_per_hour,
            instance_type="" if usd_per_hour is None else "c7i.large",
        )
        return Worker(
            identity,
            ports=self.ports(notices),
            settings=settings,
            slots=slots,
            once=once,
            keep_nodes=keep_nodes,
            controller_seen=controller_seen,
            leave_to_on_demand=leave_to_on_demand,
        )

    def ports(self, notices: Notices | None = None) -> WorkerPorts:
        return WorkerPorts(
            store=self.store,
            ledger=self.ledger,
            together=nullcontext,
            new_jobs=self.new_jobs,
            changes=self.changes,
            storage=self.storage,
            nommers={"ffmpeg": self.nommer},
            clock=self.clock,
            new_lease_id=iter(f"lease{number}" for number in range(100)).__next__,
            log=self.log.append,
            notices=notices,
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
