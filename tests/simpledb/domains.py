"""Domains and what is in them: writes, their conditions and limits, and reads that may be behind."""

import re
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tests.simpledb.matching import Item
from tests.simpledb.refusals import RefusedError, invalid

MOST_DOMAINS = 100
MOST_PAIRS = 256
"""Of a name and a value: in an item, and in what is put into one at a time."""
LONGEST = 1024
"""Bytes of UTF-8 of a name or a value."""

UNTIL_SETTLED = sys.maxsize
"""A lag: reads see nothing that has been written since the last time that all was settled."""

_DOMAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")


class Pair(NamedTuple):
    """A name and value to put or delete. Without a value, all values of the name are meant."""

    name: str
    value: str | None
    replace: bool = False


class Expected(NamedTuple):
    """What must be so for a write: the attribute has this one value, or (None) does not exist."""

    name: str
    value: str | None


class _Write(NamedTuple):
    domain: str
    before: Mapping[str, Item | None]


class Domains:
    """Domains by name. `lag` is how many writes a read that is not consistent is behind."""

    def __init__(self) -> None:
        self.lag = 0
        self._domains: dict[str, dict[str, Item]] = {}
        self._unsettled: deque[_Write] = deque()

    def create(self, name: str) -> None:
        """Create a domain, if there is none of that name."""
        if not _DOMAIN_NAME.fullmatch(name):
            raise invalid(name, "DomainName", "")
        if name not in self._domains and len(self._domains) >= MOST_DOMAINS:
            raise RefusedError(code="NumberDomainsExceeded", message="The domain limit was exceeded.")
        self._domains.setdefault(name, {})

    def delete_domain(self, name: str) -> None:
        """Delete a domain, if there is one of that name."""
        self._domains.pop(name, None)

    def names(self) -> list[str]:
        """The names of all domains, sorted."""
        return sorted(self._domains)

    def items(self, domain: str, *, consistent: bool) -> Mapping[str, Item]:
        """Return what a read of a domain sees."""
        items = self._domain(domain)
        if consistent or not self.lag:
            return items
        items = dict(items)
        for write in list(reversed(self._unsettled))[: self.lag]:
            if write.domain == domain:
                for name, item in write.before.items():
                    _set(items, name, item)
        return items

    def settle(self) -> None:
        """Let all reads see all that has been written."""
        self._unsettled.clear()

    def put(self, domain: str, puts: Mapping[str, Sequence[Pair]], expected: Expected | None = None) -> None:
        """Put attributes into items, into all of them or none."""
        for name, pairs in puts.items():
            _check_name("ItemName", name)
            _check_pairs(pairs)
            if len(pairs) > MOST_PAIRS:
                msg = f"Too many attributes for item {name} in a single call. Up to 256 attributes per call allowed."
                raise RefusedError(code="NumberSubmittedAttributesExceeded", message=msg)
        items = self._domain(domain)
        self._check(items, puts, expected)
        changed = {name: _with(items.get(name, {}), pairs) for name, pairs in puts.items()}
        if any(sum(map(len, item.values())) > MOST_PAIRS for item in changed.values()):
            raise RefusedError(code="NumberItemAttributesExceeded", message="Too many attributes in this item.")
        self._write(domain, changed)

    def delete(self, domain: str, deletes: Mapping[str, Sequence[Pair]], expected: Expected | None = None) -> None:
        """Delete attributes of items, or values of them, or (without any) the items."""
        for name, pairs in deletes.items():
            _check_name("ItemName", name)
            _check_pairs(pairs)
        items = self._domain(domain)
        self._check(items, deletes, expected)
        self._write(domain, {name: _without(items.get(name, {}), pairs) for name, pairs in deletes.items()})

    def _domain(self, name: str) -> dict[str, Item]:
        if name not in self._domains:
            raise RefusedError(code="NoSuchDomain", message="The specified domain does not exist.")
        return self._domains[name]

    def _check(self, items: Mapping[str, Item], names: Iterable[str], expected: Expected | None) -> None:
        if expected is not None:
            (name,) = names
            _check_expected(items.get(name, {}).get(expected.name, frozenset()), expected)

    def _write(self, domain: str, changed: Mapping[str, Item | None]) -> None:
        items = self._domains[domain]
        if self.lag:
            self._unsettled.append(_Write(domain, {name: items.get(name) for name in changed}))
        else:
            self._unsettled.clear()
        for name, item in changed.items():
            _set(items, name, item)


def _set(items: dict[str, Item], name: str, item: Item | None) -> None:
    if item:
        items[name] = item
    else:
        items.pop(name, None)


def _with(item: Item, pairs: Sequence[Pair]) -> Item:
    """Add values; those of a name that anything replaces go first, so that all of one call stay."""
    replaced = {pair.name for pair in pairs if pair.replace}
    made = {name: values for name, values in item.items() if name not in replaced}
    for pair in pairs:
        assert pair.value is not None
        made[pair.name] = made.get(pair.name, frozenset()) | {pair.value}
    return made


def _without(item: Item, pairs: Sequence[Pair]) -> Item:
    if not pairs:
        return {}
    whole = {pair.name for pair in pairs if pair.value is None}
    gone = {(pair.name, pair.value) for pair in pairs}
    left = {
        name: frozenset(value for value in values if (name, value) not in gone)
        for name, values in item.items()
        if name not in whole
    }
    return {name: values for name, values in left.items() if values}


def _check_expected(values: frozenset[str], expected: Expected) -> None:
    name, wanted = expected
    if wanted is None:
        if values:
            msg = f"Conditional check failed. Attribute ({name}) value exists."
            raise RefusedError(code="ConditionalCheckFailed", message=msg)
        return
    if not values:
        raise RefusedError(code="AttributeDoesNotExist", message=f"Attribute ({name}) does not exist.")
    if len(values) > 1:
        msg = (
            f"Attribute ({name}) is multi-valued. Conditional check can only be performed on a single-valued attribute."
        )
        raise RefusedError(code="MultiValuedAttribute", message=msg)
    (value,) = values
    if value != wanted:
        msg = f"Conditional check failed. Attribute ({name}) value is ({value}) but was expected ({wanted})."
        raise RefusedError(code="ConditionalCheckFailed", message=msg)


def _check_pairs(pairs: Sequence[Pair]) -> None:
    for pair in pairs:
        _check_name("Name", pair.name)
        if pair.value is not None:
            _check_length("Value", pair.value)


def _check_name(parameter: str, name: str) -> None:
    if not name:
        raise invalid(name, parameter, f"The empty string is an illegal {_MEANT[parameter]} name.")
    _check_length(parameter, name)


_MEANT = {"ItemName": "item", "Name": "attribute"}


def _check_length(parameter: str, text: str) -> None:
    if len(text.encode()) > LONGEST:
        raise invalid(text, parameter, f"Value exceeds maximum length of {LONGEST}.")
