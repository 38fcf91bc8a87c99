"""Workers that race for one job on one real store, and take turns wherever another could get in between."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.files import FileStorage
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.domain.config import WorkerSettings
from nommerctl.domain.job import EncodingJob, Media
from nommerctl.ports import Done, Encoded, Message, Move, Output, Watch, Work, nobody, nothing
from nommerctl.worker.ports import WorkerPorts
from nommerctl.worker.presence import Identity
from nommerctl.worker.worker import Worker
from tests.death.turns import WAITS, Player
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger

LEASE = 10.0
SETTINGS = WorkerSettings(lease=LEASE, heartbeat=1_000_000, idle_exit=1, max_attempts=100)


@dataclass(frozen=True)
class Written:
    """A write that the store took: whose it was, the job before it and after it, and when."""

    by: str
    before: EncodingJob
    after: EncodingJob
    at: int


@dataclass
class Race:
    """What the racers share: a store on disk, a clock, and a list of what was written."""

    folder: Path
    store: Path
    clock: FakeClock = field(default_factory=FakeClock)
    written: list[Written] = field(default_factory=list)
    steps_within: bool = False
    """Whether a racer may be held between its reading and its writing: the other cannot write then, and waits."""


class Racer:
    """One worker process: a connection to the store of its own, and a step before whatever others might see or do."""

    def __init__(self, name: str, race: Race) -> None:
        self.name = name
        self.race = race
        self._player: Player | None = None
        self._leases = 0
        self.database = Database(race.store, keep_on=lambda: self.step(WAITS))
        self.database.read(lambda connection: connection.execute("PRAGMA busy_timeout = 0"))  # SQLite shall not wait
        self.store = SteppingStore(self)
        self.new_jobs = SteppingQueue(self, "new-jobs")

    def step(self, what: str) -> None:
        if self._player:
            self._player.step(what)

    def __call__(self, player: Player) -> None:
        """Work until the queue is empty, and look again and again."""
        self._player = player
        for _ in range(4):
            self.work()
        self._player = None

    def work(self) -> None:
        """Be a worker, once."""
        started = self.race.clock()
        folder = self.race.folder / self.name
        folder.mkdir(exist_ok=True)
        ports = WorkerPorts(
            store=self.store,
            ledger=FakeLedger(self.race.clock),
            together=self.database.together,
            new_jobs=self.new_jobs,
            changes=SteppingQueue(self, "state-changes"),
            storage=SteppingFiles(self),
            nommers={"ffmpeg": SigningNommer(self)},
            clock=self.race.clock,
            new_lease_id=self._new_lease_id,
            log=lambda _: None,
        )
        identity = Identity(node=self.name, folder=folder, host="here", pid=1, started=started)
        Worker(identity, ports=ports, settings=SETTINGS, slots=1, once=True).run()

    def _new_lease_id(self) -> str:
        self._leases += 1
        return f"{self.name}{self._leases}"


class SteppingStore(SqliteJobStore):
    """The store as one racer has it."""

    def __init__(self, racer: Racer) -> None:
        super().__init__(racer.database)
        self._racer = racer

    def get(self, ids: Iterable[str]) -> dict[str, EncodingJob]:
        self._racer.step("read")
        return super().get(ids)

    def transition(self, job: str | EncodingJob, move: Move) -> EncodingJob:
        self._racer.step("write")
        read: list[EncodingJob] = []

        def seen(current: EncodingJob) -> EncodingJob:
            read.append(current)
            if self._racer.race.steps_within:
                self._racer.step("go on to write what was read")
            return move(current)

        after = super().transition(job, seen)
        self._racer.race.written.append(Written(self._racer.name, read[-1], after, self._racer.race.clock()))
        return after


class SteppingQueue(SqliteQueue):
    """A queue as one racer has it."""

    def __init__(self, racer: Racer, name: str) -> None:
        super().__init__(racer.database, name, racer.race.clock)
        self._racer = racer

    def send(self, bodies: Sequence[str]) -> None:
        self._racer.step("send")
        super().send(bodies)

    def receive(self, limit: int, visibility: float) -> list[Message]:
        self._racer.step("receive")
        return super().receive(limit, visibility)

    def extend(self, messages: Sequence[Message], visibility: float) -> None:
        self._racer.step("extend")
        super().extend(messages, visibility)

    def delete(self, messages: Sequence[Message]) -> None:
        self._racer.step("delete")
        super().delete(messages)


@dataclass
class SteppingOutput:
    """An output of one racer, who may be held between the last look at its lease and the move into place."""

    output: Output
    path: Path
    racer: Racer

    def place(self, permit: Callable[[], None], keep_on: Callable[[], None] = nothing, done: Done = nobody) -> None:
        def permitted() -> None:
            permit()
            self.racer.step("move into place")

        self.output.place(permitted, keep_on, done)

    def discard(self) -> None:
        self.output.discard()


class SteppingFiles(FileStorage):
    """Files as one racer has them."""

    def __init__(self, racer: Racer) -> None:
        self._racer = racer

    @contextmanager
    def output(  # type: ignore[override] # an Output is all it promises
        self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None
    ) -> Iterator[Output]:
        self._racer.step("open the output")
        with super().output(dest, tag, leave_word) as output:
            yield SteppingOutput(output, output.path, self._racer)


class SigningNommer:
    """Writes who made it."""

    def __init__(self, racer: Racer) -> None:
        self._racer = racer

    def encode(self, work: Work, watch: Watch) -> Encoded:
        watch.keep_on()
        self._racer.step("encode")
        work.output.write_text(self._racer.name)
        return Encoded(media=Media(seconds=1.0), command="sign", log="")
