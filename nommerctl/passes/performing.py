"""The two performers of a pass: one does its effects, the other only lists them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic

from nommerctl.domain.outcome import Change, Decision, Failure, Held, Outcome
from nommerctl.errors import ConflictError, IllegalMoveError, ItemError
from nommerctl.passes.means import Effect, FarmWrites, W_co

PARALLEL = 8
"""How many tasks run side by side."""


class _Notes:
    """What a performer noted, and the outcome that is made of it."""

    dry_run: bool

    def __init__(self, *, heed: Callable[[], None]) -> None:
        self.heed = heed
        self._changed: list[Change] = []
        self._failed: list[Failure] = []
        self._held: list[Held] = []

    def note(self, change: Change) -> None:
        """Note what has come about, or what would."""
        self._changed.append(change)

    def outcome(
        self,
        command: str,
        *,
        held: Sequence[Held] = (),
        facts: dict[str, int] | None = None,
        plan: Decision | None = None,
    ) -> Outcome:
        """Return what was noted so far."""
        return Outcome(
            command=command,
            dry_run=self.dry_run,
            changed=tuple(self._changed),
            failed=tuple(self._failed),
            held=(*held, *self._held),
            facts=facts or {},
            plan=plan,
        )


class DoerOf(_Notes, Generic[W_co]):
    """Does each effect with the means it was given; `heed` raises what ends the pass.

    `begins` is told of each before it begins, for somebody who watches.
    """

    dry_run = False

    def __init__(
        self, writes: W_co, *, heed: Callable[[], None], begins: Callable[[Change], None] = lambda _: None
    ) -> None:
        super().__init__(heed=heed)
        self._writes = writes
        self._begins = begins

    def __call__(self, change: Change, effect: Callable[[W_co], object]) -> bool:
        """Do one effect; note it as changed, failed or held."""
        self.heed()
        self._begins(change)
        try:
            effect(self._writes)
        except ItemError as error:
            self._failed.append(Failure(change.action, change.target, str(error)))
            return False
        except (IllegalMoveError, ConflictError) as error:
            self._held.append(Held("changed meanwhile", str(error)))
            return False
        self.note(change)
        return True

    def quietly(self, effect: Callable[[W_co], object]) -> None:
        """Do one effect without noting it."""
        self.heed()
        effect(self._writes)


class Doer(DoerOf[FarmWrites]):
    """Does the effects of a pass upon the farm."""

    def in_any_case(self, effect: Effect) -> None:
        """Do one effect without heeding anything, and without noting it."""
        effect(self._writes)

    def as_one(self, steps: Sequence[tuple[Change, Effect]]) -> None:
        """Do effects within one `together`; if that fails as a whole, none of them counts as done."""
        done = len(self._changed)
        try:
            with self._writes.together():
                for change, effect in steps:
                    self(change, effect)
        except BaseException:
            del self._changed[done:]
            raise

    def together(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Let tasks run on threads."""
        if not tasks:
            return
        with ThreadPoolExecutor(max_workers=min(PARALLEL, len(tasks)), thread_name_prefix="effects") as threads:
            for done in [threads.submit(task) for task in tasks]:
                done.result()


class RehearsalOf(_Notes, Generic[W_co]):
    """Lists each effect and does none: it was given nothing to do them with."""

    dry_run = True

    def __call__(self, change: Change, effect: Callable[[W_co], object]) -> bool:  # noqa: ARG002 - it is not done
        """Note the effect as what would be changed."""
        self.heed()
        self.note(change)
        return True

    def quietly(self, effect: Callable[[W_co], object]) -> None:
        """Nothing: nobody would be told of it."""


class Rehearsal(RehearsalOf[FarmWrites]):
    """Lists the effects of a pass upon the farm."""

    def in_any_case(self, effect: Effect) -> None:
        """Nothing: nothing was done that it could follow from."""

    def as_one(self, steps: Sequence[tuple[Change, Effect]]) -> None:
        """Note each effect."""
        for change, effect in steps:
            self(change, effect)

    def together(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Let tasks run one after the other."""
        for task in tasks:
            task()
