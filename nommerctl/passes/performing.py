"""The two performers of a pass: one does its effects, the other only lists them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from nommerctl.domain.outcome import Change, Decision, Failure, Held, Outcome
from nommerctl.errors import ConflictError, IllegalMoveError, ItemError, NommerctlError, UnansweredError
from nommerctl.passes.means import Chain, Effect, FarmWrites

PARALLEL = 8
"""How many groups of effects run side by side."""


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


class Doer(_Notes):
    """Does each effect with the means it was given; `heed` raises what ends the pass."""

    dry_run = False

    def __init__(self, writes: FarmWrites, *, heed: Callable[[], None]) -> None:
        super().__init__(heed=heed)
        self._writes = writes

    def __call__(self, change: Change, effect: Effect) -> bool:
        """Do one effect; note it as changed, failed or held."""
        return self._tried(change, effect) is None

    def _tried(self, change: Change, effect: Effect) -> NommerctlError | None:
        """Do one effect, note it, and return what kept it from being done."""
        self.heed()
        try:
            effect(self._writes)
        except ItemError as error:
            self._failed.append(Failure(change.action, change.target, str(error)))
            return error
        except (IllegalMoveError, ConflictError) as error:
            self._held.append(Held("changed meanwhile", str(error)))
            return error
        self.note(change)
        return None

    def quietly(self, effect: Effect) -> None:
        """Do one effect without noting it."""
        self.heed()
        effect(self._writes)

    def together(self, groups: Sequence[Sequence[Chain]]) -> None:
        """Do groups of chains on threads, until nobody answers a group."""
        if not groups:
            return
        with ThreadPoolExecutor(max_workers=min(PARALLEL, len(groups)), thread_name_prefix="effects") as threads:
            for done in [threads.submit(self._one_by_one, group) for group in groups]:
                done.result()

    def _one_by_one(self, group: Sequence[Chain]) -> None:
        for chain in group:
            tried = (self._tried(change, effect) for change, effect in chain)
            if isinstance(next((error for error in tried if error), None), UnansweredError):
                return


class Rehearsal(_Notes):
    """Lists each effect and does none: it was given nothing to do them with."""

    dry_run = True

    def __call__(self, change: Change, effect: Effect) -> bool:  # noqa: ARG002 - it is not done
        """Note the effect as what would be changed."""
        self.heed()
        self.note(change)
        return True

    def quietly(self, effect: Effect) -> None:
        """Nothing: nobody would be told of it."""

    def together(self, groups: Sequence[Sequence[Chain]]) -> None:
        """Note all effects of all groups, in order."""
        for change, effect in (step for group in groups for chain in group for step in chain):
            self(change, effect)
