"""Everything we ask of the world, as Protocols, on one page.

For each kind of thing there is what may be read and, on top of it, what may be written. A pass gets only what may be
read (passes/means.py).

Failures: an adapter raises UnreachableError when it cannot be reached or answers nonsense, PermissionDeniedError when
it may not, TryAgainError when it is busy or full for now, and nothing of its vendor's. Instants are UTC microseconds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

from msgspec import Struct

from nommerctl.domain.breaker import Breaker
from nommerctl.domain.cached import CacheStatus
from nommerctl.domain.delivery import StateChange
from nommerctl.domain.fleet import CheckIn, Depth, Heartbeat, Instance, Launch, NodeId, Pool, Spawned
from nommerctl.domain.job import EncodePass, EncodingJob, JobId, Media, Progress
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
from nommerctl.domain.stack import Difference, Found, Part, Resource
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant

T = TypeVar("T")

Clock: TypeAlias = Callable[[], Instant]

Move: TypeAlias = Callable[[EncodingJob], EncodingJob]
"""One of domain/moves.py, with all but the job filled in."""

Together: TypeAlias = Callable[[], AbstractContextManager[None]]
"""What is written to job store, ledger and queues in this context is one step, where the backend can make it one.

Then it is lasting all at once when the context is left, or, if that raises, not at all; others who want to write wait
meanwhile, so it holds nothing that takes long. Where store and queues are services apart, each write is a step of its
own: so the order of the writes has to be right all the same. One within another is a part of it.
"""


# --- jobs: the truth -------------------------------------------------------------------------------------------------


class JobReads(Protocol):
    """The job store, read only. Reads are consistent: they show every write that was answered before them.

    The lists, which are all that follow `get`, may be behind by `lag` seconds in what they hold, 0 where they are not:
    a job may be missing, or be there though it no longer belongs there. But each job in them is as it was just read.
    """

    @property
    def lag(self) -> float:
        """How far the lists may be behind, in seconds."""

    def get(self, ids: Iterable[JobId]) -> dict[JobId, EncodingJob]:
        """Return those of the named jobs that exist, read in batches; ids that are unknown are left out."""

    def find(self, prefix: str, limit: int) -> list[EncodingJob]:
        """Return up to `limit` jobs whose id begins with `prefix`, by id."""

    def unfinished(self) -> Iterator[EncodingJob]:
        """Yield every unfinished job, oldest `created` first. Whole, or an error: never a part that looks whole."""

    def finished_untold(self) -> Iterator[EncodingJob]:
        """Yield every finished job whose notify_url still has to be told of something, oldest `changed` first."""

    def undelivered(self) -> Iterator[EncodingJob]:
        """Yield every job whose listener was given up (`job.undelivered`), finished or not, oldest `changed` first."""

    def silent(self, *, in_work_before: Instant, pending_before: Instant) -> Iterator[EncodingJob]:
        """Yield every job in work, and every PENDING one, whose `changed` is before the instant that goes for it.

        Oldest `changed` first; it reads no others.
        """

    def finished_since(self, since: Instant) -> Iterator[EncodingJob]:
        """Yield every finished job whose `changed` is at or after `since`, oldest first."""

    def finished_before(self, before: Instant) -> Iterator[EncodingJob]:
        """Yield every finished job whose `changed` is before `before` and that has nothing untold, oldest first."""

    def in_state(self, state: JobState) -> Iterator[EncodingJob]:
        """Yield every job in this state, oldest `changed` first."""


class JobStore(JobReads, Protocol):
    """The job store. Every write is atomic per job, and lasting when it has been answered."""

    def submit(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Store new jobs, and return each as it now stands in the store.

        The first version is the job's own and one, so 1 for a new one: a record that comes from another store does not
        go back in version, by which caches tell what is newer.

        Up to 100 are stored all or none; more of them in order, a hundred (or what a store takes) at a time: an error
        leaves the first ones stored. A job whose id exists is left as it is and returned as it stands: so to submit
        again is to submit the same jobs. UsageError for one that is too large, before anything is stored.
        """

    def transition(self, job: JobId | EncodingJob, move: Move) -> EncodingJob:
        """Read a job, apply a move of domain/moves.py, write the result if nobody wrote in between; return it.

        A store across a network does without the reading at first if it is given the job, as it was read last. The
        write is conditional on the `version` that was read and raises it by one; or that of what the move returned, if
        it is higher, as that of a record from another store may be. When somebody did write in between, the job is read
        and the move is applied again, so `move` may run several times and must be pure. What `move` raises
        (IllegalMoveError, LeaseLostError) comes out unchanged and nothing is written. A `move` that returns the very
        object it was given writes nothing. An unknown id raises UsageError.
        """

    def transitions(self, steps: Sequence[tuple[EncodingJob, Move]]) -> list[EncodingJob]:
        """Make a move of each of many jobs, as `transition` does, in as few requests as the store can.

        Return the jobs as they were written, in the order given; without those that are not there any more, or whose
        move raised IllegalMoveError. Each job is written by itself: an error leaves it open which ones were.
        """

    def keep_seen(self, jobs: Sequence[EncodingJob]) -> list[EncodingJob]:
        """Keep the changes of these jobs that others made, as they were read; return the jobs as they then stand.

        Only where somebody else than nommerctl writes jobs too, and leaves no trace of a change but the last one, is
        there anything to keep, or a difference. A finished job that is kept, and was never heard of before, has changes
        to be told; that it was only found among the others says no such thing. To keep a change again changes nothing.
        """

    def remove(self, job: EncodingJob) -> bool:
        """Remove a job if its version is still the one given; return whether it was removed."""


# --- queues: hints ---------------------------------------------------------------------------------------------------


class Message(Struct, frozen=True):
    """A received message: `body` as it was sent, `receipt` to delete or extend it by, `receives` from 1 up."""

    body: str
    receipt: str
    receives: int = 1


class QueueReads(Protocol):
    """A queue, looked at without receiving."""

    def depth(self) -> Depth:
        """Return how many messages it holds. A store of truth may be exact, a service approximate."""

    def dead(self) -> list[Message]:
        """Return the messages that were received too often (their receipts stay good for `revive`).

        Looking at them may count as receiving them once more.
        """

    def dead_count(self) -> int:
        """Return how many there are, without looking at them; as exact as `depth`."""


class Queue(QueueReads, Protocol):
    """At-least-once delivery of job ids, in no promised order.

    A received message is hidden from others for `visibility` seconds, then comes back unless it was deleted; if the
    clock has gone back since by more than AHEAD of domain/times.py, it is not hidden any more. One that
    was received more than `max_receives` times goes to the dead letters instead. A receipt belongs to one receive: when
    the message has been received again since, deleting or extending by the old receipt does nothing.
    """

    def send(self, bodies: Sequence[str]) -> None:
        """Add a message for each body; all of them are in the queue, visible, when this returns."""

    def receive(self, limit: int, visibility: float) -> list[Message]:
        """Receive up to `limit` visible messages, without waiting for any to come."""

    def extend(self, messages: Sequence[Message], visibility: float) -> None:
        """Hide received messages for `visibility` seconds from now; 0 gives them back at once."""

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete received messages. Deleting twice, or by an old receipt, is no error."""

    def revive(self, messages: Sequence[Message]) -> None:
        """Put dead letters back into the queue, with their receives counted anew."""


# --- the job cache: a hint -------------------------------------------------------------------------------------------


class CachedJobs(Protocol):
    """The job cache, read only. Media-nommer's names; what takes a job takes its id just as well.

    Jobs are as they were in the store but for what `as_cached` leaves out.
    """

    def get_job(self, job: JobId | EncodingJob) -> EncodingJob | None:
        """Return the cached job, None if it is not cached."""

    def is_job_cached(self, job: JobId | EncodingJob) -> bool:
        """Whether the job is cached."""

    def get_cached_jobs(self) -> dict[JobId, EncodingJob]:
        """Return all cached jobs by id."""

    def get_jobs_with_state(self, state: JobState) -> list[EncodingJob]:
        """Return the cached jobs in this state, oldest `created` first, read by the index of states."""

    def map_jobs(
        self, states: Sequence[JobState], make: Callable[[EncodingJob], T], *, limit: int | None = None
    ) -> list[T]:
        """Return what `make` makes of every cached job in these states, oldest `created` first.

        `make` keeps of a job what it needs, so that 100,000 of them are never in memory at once; it may be called again
        for the same job. With a `limit`, of at most so many jobs: the states in the order given; of the unfinished
        ones those that were first found in their state, of the finished ones those that were found in it last.
        """

    def states(self) -> dict[JobId, JobState]:
        """Return the state of every cached job, without decoding a job."""

    def count_by_state(self) -> dict[JobState, int]:
        """Return how many cached jobs each state has, 0 for the others, without decoding a job."""

    def untold(self, now: Instant) -> list[JobId]:
        """Return the cached jobs whose notify_url is to be told of something now, without decoding a job.

        Those whose next attempt comes later are left out.
        """

    def waiting_for_on_demand(self, since: Instant) -> int:
        """Return how many cached jobs have waited since then, or not as long, for a node that nobody takes away.

        No job is decoded for it.
        """

    def status(self) -> CacheStatus:
        """Return what passes left for each other; a CacheStatus() if the cache is cold."""


class JobCache(CachedJobs, Protocol):
    """The job cache. Writes are short transactions that wait for each other; each call is all or nothing.

    Jobs are taken one by one while a call goes on; what giving them raises comes out as it is. Credentials in their
    URIs are masked: whoever fetches or tells takes the job from the store.
    """

    def update_job(self, job: EncodingJob) -> None:
        """Cache a job, unless it is cached with a higher `version` already."""

    def update_jobs(self, jobs: Iterable[EncodingJob]) -> None:
        """Cache many in one transaction, by the same rule."""

    def remove_job(self, job: JobId | EncodingJob) -> None:
        """Forget a job; no error if it is not cached."""

    def remove_jobs(self, ids: Iterable[JobId]) -> None:
        """Forget many in one transaction."""

    def reset(self, jobs: Iterable[EncodingJob], as_of: Instant) -> None:
        """Make these the cached jobs, in one transaction, after the whole store was read at `as_of`.

        A job that is cached with a higher version stays; one that is not among `jobs` stays only if it changed at or
        after `as_of` (it was submitted meanwhile).
        """

    def set_status(self, change: Callable[[CacheStatus], CacheStatus]) -> None:
        """Change the status, reading and writing it in one transaction."""


# --- the ledger: the truth about the farm ----------------------------------------------------------------------------


class LedgerReads(Protocol):
    """The ledger, read only; consistent like the job store."""

    def overview(self) -> Overview:
        """Return all that the ledger knows of the farm but for its older decisions, as it stood at one instant."""

    def decisions(self, limit: int) -> list[Decision]:
        """Return the last decisions, newest first."""


class Ledger(LedgerReads, Protocol):
    """The ledger. Writes are atomic and lasting when answered."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write a node's heartbeat over its last one."""

    def mark(self, node: NodeId, at: Instant) -> None:
        """Note that a node was found silent at `at`, unless it is already marked; a later beat clears it.

        A node that never gave a beat gets a row by this, with `at` 0 and no slots.
        """

    def forget(self, node: NodeId) -> None:
        """Drop a node's heartbeat; no error if it has none."""

    def check_in(self, check_in: CheckIn) -> None:
        """Keep what a node leaves with its first heartbeat, for 25 hours, whatever becomes of the node."""

    def journal(self, launch: Launch) -> None:
        """Write an order before it is given.

        ConflictError if the generation is not `launch.generation`, or if another order is unsettled: somebody else
        decided at the same time, and this one must not be given.
        """

    def repeat(self, token: str) -> None:
        """Note that an order is going to be given again.

        ConflictError if it is not unsettled any more: it must not be given.
        """

    def settle(self, token: str, spawned: Spawned) -> None:
        """Note what came of an order and raise the generation, in one step; settling it again changes nothing.

        The pools that refused it are noted with the instant. It counts as repeated no more if the answer is certain.
        """

    def switch(self, breaker: Breaker) -> None:
        """Write the breaker's row.

        ConflictError unless the one that stands has the `number` before its own: somebody else has switched it since.
        """

    def publish(self, text: str) -> None:
        """Write the settings that nodes read."""

    def sign(self, at: Instant) -> None:
        """Leave the controller's sign of life, by which nodes know that somebody still looks after them."""

    def decide(self, decision: Decision) -> None:
        """Keep a decision, for a week; its instant is a sign of life too."""


# --- the fleet -------------------------------------------------------------------------------------------------------


class FleetReads(Protocol):
    """The machines, or processes, that run workers, looked at."""

    @property
    def lag(self) -> float:
        """How many seconds it may take until a new node is shown, 0 if it is shown at once."""

    @property
    def offers_on_demand(self) -> bool:
        """Whether its nodes may be taken away, but for those that are ordered `on_demand`."""

    def get_instances(self) -> list[Instance]:
        """Return every node of this farm that exists, dead ones too until they are ended. Whole, or an error.

        One that has ended is left out, or marked as gone. One that counts, but that this farm did not launch and may
        not end, is not `ours`.
        """

    def request(
        self, *, token: str, count: int, slots: int, refused: Mapping[Pool, float] = {}, on_demand: bool = False
    ) -> str:
        """Return the exact text of an order for `count` nodes of `slots` each, to be journalled before it is given.

        `refused` says how many seconds ago pools were: the order goes around those of lately as long as there are
        others. With `on_demand` it asks for nodes that nobody takes away again, where the fleet has others too.
        """


class Fleet(FleetReads, Protocol):
    """The fleet, for scale to act upon."""

    def spawn_instances(self, launch: Launch) -> Spawned:
        """Give an order; return its nodes, fewer than `launch.count` if there was no more room.

        Giving the same order again, by its token, starts nothing twice and answers the same ids. What is returned is
        final, and its `fault` is to be told once it has been settled; what is raised leaves it open what came of it.
        """

    def end_instances(self, nodes: Sequence[NodeId]) -> None:
        """End nodes of this farm and clear away what they left; no error if one is gone already.

        NodeLivesOnError for one that cannot be ended; it goes on being shown.
        """


# --- the account: what a farm stands on -------------------------------------------------------------------------------


class StackReads(Protocol):
    """The parts of a farm in its cloud account, looked at."""

    def find(self, resource: Resource) -> Found | None:
        """Return a part as it is, None if it is not there; its properties in the form of those that are wanted.

        SettingsError for one that is another farm's.
        """

    def parts(self) -> list[Part]:
        """Return everything in the account that carries the farm's tag, but for its nodes and what belongs to them."""


class Stack(StackReads, Protocol):
    """The parts of a farm, to be made and unmade. Each call may be repeated after an interruption."""

    def create(self, resource: Resource) -> Found:
        """Make a part, with the farm's tag, and wait until it can be used; one that is there is returned as it is."""

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:
        """Make a part as it is wanted; ItemError for a property that cannot be changed any more."""

    def delete(self, part: Part) -> None:
        """Delete a part, and wait until it is gone; no error if it is. ItemError if it lacks the farm's tag."""


# --- files, and what happens to them ---------------------------------------------------------------------------------


Done: TypeAlias = Callable[[float], None]
"""Is told which fraction of a transfer is done; cheap, to be called as often as there is news, from any thread."""


def nothing() -> None:
    """Go on in any case."""


def nobody(_: float) -> None:
    """Tell nobody."""


class SourceLook(Struct, frozen=True):
    """One look at a source: `size` in bytes and `modified` instant, None where the storage does not say."""

    size: int | None
    modified: Instant | None


class Output(Protocol):
    """A place beside the destination to write a result to, until it is put in its place or thrown away."""

    path: Path

    def place(self, permit: Callable[[], None], keep_on: Callable[[], None] = nothing, done: Done = nobody) -> None:
        """Make the written file last, call `permit`, and move the file to its destination in one step.

        What `permit` raises comes out and the destination stays as it was; so too with `keep_on`, which is called at
        least once a second as long as that takes. `done` is told how much of it is done, where that takes long.
        """

    def discard(self) -> None:
        """Remove what was written; no error if it was placed or never written."""


class Storage(Protocol):
    """Sources and destinations, by the scheme of their URI. Errors are TransferError at work, UsageError at a check."""

    def look(self, source: str) -> SourceLook:
        """Look at a source; UsageError with one sentence if it is missing, a folder, or not to be read."""

    def check_destination(self, dest: str) -> None:
        """UsageError with one sentence if nothing could be written there."""

    def is_same(self, source: str, dest: str) -> bool:
        """Whether writing `dest` would write over `source`, by whatever name."""

    def fetch(self, source: str, folder: Path, keep_on: Callable[[], None], done: Done = nobody) -> Path:
        """Bring a source into `folder` under a plain name of ours and return its path, absolute.

        `keep_on` is called at least once a second while this goes on, and ends it by raising. `done` is told how much
        of it is there, where that is known.
        """

    def output(
        self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None
    ) -> AbstractContextManager[Output]:
        """Open a place to write `dest` to; leaving the context discards what was not placed.

        `tag` is `JOB-TURN-LEASE`, the turn a number that is higher for each later claim of the job. What earlier turns
        left is removed, and from then on none of them can place anything, however far it had come. `leave_word` is
        called with the output's path before anything is there, so that whoever dies has left word of what to remove.
        """


class Work(Struct, frozen=True, kw_only=True):
    """What a nommer gets: a staged source, a path to write to, a folder of its own, and what to do."""

    source: Path
    output: Path
    folder: Path
    muxer: str
    options: tuple[EncodePass, ...]


class Encoded(Struct, frozen=True, kw_only=True):
    """What a nommer did: the verified output's measures, the command as a shell would take it, the end of the log."""

    media: Media
    command: str
    log: str


class Watch(Protocol):
    """The nommer's line to its worker."""

    def report(self, progress: Progress) -> None:
        """Say how far it is; cheap, to be called as often as there is news."""

    def keep_on(self) -> None:
        """Return, or raise if the job is to be stopped; to be called at least once a second."""


class Nommer(Protocol):
    """What encodes."""

    def encode(self, work: Work, watch: Watch) -> Encoded:
        """Encode, verify the output, and return its measures; EncodingError with the reason if either fails."""


class Notifier(Protocol):
    """Tells listeners."""

    def tell(self, url: str, change: StateChange) -> None:
        """Deliver one change of state, once; TransferError if it was not taken (any answer but 2xx).

        GoneError if nobody wants to be told there any more (410); UnansweredError if there was no answer, and of these
        HostAwayError if that holds for every URL on the host.
        """


class Notices(Protocol):
    """Says when the machine that a worker runs on is to be taken back."""

    def announced(self) -> str | None:
        """Return why it has to be left, as a sentence for the log; None while nothing is announced."""


class Archive(Protocol):
    """Where jobs go that are removed from the store."""

    def append(self, jobs: Sequence[EncodingJob]) -> None:
        """Add the jobs, lasting when this returns. After a crash a job may stand there twice."""
