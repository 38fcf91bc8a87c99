"""Jobs in the hands of media-nommer's programs and in ours: one server, one clock, what stands in both domains."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.domain.job import EncodingJob, JobId, Media
from nommerctl.domain.limits import AbandonAfter, AttemptLimits
from nommerctl.domain.moves import abandoned, advanced, claimed, finished, submitted
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.ports import Move
from tests.builders import make_job, make_lease
from tests.fakes.clock import FakeClock
from tests.media_nommer import OldProducer, local_time
from tests.simpledb.server import Cut, SimpleDB
from tests.simpledb_jobs import FARM, OURS, SETTINGS

DAY = 24 * 3600.0
LIMITS = AttemptLimits()
URL = "https://films.example/told"

PUT = "PutAttributes"
"""By which both steps of a write are made."""

TRIES = 4
"""Of a call that gets no answer."""


@dataclass
class Deployment:
    """A deployment of media-nommer whose hosts are in `zone`, and our stores on it, which report into `said`."""

    server: SimpleDB
    clients: Clients
    clock: FakeClock
    zone: str = "UTC"
    strip_credentials: bool = False
    said: list[str] = field(default_factory=list)

    def store(self) -> SimpledbJobStore:
        """A store as another process has it."""
        settings = SimpledbSettings(old_zone=self.zone)
        return SimpledbJobStore(
            self.clients, FARM, settings, self.clock, self.said.append, strip_credentials=self.strip_credentials
        )

    # --- the old programs

    @property
    def old(self) -> OldProducer:
        """A host of the old deployment."""
        return OldProducer(self.clients.sdb, self.clients.sqs, self.clock, self.zone)

    def produce(self, *, notify_url: str | None = None, **attributes: str) -> JobId:
        """An old producer stores a job."""
        job_id = self.old.submit(notify_url=notify_url, queued=False)
        if attributes:
            self.server.put(SETTINGS.job_domain, job_id, attributes)
        return job_id

    def write(self, job_id: JobId, state: str, details: str | None = None, at: Instant | None = None) -> None:
        """An old worker writes a state over whatever stands there."""
        written = {} if details is None else {"job_state_details": details}
        now = local_time(self.clock() if at is None else at, self.zone)
        self.server.put(SETTINGS.job_domain, job_id, {"job_state": state, "last_modified_dtime": now, **written})

    def writes(self, job_id: JobId, state: str) -> Callable[[], None]:
        """What `write` does, a while from now."""
        return lambda: self.write(job_id, state, at=self.clock.advance(1))

    # --- ours

    def submit(self, number: int = 1, notify_url: str | None = URL) -> JobId:
        """We store a job."""
        (job,) = self.store().submit([submitted(make_job(number, notify_url=notify_url), by="cli")])
        self.clock.now = max(self.clock.now, job.created)
        return job.id

    def begun(self, number: int = 1) -> JobId:
        """A worker of ours has a job of ours in hand."""
        job_id = self.submit(number)
        self.store().transition(job_id, self.claim())
        return job_id

    def claim(self, name: str = "lease-1", *, seconds: float = 90) -> Move:
        """What a worker of ours makes of a job, the next second."""
        now = self.clock.advance(1)
        lease = make_lease(name, owner=f"node of {name}", until=now + micros(seconds))
        return partial(claimed, lease=lease, now=now, limits=LIMITS)

    def advance(self, to: JobState = JobState.ENCODING, name: str = "lease-1") -> Move:
        """The next step of whoever has that lease."""
        now = self.clock.advance(1)
        return partial(advanced, lease_id=name, to=to, until=now + micros(90.0), now=now)

    def finish(self, name: str = "lease-1") -> Move:
        """The last step of whoever has that lease."""
        media = Media(seconds=1.0)
        return partial(finished, lease_id=name, now=self.clock.advance(1), media=media, command=None, log=None)

    def abandon(self) -> Move:
        """What `abandon` makes of a job, a day later."""
        after = AbandonAfter(in_work=DAY / 2, pending=DAY / 2)
        return partial(abandoned, now=self.clock.advance(DAY), after=after, limits=LIMITS)

    def job(self, job_id: JobId) -> EncodingJob:
        """A job as any other process reads it."""
        return self.store().get([job_id])[job_id]

    def refreshed(self, job_id: JobId) -> EncodingJob:
        """A job as a refresh pass of a process of its own reads and keeps it."""
        store = self.store()
        (job,) = store.keep_seen(list(store.get([job_id]).values()))
        return job

    # --- what stands

    def item(self, job_id: JobId) -> dict[str, str]:
        """A job's item: one value each."""
        found = self.server.items(SETTINGS.job_domain)[job_id]
        return {name: value for name, (value,) in found.items()}

    def state(self, job_id: JobId) -> str:
        """The state in the item."""
        (state,) = self.server.items(SETTINGS.job_domain)[job_id]["job_state"]
        return state

    @property
    def side_records(self) -> dict[str, dict[str, set[str]]]:
        """All that stands in our own domain."""
        return self.server.items(OURS)

    # --- what goes wrong

    def before_write(self, number: int, act: Callable[[], None]) -> None:
        """Let something happen before so many-th write of one item from now on, counted from 1."""
        for _ in range(number - 1):
            self.server.meanwhile(PUT, _nothing)
        self.server.meanwhile(PUT, act)

    def cut_write(self, number: int, cut: Cut, times: int = TRIES) -> None:
        """Let so many-th write of one item from now on get no answer, nor its repetitions if there are any."""
        for _ in range(number - 1):
            self.server.meanwhile(PUT, _nothing)
        self.server.cut(PUT, cut, times)


def _nothing() -> None:
    """Nothing happens."""


def course(job: EncodingJob) -> list[str]:
    """The states that a job has gone through, in order; the numbers of its history have no gap."""
    assert [entry.seq for entry in job.history] == list(range(1, len(job.history) + 1))
    return [entry.state.value for entry in job.history]


def unversioned(job: EncodingJob) -> EncodingJob:
    """A job but for its version."""
    return structs.replace(job, version=0)
