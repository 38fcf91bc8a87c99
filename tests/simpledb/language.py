"""The language of Select: reads an expression, and refuses what is none or asks for too much.

`not` binds closest, then `and`, `or`, and last `intersection`: the guide does not say, and SQL has it so for the first
three; `intersection` came from an older language whose predicates it joined whole.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.simpledb.expressions import Chain, Comparison, Condition, Not, Order, Selection, Subject, comparisons
from tests.simpledb.refusals import RefusedError, invalid

DEFAULT_LIMIT = 100
MOST_ITEMS = 2500
MOST_PREDICATES = 20
"""Attributes that an expression compares, and comparisons in it; each value of an `in` is one."""
MOST_ATTRIBUTES = 256

_RESERVED = frozenset(
    {
        "or",
        "and",
        "not",
        "from",
        "where",
        "select",
        "like",
        "null",
        "is",
        "order",
        "by",
        "asc",
        "desc",
        "in",
        "between",
        "intersection",
        "limit",
        "every",
    }
)

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<value>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<quoted>`(?:[^`]|``)+`)
      | (?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
      | (?P<number>[0-9]+)
      | (?P<sign><=|>=|!=|[=<>(),*])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


def read(expression: str) -> Selection:
    """Read an expression.

    Raises:
        RefusedError: it is none, or asks for more than SimpleDB gives.
    """
    selection = _Reader(expression).selection()
    compared = [] if selection.where is None else list(comparisons(selection.where))
    _check_size(compared)
    if selection.attributes and len(selection.attributes) > MOST_ATTRIBUTES:
        raise RefusedError(code="TooManyRequestedAttributes", message="Too many attributes requested.")
    if selection.limit is not None and (selection.limit < 1 or (selection.limit > MOST_ITEMS and not selection.counts)):
        raise invalid(str(selection.limit), "MaxNumberOfItems", "MaxNumberOfItems must be between 1 and 2500.")
    _check_order(selection.order, compared)
    return selection


def _check_size(compared: list[Comparison]) -> None:
    if len({comparison.subject.name for comparison in compared}) > MOST_PREDICATES:
        raise RefusedError(code="InvalidNumberPredicates", message="Too many predicates in the query expression.")
    if sum(len(each.values) if each.operator == "in" else 1 for each in compared) > MOST_PREDICATES:
        raise RefusedError(
            code="InvalidNumberValueTests", message="Too many value tests per predicate in the query expression."
        )


def _check_order(order: Order | None, compared: list[Comparison]) -> None:
    if order is None:
        return
    if not any(each.subject.name == order.subject.name and each.operator != "is null" for each in compared):
        msg = (
            "The sort attribute must be present in at least one of the predicates, and the predicate cannot contain"
            " the is null operator."
        )
        raise RefusedError(code="InvalidSortExpression", message=msg)


class _Token(NamedTuple):
    kind: str
    text: str


class _Reader:
    def __init__(self, expression: str) -> None:
        self._tokens = list(_tokens(expression))
        self._at = 0

    def selection(self) -> Selection:
        self._expect("select")
        attributes, counts = self._output()
        self._expect("from")
        domain = self._name()
        where = self._condition() if self._takes("where") else None
        order = self._order() if self._takes("order") else None
        limit = int(self._of_kind("number")) if self._takes("limit") else None
        self._of_kind("end")
        return Selection(attributes, counts, domain, where, order, limit)

    def _output(self) -> tuple[tuple[str, ...] | None, bool]:
        if self._takes("*"):
            return None, False
        if self._calls("itemName"):
            return (), False
        if self._calls("count", "*"):
            return (), True
        names = [self._name()]
        while self._takes(","):
            names.append(self._name())
        return tuple(names), False

    def _order(self) -> Order:
        self._expect("by")
        subject = Subject(None) if self._calls("itemName") else Subject(self._name())
        descending = self._takes("desc")
        if not descending:
            self._takes("asc")
        return Order(subject, descending)

    def _condition(self) -> Condition:
        return self._chain("intersection", "or", "and")

    def _chain(self, word: str, *closer: str) -> Condition:
        parts = [self._chain(*closer) if closer else self._negation()]
        while self._takes(word):
            parts.append(self._chain(*closer) if closer else self._negation())
        return parts[0] if len(parts) == 1 else Chain(word, tuple(parts))

    def _negation(self) -> Condition:
        if self._takes("not"):
            return Not(self._negation())
        if self._takes("("):
            condition = self._condition()
            self._expect(")")
            return condition
        return self._comparison()

    def _comparison(self) -> Comparison:
        subject = self._subject()
        if self._takes("is"):
            operator = "is not null" if self._takes("not") else "is null"
            self._expect("null")
            return Comparison(subject, operator)
        if self._takes("between"):
            low = self._value()
            self._expect("and")
            return Comparison(subject, "between", (low, self._value()))
        if self._takes("in"):
            return Comparison(subject, "in", self._values())
        if self._takes("not"):
            self._expect("like")
            return Comparison(subject, "not like", (self._value(),))
        for operator in ("like", "=", "!=", "<=", ">=", "<", ">"):
            if self._takes(operator):
                return Comparison(subject, operator, (self._value(),))
        raise _not_understood()

    def _subject(self) -> Subject:
        if self._takes("every"):
            self._expect("(")
            subject = Subject(self._name(), every=True)
            self._expect(")")
            return subject
        return Subject(None) if self._calls("itemName") else Subject(self._name())

    def _values(self) -> tuple[str, ...]:
        self._expect("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _calls(self, function: str, *arguments: str) -> bool:
        """Whether the function is called here, which is then read; an attribute may have the name of one."""
        signs = ("(", *arguments, ")")
        following = tuple(token.text for token in self._tokens[self._at + 1 : self._at + 1 + len(signs)])
        called = self._tokens[self._at] == _Token("word", function) and following == signs
        if called:
            self._at += 1 + len(signs)
        return called

    def _takes(self, word: str) -> bool:
        kind, text = self._tokens[self._at]
        taken = kind in {"word", "sign"} and text.lower() == word
        if taken:
            self._at += 1
        return taken

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise _not_understood()

    def _name(self) -> str:
        kind, text = self._tokens[self._at]
        if kind == "quoted" or (kind == "word" and text.lower() not in _RESERVED):
            self._at += 1
            return text[1:-1].replace("``", "`") if kind == "quoted" else text
        raise _not_understood()

    def _value(self) -> str:
        quoted = self._of_kind("value")
        return quoted[1:-1].replace(quoted[0] * 2, quoted[0])

    def _of_kind(self, wanted: str) -> str:
        kind, text = self._tokens[self._at]
        if kind != wanted:
            raise _not_understood()
        self._at += 1
        return text


def _tokens(expression: str) -> Iterator[_Token]:
    at = 0
    kind = ""
    while kind != "end":
        found = _TOKEN.match(expression, at)
        if found is None or found.lastgroup is None:
            raise _not_understood()
        kind = found.lastgroup
        yield _Token(kind, found[kind])
        at = found.end()


def _not_understood() -> RefusedError:
    return RefusedError(code="InvalidQueryExpression", message="The specified query expression syntax is not valid.")
