"""Which items an expression of Select means, and in which order.

What is said of one attribute by comparisons that `and` and `or` join is asked of each of its values alone: an item is
meant if one value, or with every() each of them, is as all of it says. `intersection` asks each side on its own.
"""

import hashlib
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

from tests.simpledb.expressions import Chain, Comparison, Condition, Not, Selection, Subject

Item: TypeAlias = Mapping[str, frozenset[str]]

Place: TypeAlias = tuple[str, str]
"""Where an item stands among the others."""


def found(selection: Selection, items: Mapping[str, Item], after: Place | None = None) -> list[tuple[Place, str]]:
    """Return the place and the name of each item that is meant, in order, those after a place only.

    Without an order by, the order is one that looks like none, for none is promised; it is the same at each page.
    """
    descending = selection.order is not None and selection.order.descending
    return sorted(
        (
            (place, name)
            for name, item in _candidates(selection.where, items).items()
            if selection.where is None or matches(selection.where, name, item)
            if (place := _place(selection, name, item)) is not None
            if after is None or (place < after if descending else place > after)
        ),
        reverse=descending,
    )


def _candidates(where: Condition | None, items: Mapping[str, Item]) -> Mapping[str, Item]:
    """The items to look at: few, where the condition names them."""
    if isinstance(where, Comparison) and where.subject.name is None and where.operator in {"=", "in"}:
        return {name: items[name] for name in where.values if name in items}
    return items


def _place(selection: Selection, name: str, item: Item) -> Place | None:
    if selection.order is None:
        return hashlib.blake2b(name.encode(), digest_size=8).hexdigest(), name
    values = _values(selection.order.subject, name, item)
    if not values:
        return None
    return (max(values) if selection.order.descending else min(values)), name


def matches(condition: Condition, name: str, item: Item) -> bool:
    """Whether a condition holds for an item."""
    subject = _subject(condition)
    if subject is not None:
        return _hold_of_values(subject, [condition], name, item)
    match condition:
        case Not(part):
            return not matches(part, name, item)
        case Comparison(subject=compared):
            return bool(_values(compared, name, item)) is (condition.operator == "is not null")
        case Chain(word, parts):
            if word == "and":
                return _all_hold(condition, name, item)
            joined = any if word == "or" else all
            return joined(matches(part, name, item) for part in parts)


def _all_hold(chain: Chain, name: str, item: Item) -> bool:
    together: dict[Subject, list[Condition]] = {}
    for part in _flat(chain):
        subject = _subject(part)
        if subject is not None:
            together.setdefault(subject, []).append(part)
        elif not matches(part, name, item):
            return False
    return all(_hold_of_values(subject, conditions, name, item) for subject, conditions in together.items())


def _flat(chain: Chain) -> Iterator[Condition]:
    for part in chain.parts:
        if isinstance(part, Chain) and part.word == chain.word:
            yield from _flat(part)
        else:
            yield part


def _subject(condition: Condition) -> Subject | None:
    """The one subject whose values this condition looks at, if it is nothing more than that."""
    if isinstance(condition, Comparison):
        return condition.subject if condition.is_of_values else None
    if isinstance(condition, Not) or condition.word == "intersection":
        return None
    subjects = {_subject(part) for part in condition.parts}
    return subjects.pop() if len(subjects) == 1 else None


def _hold_of_values(subject: Subject, conditions: list[Condition], name: str, item: Item) -> bool:
    values = _values(subject, name, item)
    holding = (all(_holds(condition, value) for condition in conditions) for value in values)
    return bool(values) and all(holding) if subject.every else any(holding)


def _values(subject: Subject, name: str, item: Item) -> frozenset[str]:
    return frozenset({name}) if subject.name is None else item.get(subject.name, frozenset())


def _holds(condition: Condition, value: str) -> bool:
    """Whether a condition that has a subject holds for a value of it."""
    if isinstance(condition, Chain):
        holding = (_holds(part, value) for part in condition.parts)
        return all(holding) if condition.word == "and" else any(holding)
    assert isinstance(condition, Comparison)
    return _OPERATORS[condition.operator](value, *condition.values)


@lru_cache
def _pattern(like: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in like.split("%")), re.DOTALL)


_OPERATORS: Mapping[str, Callable[..., bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,  # by code points, which is the order of UTF-8 too
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, *values: value in values,
    "between": lambda value, low, high: low <= value <= high,
    "like": lambda value, like: _pattern(like).fullmatch(value) is not None,
    "not like": lambda value, like: _pattern(like).fullmatch(value) is None,
}
