"""A whole farm in memory, for the passes to be made upon."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from nommerctl.domain.config import CacheSettings, NotifySettings, ScaleSettings, UpkeepSettings, WorkerSettings
from nommerctl.domain.job import EncodingJob, Lease, Media
from nommerctl.domain.moves import advanced, claimed, finished, submitted
from nommerctl.domain.outcome import Outcome
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.passes.abandon import abandon
from nommerctl.passes.announce import hint
from nommerctl.passes.jobs import retry
from nommerctl.passes.means import FarmReads, FarmWrites, Performer
from nommerctl.passes.news import ComparedNews, QueueNews
from nommerctl.passes.performing import Doer, Rehearsal
from nommerctl.passes.prune import prune
from nommerctl.passes.refresh import refresh
from nommerctl.passes.scale import scale
from nommerctl.passes.submit import store_jobs
from tests.builders import make_job
from tests.fakes.archive import FakeArchive
from tests.fakes.clock import FakeClock
from tests.fakes.fleet import FakeFleet
from tests.fakes.job_cache import FakeJobCache
from tests.fakes.job_store import FakeJobStore
from tests.fakes.ledger import FakeLedger
from tests.fakes.notifier import FakeNotifier
from tests.fakes.queue import FakeQueue

MEDIA = Media(seconds=4.0, width=854, height=480)


def nothing() -> None:
    """Heed nothing: no limit, no signal."""


@dataclass
class FakeFarm:
    """Fakes behind every port, and the passes as wiring makes them."""

    clock: FakeClock = field(default_factory=FakeClock)
    scale_settings: ScaleSettings = field(default_factory=lambda: ScaleSettings(max_nodes=3))
    upkeep: UpkeepSettings = field(default_factory=UpkeepSettings)
    cache_settings: CacheSettings = field(default_factory=CacheSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    heed: Callable[[], None] = nothing
    archive: FakeArchive | None = None

    def __post_init__(self) -> None:
        self.store = FakeJobStore()
        self.cache = FakeJobCache()
        self.ledger = FakeLedger(self.clock)
        self.fleet = FakeFleet(self.clock)
        self.new_jobs = FakeQueue(self.clock)
        self.changes = FakeQueue(self.clock)
        self.notifier = FakeNotifier()
        self.orders = 0
        self.node_settings = ""

    @property
    def reads(self) -> FarmReads:
        return self.writes.reads

    @property
    def writes(self) -> FarmWrites:
        return FarmWrites(
            store=self.store,
            cache=self.cache,
            ledger=self.ledger,
            fleet=self.fleet,
            new_jobs=self.new_jobs,
            changes=self.changes,
            notifier=self.notifier,
            archive=self.archive,
            together=nullcontext,
        )

    def performer(self, *, dry_run: bool = False) -> Performer:
        return Rehearsal(heed=self.heed) if dry_run else Doer(self.writes, heed=self.heed)

    def refresh(self, *, dry_run: bool = False, rebuild: bool = False) -> Outcome:
        return refresh(
            self.reads,
            self.performer(dry_run=dry_run),
            ComparedNews(self.reads) if dry_run else QueueNews(self.changes, visibility=60, enough=lambda: False),
            upkeep=self.upkeep,
            cache_settings=self.cache_settings,
            notify=self.notify,
            clock=self.clock,
            rebuild=rebuild,
        )

    def scale(self, *, dry_run: bool = False) -> Outcome:
        return scale(
            self.reads,
            self.performer(dry_run=dry_run),
            settings=self.scale_settings,
            cache_settings=self.cache_settings,
            silence=3600,
            clock=self.clock,
            new_token=self._token,
            node_settings=self.node_settings,
        )

    def _token(self) -> str:
        self.orders += 1
        return f"order{self.orders}"

    def abandon(self, *, dry_run: bool = False) -> Outcome:
        limits = WorkerSettings().limits
        perform = self.performer(dry_run=dry_run)
        silent_after = self.scale_settings.silent_after
        return abandon(
            self.reads, perform, upkeep=self.upkeep, limits=limits, silent_after=silent_after, clock=self.clock
        )

    def prune(self, *, dry_run: bool = False) -> Outcome:
        perform = self.performer(dry_run=dry_run)
        return prune(self.reads, perform, upkeep=self.upkeep, cache_settings=self.cache_settings, clock=self.clock)

    # --- what others do to the farm ---

    def retry(self, job: EncodingJob) -> Outcome:
        """Put a job back into the queue, as somebody does by hand."""
        return retry(self.reads, self.performer(), [job.id], failed=False, by="somebody", clock=self.clock)

    def submit(self, *numbers: int, notify_url: str | None = None) -> Sequence[EncodingJob]:
        """Submit jobs, by their numbers, now."""
        now = self.clock()
        jobs = [make_job(number, created=now, notify_url=notify_url) for number in numbers]
        return self.store_jobs([submitted(job, by="somebody") for job in jobs])

    def store_jobs(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Store, queue and cache jobs."""
        stored = store_jobs(jobs, store=self.store, new_jobs=self.new_jobs, changes=self.changes, together=nullcontext)
        hint(self.cache, stored)
        return stored

    def claim(
        self, job: EncodingJob, *, lease: str = "lease-1", owner: str = "node-1", seconds: float = 90
    ) -> EncodingJob:
        """Claim a job as a worker does, announced."""
        held = Lease(id=lease, owner=owner, until=self.clock() + micros(seconds))
        limits = WorkerSettings().limits
        return self._moved(job, lambda current: claimed(current, lease=held, now=self.clock(), limits=limits))

    def finish(self, job: EncodingJob, *, lease: str = "lease-1") -> EncodingJob:
        """Take a claimed job through all its states, announced."""
        until = self.clock() + micros(90)
        for state in (JobState.ENCODING, JobState.UPLOADING):
            self._moved(
                job,
                lambda current, to=state: advanced(  # type: ignore[misc]
                    current, lease_id=lease, to=to, until=until, now=self.clock()
                ),
            )
        return self._moved(
            job,
            lambda current: finished(
                current, lease_id=lease, now=self.clock(), media=MEDIA, command="ffmpeg", log="done"
            ),
        )

    def _moved(self, job: EncodingJob, move: Callable[[EncodingJob], EncodingJob]) -> EncodingJob:
        moved = self.store.transition(job.id, move)
        self.changes.send([job.id])
        return moved

    def work_off(self, job: EncodingJob) -> None:
        """Receive its message, finish it and delete the message, as a worker does."""
        messages = [message for message in self.new_jobs.receive(1000, 90) if message.body == job.id]
        self.claim(job)
        self.finish(job)
        self.new_jobs.delete(messages)
