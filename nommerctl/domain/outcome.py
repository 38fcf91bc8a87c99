"""What a pass found, did and could not do: one frozen record that every renderer and exit code is made from."""

from typing import Any

from msgspec import Struct


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


class Outcome(Struct, frozen=True, kw_only=True):
    """The result of one pass. `facts` is what it saw, in words and numbers, ready for JSON."""

    command: str
    dry_run: bool = False
    changed: tuple[Change, ...] = ()
    failed: tuple[Failure, ...] = ()
    held: tuple[Held, ...] = ()
    facts: dict[str, Any] = {}
    plan: dict[str, Any] | None = None

    @property
    def eventful(self) -> bool:
        """Whether there is anything to tell somebody who did not ask."""
        return bool(self.changed or self.failed)
