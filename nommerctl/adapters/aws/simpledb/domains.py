"""A domain of SimpleDB: reads that are whole and consistent, writes on one condition, pages until the end."""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient
    from types_boto3_sdb.type_defs import (
        AttributeTypeDef,
        DeleteAttributesRequestTypeDef,
        PutAttributesRequestTypeDef,
        ReplaceableAttributeTypeDef,
        UpdateConditionTypeDef,
    )

T = TypeVar("T")

Attributes: TypeAlias = Mapping[str, tuple[str, ...]]
"""The values of each attribute of an item, sorted: SimpleDB keeps them as a set."""

VALUE_BYTES = 1024
"""Of UTF-8, of one value, of the name of an attribute, and of that of an item."""

WRITTEN_AT_ONCE = 25
"""Items of one BatchPutAttributes, or BatchDeleteAttributes."""

NAMED_AT_ONCE = 20
"""Values that one `in` of a Select takes."""

PAGE = 2500
"""Items of one answer to a Select, which holds 1 MB at most."""

_NONCHARACTERS = "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))

UNHELD = re.compile(f"[\0-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]")
"""What is not to be written: XML does not hold it (section 2.2 of XML 1.1), or, as a carriage return, changes it."""

_IN_BASE64 = re.compile(rb'<(Name|Value) encoding="base64">([^<]*)</\1>')
_MARK = "\ue000base64\ue001"
"""Stands before what came in base64, so that it is decoded: botocore reads no attributes of XML. In use by nobody."""

_ESCAPED = f"{_MARK}="
"""Stands for the mark where a text begins with that as it is: base64 begins with no equals sign."""

_PLAIN_MARK = re.compile(rb"(<(?:Name|Value)>)" + _MARK.encode())

_NO_DOMAIN = "NoSuchDomain"
_CONDITION_FAILED = frozenset({"AttributeDoesNotExist", "ConditionalCheckFailed", "MultiValuedAttribute"})


class Expected(NamedTuple):
    """The one condition that a write may have: an attribute has this one value, or (None) is not there."""

    name: str
    value: str | None


class Tried(Enum):
    """What came of a conditional write.

    UNSURE is one that was refused when it was repeated: an earlier try may have been done, and its answer lost.
    """

    DONE = "done"
    REFUSED = "refused"
    UNSURE = "unsure"


def quoted(text: str) -> str:
    """Return a text as a value in a Select."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def named(name: str) -> str:
    """Return the name of a domain, or of an attribute, in a Select."""
    doubled = name.replace("`", "``")
    return f"`{doubled}`"


class Domain:
    """A domain. It may be used by several threads at once.

    One that is `ours` is made by the first write to it; until then it reads as an empty one. One that is not must be
    there: SettingsError.
    """

    def __init__(self, clients: Clients, name: str, *, ours: bool) -> None:
        self.name = name
        self._clients = clients
        self._ours = ours
        self._what = f"domain '{name}'"

    @cached_property
    def _sdb(self) -> "SimpleDBClient":
        client = self._clients.sdb
        events: Any = client.meta.events  # the stubs know no handlers that get the body
        events.register("before-parse.simpledb", _marked, unique_id="nommerctl-in-base64")
        return client

    def get(self, item: str) -> Attributes | None:
        """Return the attributes of an item as it is now, None if there is none."""

        def ask() -> Attributes:
            answer = self._sdb.get_attributes(DomainName=self.name, ItemName=item, ConsistentRead=True)
            return _attributes(answer.get("Attributes", []))

        return self._read("sdb:GetAttributes", ask) or None

    def get_many(self, items: Iterable[str]) -> dict[str, Attributes]:
        """Return those of up to NAMED_AT_ONCE items that there are, each as it is now, by one request."""
        names = ", ".join(quoted(item) for item in items)
        return dict(self.select(f"itemName() in ({names})")) if names else {}

    def select(
        self, where: str = "", *, order: str = "", limit: int = PAGE, what: str = "*"
    ) -> Iterator[tuple[str, Attributes]]:
        """Yield the items that an expression selects, as they are now, with `what` is asked for of their attributes.

        They come page by page, of up to `limit` items, until the end; in no order if none is given.
        """
        conditions = [f" where {where}"] if where else []
        orders = [f" order by {order}"] if order else []
        expression = "".join([f"select {what} from {named(self.name)}", *conditions, *orders, f" limit {limit}"])  # noqa: S608 - values are quoted where they are put in
        token = ""
        while True:

            def ask(token: str = token) -> tuple[list[tuple[str, Attributes]], str]:
                more = {"NextToken": token} if token else {}
                answer = self._sdb.select(SelectExpression=expression, ConsistentRead=True, **more)
                found = [
                    (_text(each["Name"]), _attributes(each.get("Attributes", []))) for each in answer.get("Items", [])
                ]
                return found, answer.get("NextToken", "")

            page, token = self._read("sdb:Select", ask) or ([], "")
            yield from page
            if not token:
                return

    def put(self, item: str, attributes: Mapping[str, str | Sequence[str]], expected: Expected | None = None) -> bool:
        """Write attributes of an item over what they were; return whether the condition held.

        When it did not, an earlier try of this very call may have been done, without an answer: read what stands.
        """
        return self.try_put(item, attributes, expected) is Tried.DONE

    def try_put(
        self, item: str, attributes: Mapping[str, str | Sequence[str]], expected: Expected | None = None
    ) -> Tried:
        """Write attributes of an item over what they were; return whether the condition held, or may have held."""
        asked: PutAttributesRequestTypeDef = {
            "DomainName": self.name,
            "ItemName": item,
            "Attributes": _replaced(attributes, replace=True),
        }
        if expected is not None:
            asked["Expected"] = _condition(expected)
        return self._write("sdb:PutAttributes", lambda: self._sdb.put_attributes(**asked))

    def put_batch(self, items: Mapping[str, Mapping[str, str | Sequence[str]]], *, replace: bool = True) -> None:
        """Write attributes of up to WRITTEN_AT_ONCE items, whatever they were, all or none.

        Without `replace` values are added to those that the attributes have.
        """

        def ask() -> None:
            self._sdb.batch_put_attributes(
                DomainName=self.name,
                Items=[
                    {"Name": name, "Attributes": _replaced(attributes, replace=replace)}
                    for name, attributes in items.items()
                ],
            )

        self._write("sdb:BatchPutAttributes", ask)

    def delete(self, item: str, expected: Expected | None = None) -> bool:
        """Delete an item; return whether the condition held, as for `put`."""
        asked: DeleteAttributesRequestTypeDef = {"DomainName": self.name, "ItemName": item}
        if expected is not None:
            asked["Expected"] = _condition(expected)
        return self._write("sdb:DeleteAttributes", lambda: self._sdb.delete_attributes(**asked)) is Tried.DONE

    def drop(self, item: str, attribute: str, values: Iterable[str]) -> None:
        """Take values from an attribute of an item, those that it has; no error if it has none of them."""
        asked: DeleteAttributesRequestTypeDef = {
            "DomainName": self.name,
            "ItemName": item,
            "Attributes": [{"Name": attribute, "Value": value} for value in values],
        }
        self._write("sdb:DeleteAttributes", lambda: self._sdb.delete_attributes(**asked))

    def delete_batch(self, items: Sequence[str]) -> None:
        """Delete up to WRITTEN_AT_ONCE items, whatever they are; no error if they are gone."""

        def ask() -> None:
            self._sdb.batch_delete_attributes(DomainName=self.name, Items=[{"Name": name} for name in items])

        self._write("sdb:BatchDeleteAttributes", ask)

    def _read(self, action: str, ask: Callable[[], T]) -> T | None:
        """Return what is answered; None if the domain is ours, and not there yet."""
        with calling(action, self._what):
            try:
                return ask()
            except ClientError as error:
                if not self._ours or code_of(error) != _NO_DOMAIN:
                    raise
                return None

    def _write(self, action: str, ask: Callable[[], object]) -> Tried:
        """Write; a domain of ours that is not there is made first."""
        tried = self._tried(action, ask)
        if tried is not None:
            return tried
        with calling("sdb:CreateDomain", self._what):
            self._sdb.create_domain(DomainName=self.name)
        return self._tried(action, ask, made=True) or Tried.REFUSED

    def _tried(self, action: str, ask: Callable[[], object], *, made: bool = False) -> Tried | None:
        """Return what comes of a write; None if the domain is ours, and not there yet."""
        with calling(action, self._what):
            try:
                ask()
            except ClientError as error:
                if code_of(error) in _CONDITION_FAILED:
                    repeated = error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                    return Tried.UNSURE if repeated else Tried.REFUSED
                if made or not self._ours or code_of(error) != _NO_DOMAIN:
                    raise
                return None
            return Tried.DONE


def _marked(response_dict: dict[str, Any], **_: object) -> None:
    """Mark what is in base64 in an answer."""
    if _MARK.encode() in response_dict["body"]:
        response_dict["body"] = _PLAIN_MARK.sub(rb"\1" + _ESCAPED.encode(), response_dict["body"])
    if b' encoding="base64">' in response_dict["body"]:
        response_dict["body"] = _IN_BASE64.sub(rb"<\1>" + _MARK.encode() + rb"\2</\1>", response_dict["body"])


def _text(found: str) -> str:
    if not found.startswith(_MARK):
        return found
    if found.startswith(_ESCAPED):
        return _MARK + found.removeprefix(_ESCAPED)
    try:
        return base64.b64decode(found.removeprefix(_MARK)).decode(errors="replace")
    except ValueError:  # a mark of somebody else's, written as a reference to its characters
        return found


def _attributes(found: "Sequence[AttributeTypeDef]") -> Attributes:
    values: dict[str, list[str]] = {}
    for each in found:
        values.setdefault(_text(each["Name"]), []).append(_text(each["Value"]))
    return {name: tuple(sorted(each)) for name, each in values.items()}


def _replaced(attributes: Mapping[str, str | Sequence[str]], *, replace: bool) -> "list[ReplaceableAttributeTypeDef]":
    return [
        {"Name": name, "Value": value, "Replace": replace}
        for name, values in attributes.items()
        for value in ([values] if isinstance(values, str) else values)
    ]


def _condition(expected: Expected) -> "UpdateConditionTypeDef":
    if expected.value is None:
        return {"Name": expected.name, "Exists": False}
    return {"Name": expected.name, "Value": expected.value, "Exists": True}
