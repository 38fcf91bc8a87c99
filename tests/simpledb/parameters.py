"""The parameters of a request: a form, whose lists are numbered names like `Item.1.Attribute.2.Name`."""

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl

from tests.simpledb.domains import Expected, Pair
from tests.simpledb.refusals import RefusedError, invalid, missing

VERSION = "2009-04-15"

_SIGNED_BY = ("Signature", "SignatureVersion", "SignatureMethod", "Timestamp", "Version")

_EXPECTED = re.compile(r"Expected\.(?:\d+\.)?(Name|Value|Exists)")

_ATTRIBUTE_NAME = re.compile(r"AttributeName(?:\.\d+)?")

_SEVERAL = {
    "Name": ("MultipleExpectedNames", "Only one Expected.Name can be specified."),
    "Value": ("MultipleExpectedValues", "Only one Expected.Value can be specified."),
    "Exists": ("MultipleExistsConditions", "Only one Exists condition can be specified."),
}

Fields: TypeAlias = Mapping[str, str]


class Parameters:
    """What a request says. Nothing is looked up in any domain."""

    def __init__(self, form: str) -> None:
        try:
            self.pairs = parse_qsl(form, keep_blank_values=True, errors="strict")
        except UnicodeDecodeError as error:
            raise RefusedError(
                code="InvalidHttpRequest", message="The HTTP request is invalid. Reason: no UTF-8."
            ) from error
        self._values = dict(self.pairs)

    def get(self, name: str) -> str | None:
        return self._values.get(name)

    def required(self, name: str) -> str:
        """A parameter that must be there; it may be empty."""
        value = self._values.get(name)
        if value is None:
            raise missing(name)
        return value

    def flag(self, name: str) -> bool:
        return _flag(name, self._values.get(name, "false"))

    def check_signed(self) -> None:
        """Check that what signs a request is there; whether the signature is right is not asked."""
        if not self.get("AWSAccessKeyId"):
            msg = "AWS was not able to authenticate the request: access keys are missing."
            raise RefusedError(code="AuthMissingFailure", message=msg)
        for name in _SIGNED_BY:
            self.required(name)
        if self.get("Version") != VERSION:
            raise RefusedError(
                code="NoSuchVersion", message=f"The requested version ({self.get('Version')}) does not exist."
            )

    def attribute_names(self) -> list[str]:
        """The names of attributes that are asked for."""
        return [value for name, value in self.pairs if _ATTRIBUTE_NAME.fullmatch(name)]

    def puts(self) -> list[Pair]:
        """The attributes of a put."""
        pairs = [_put(fields) for _, fields in self._numbered("Attribute")]
        if not pairs:
            raise missing(parameter="Name")
        return pairs

    def deletes(self) -> list[Pair]:
        """The attributes of a delete: none are all."""
        return [_delete(fields) for _, fields in self._numbered("Attribute")]

    def item_puts(self) -> list[tuple[str, list[Pair]]]:
        """The items of a batch, in order."""
        puts = [(name, [_put(fields) for _, fields in self._numbered(prefix)]) for name, prefix in self._items()]
        for name, pairs in puts:
            if not pairs:
                raise RefusedError(code="MissingParameter", message=f"No attributes for item ='{name}'.")
        return puts

    def item_deletes(self) -> list[tuple[str, list[Pair]]]:
        """The items of a batch, in order."""
        return [(name, [_delete(fields) for _, fields in self._numbered(prefix)]) for name, prefix in self._items()]

    def expected(self) -> Expected | None:
        """The condition, if there is one."""
        fields: dict[str, str] = {}
        for name, value in self.pairs:
            found = _EXPECTED.fullmatch(name)
            if found is not None and found[1] in fields:
                raise RefusedError(*_SEVERAL[found[1]])
            if found is not None:
                fields[found[1]] = value
        if not fields:
            return None
        if "Name" not in fields:
            raise missing(parameter="Name")
        if not fields["Name"]:
            raise invalid(value="", parameter="Name", reason="The empty string is an illegal attribute name.")
        return _expected(fields["Name"], fields.get("Value"), exists=_flag("Exists", fields.get("Exists", "true")))

    def _items(self) -> Iterator[tuple[str, str]]:
        """The name of each item, and how the names of its attributes begin."""
        for number, fields in self._numbered("Item"):
            if "ItemName" not in fields:
                raise missing(parameter="ItemName")
            yield fields["ItemName"], f"Item.{number}.Attribute"

    def _numbered(self, prefix: str) -> list[tuple[int, Fields]]:
        """The fields that follow `prefix.1.`, `prefix.2.`, in the order of the numbers, which may begin anywhere."""
        found: dict[int, dict[str, str]] = {}
        for name, value in self.pairs:
            if name.startswith(f"{prefix}."):
                number, _, rest = name.removeprefix(f"{prefix}.").partition(".")
                if number.isdecimal():
                    found.setdefault(int(number), {})[rest] = value
        return sorted(found.items())


def _put(fields: Fields) -> Pair:
    name, value = fields.get("Name"), fields.get("Value")
    if name is None:
        raise RefusedError(code="MissingParameter", message=f"Attribute.Name missing for Attribute.Value='{value}'.")
    if value is None:
        raise RefusedError(code="MissingParameter", message=f"Attribute.Value missing for Attribute.Name='{name}'.")
    return Pair(name, value, replace=_flag("Replace", fields.get("Replace", "false")))


def _delete(fields: Fields) -> Pair:
    if "Name" not in fields:
        raise missing(parameter="Name")
    return Pair(fields["Name"], fields.get("Value"))


def _expected(name: str, value: str | None, *, exists: bool) -> Expected:
    if not exists and value is not None:
        msg = "Expected.Exists=false and Expected.Value cannot be specified together."
        raise RefusedError(code="ExistsAndExpectedValue", message=msg)
    if exists and value is None:
        msg = "If Expected.Exists=true or unspecified, then Expected.Value has to be specified."
        raise RefusedError(code="IncompleteExpectedExpression", message=msg)
    return Expected(name, value)


def _flag(name: str, value: str) -> bool:
    if value not in {"true", "false"}:
        raise invalid(value, name, f"The {name} flag should be either true or false.")
    return value == "true"
