"""What a pass found, did and could not do: one frozen record that every renderer and exit code is made from."""

from typing import TypeAlias

from msgspec import Struct

from nommerctl.domain.fleet import NodeId
from nommerctl.domain.times import Instant
from nommerctl.errors import ExitCode, NommerctlError


class Change(Struct, frozen=True):
    """One effect, done or (in a dry run) only listed: `action` upon `target` because of `reason`."""

    action: str
    target: str
    reason: str = ""


class Failure(Struct, frozen=True):
    """One effect that was tried and failed, with the sentence that says why."""

    action: str
    target: str
    message: str


class Held(Struct, frozen=True):
    """Something that would have been done but for `by` (a setting or a condition); `count` of them."""

    by: str
    reason: str
    count: int = 1


Inputs: TypeAlias = dict[str, int | float | str | None]
"""What a decision was made from: names and plain values, in the order in which a person reads them."""


class Decision(Struct, frozen=True, kw_only=True):
    """What scale decided at an instant: nodes to launch (an order repeated counts too), nodes to end, and why.

    `held` names what kept it from launching more.
    """

    at: Instant
    launch: int
    end: tuple[NodeId, ...]
    reasons: tuple[str, ...]
    inputs: Inputs
    held: tuple[str, ...] = ()


class Notice(Struct, frozen=True):
    """What every command is to say until the next pass, or an instant, whichever comes first; nothing if `text` is."""

    text: str = ""
    until: Instant | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """The result of one pass. `facts` is what it saw, in words and numbers, ready for JSON.

    `ended_by` is what ended the pass before its time (a limit, a signal, a store that is away), after the rest of it.
    `notice` is None if the pass found neither that there is something to say in every command, nor that there is not.
    """

    command: str
    dry_run: bool = False
    changed: tuple[Change, ...] = ()
    failed: tuple[Failure, ...] = ()
    held: tuple[Held, ...] = ()
    facts: dict[str, int] = {}
    plan: Decision | None = None
    notice: Notice | None = None
    ended_by: NommerctlError | None = None

    @property
    def eventful(self) -> bool:
        """Whether there is anything to tell somebody who did not ask."""
        return bool(self.changed or self.failed)

    def code(self, *, detailed: bool = False) -> ExitCode:
        """Return the exit code: that of what ended it, 3 if an item failed, 10 if `detailed` and anything changed."""
        if self.ended_by is not None:
            return self.ended_by.code
        if self.failed:
            return ExitCode.ITEMS_FAILED
        return ExitCode.CHANGED if detailed and self.changed else ExitCode.DONE
