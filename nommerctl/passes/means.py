"""What a pass is given: the farm to look at, and somebody to carry out what it wants done.

A pass itself gets only what may be read. What it wants to change it gives to a Performer, which alone has the means to
write. So a dry run cannot write: it has nothing to write with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from nommerctl.domain.outcome import Change, Decision, Held, Outcome
from nommerctl.ports import (
    Archive,
    CachedJobs,
    Fleet,
    FleetReads,
    JobCache,
    JobReads,
    JobStore,
    Ledger,
    LedgerReads,
    Notifier,
    Queue,
    QueueReads,
    Stack,
    StackReads,
    Together,
)

W_co = TypeVar("W_co", covariant=True)


@dataclass(frozen=True)
class FarmReads:
    """The whole farm, to be looked at."""

    store: JobReads
    cache: CachedJobs
    ledger: LedgerReads
    fleet: FleetReads
    new_jobs: QueueReads
    changes: QueueReads


@dataclass(frozen=True)
class FarmWrites:
    """The whole farm, to be acted upon. `together` holds for what is written to store, ledger and both queues."""

    store: JobStore
    cache: JobCache
    ledger: Ledger
    fleet: Fleet
    new_jobs: Queue
    changes: Queue
    notifier: Notifier
    archive: Archive | None
    together: Together

    @property
    def reads(self) -> FarmReads:
        """The same farm, to be looked at: a pass that acts looks through the same adapters."""
        return FarmReads(
            store=self.store,
            cache=self.cache,
            ledger=self.ledger,
            fleet=self.fleet,
            new_jobs=self.new_jobs,
            changes=self.changes,
        )


@dataclass(frozen=True)
class AccountReads:
    """What a farm stands on in its cloud account, and what is in it, to be looked at."""

    stack: StackReads
    fleet: FleetReads
    store: JobReads


@dataclass(frozen=True)
class AccountWrites:
    """The same, to be made and unmade."""

    stack: Stack
    fleet: Fleet


Effect: TypeAlias = Callable[[FarmWrites], object]
"""What a pass wants done, given the means to do it."""


class Doing(Protocol[W_co]):
    """Carries out effects one by one, or only lists them: the one difference of a dry run.

    `W_co` are the means to write.

    Before an effect begins the time limit and signals are heeded: TimeLimitError, InterruptedPassError or
    TerminatedPassError comes out. An effect that fails for its own item (ItemError) is noted as failed, one that
    comes too late (IllegalMoveError, ConflictError) as held; any other error ends the pass.
    """

    def __call__(self, change: Change, effect: Callable[[W_co], object]) -> bool:
        """Do one effect and note it as changed; return whether it was done. In a dry run: note it, return True."""

    def quietly(self, effect: Callable[[W_co], object]) -> None:
        """Do what nobody has to be told of, such as noting the time of a refresh. In a dry run: nothing."""

    def heed(self) -> None:
        """Raise what ends the pass (time limit, signal), or return; for the time between effects."""

    def outcome(
        self,
        command: str,
        *,
        held: Sequence[Held] = (),
        facts: dict[str, int] | None = None,
        plan: Decision | None = None,
    ) -> Outcome:
        """Return the outcome of the pass so far."""


class Performer(Doing[FarmWrites], Protocol):
    """Carries out the effects of a pass upon the farm."""

    def note(self, change: Change) -> None:
        """Note something that has come about: no effect of this pass, but its reader should know."""

    def in_any_case(self, effect: Effect) -> None:
        """Do quietly what has to follow from what was done, whatever ends the pass meanwhile. In a dry run: nothing."""

    def as_one(self, steps: Sequence[tuple[Change, Effect]]) -> None:
        """Do several effects as one step, as far as the farm can (ports.Together); each is noted for itself."""

    def together(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Let several tasks do their effects side by side; what one of them raises comes out when all have ended."""


class News(Protocol):
    """Which jobs changed since the cache last heard."""

    def changed_ids(self, heed: Callable[[], None]) -> Sequence[str]:
        """Return the ids that changed, each once, and texts that are no ids as they came; `heed` may end it early."""

    def acknowledge(self) -> None:
        """What was returned has been applied and need not be said again."""
