"""What an expression of Select asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Subject:
    """What is compared: an attribute, or the item's name (None)."""

    name: str | None
    every: bool = False


@dataclass(frozen=True)
class Comparison:
    """`operator` is a sign or its words: `=`, `not like`, `between`, `in`, `is null`."""

    subject: Subject
    operator: str
    values: tuple[str, ...] = ()

    @property
    def is_of_values(self) -> bool:
        """Whether it looks at each value, not at whether there is one."""
        return not self.operator.startswith("is ")


@dataclass(frozen=True)
class Not:
    part: "Condition"


@dataclass(frozen=True)
class Chain:
    """Conditions joined by one word: `and`, `or`, `intersection`."""

    word: str
    parts: tuple["Condition", ...]


Condition: TypeAlias = Comparison | Not | Chain


@dataclass(frozen=True)
class Order:
    subject: Subject
    descending: bool


@dataclass(frozen=True)
class Selection:
    """`attributes` None are all of them, () none: only the names of items. No limit is said by None."""

    attributes: tuple[str, ...] | None
    counts: bool
    domain: str
    where: Condition | None
    order: Order | None
    limit: int | None


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Yield all comparisons of a condition."""
    match condition:
        case Comparison():
            yield condition
        case Not(part):
            yield from comparisons(part)
        case Chain(parts=parts):
            for part in parts:
                yield from comparisons(part)
