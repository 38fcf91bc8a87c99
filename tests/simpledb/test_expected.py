"""Conditional puts and deletes, by the guide's examples and its list of errors."""

from typing import TYPE_CHECKING

import pytest

from tests.simpledb.asking import ask, ask_form, refused
from tests.simpledb.server import SimpleDB

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient
    from types_boto3_sdb.type_defs import UpdateConditionTypeDef

DOMAIN = "MyDomain"

FEZ = {"quantity": "15", "color": ["red", "brick"]}


@pytest.fixture(autouse=True)
def _fez(server: SimpleDB) -> None:
    server.put(DOMAIN, "JumboFez", FEZ)


def sell(sdb: "SimpleDBClient", expected: "UpdateConditionTypeDef") -> None:
    sdb.put_attributes(
        DomainName=DOMAIN,
        ItemName="JumboFez",
        Attributes=[{"Name": "quantity", "Value": "14", "Replace": True}],
        Expected=expected,
    )


def test_of_two_who_expect_the_same_value_one_succeeds(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    sell(sdb, {"Name": "quantity", "Value": "15"})
    second = refused(lambda: sell(sdb, {"Name": "quantity", "Value": "15"}))

    assert second == ("ConditionalCheckFailed", 409)
    assert server.items(DOMAIN)["JumboFez"]["quantity"] == {"14"}


HELD: "list[UpdateConditionTypeDef]" = [
    {"Name": "quantity", "Value": "15"},
    {"Name": "quantity", "Value": "15", "Exists": True},
    {"Name": "sold", "Exists": False},
]


@pytest.mark.parametrize("expected", HELD)
def test_a_condition_that_holds_lets_the_put_and_the_delete_be(
    server: SimpleDB, sdb: "SimpleDBClient", expected: "UpdateConditionTypeDef"
) -> None:
    sell(sdb, {"Name": "sold", "Exists": False})
    server.put(DOMAIN, "JumboFez", FEZ)
    sell(sdb, expected)
    put = server.items(DOMAIN)["JumboFez"]["quantity"]
    server.put(DOMAIN, "JumboFez", FEZ)
    sdb.delete_attributes(DomainName=DOMAIN, ItemName="JumboFez", Expected=expected)

    assert put == {"14"}
    assert server.items(DOMAIN) == {}


FAILING: "list[tuple[UpdateConditionTypeDef, tuple[str, int]]]" = [
    ({"Name": "quantity", "Value": "14"}, ("ConditionalCheckFailed", 409)),
    ({"Name": "quantity", "Value": "14", "Exists": True}, ("ConditionalCheckFailed", 409)),
    ({"Name": "quantity", "Exists": False}, ("ConditionalCheckFailed", 409)),
    ({"Name": "color", "Exists": False}, ("ConditionalCheckFailed", 409)),
    ({"Name": "sold", "Value": "1"}, ("AttributeDoesNotExist", 404)),
    ({"Name": "color", "Value": "red"}, ("MultiValuedAttribute", 409)),
    ({"Name": "quantity"}, ("IncompleteExpectedExpression", 400)),
    ({"Name": "quantity", "Exists": True}, ("IncompleteExpectedExpression", 400)),
    ({"Name": "quantity", "Value": "15", "Exists": False}, ("ExistsAndExpectedValue", 400)),
    ({"Value": "15"}, ("MissingParameter", 400)),
    ({"Name": "", "Value": "15"}, ("InvalidParameterValue", 400)),
]


@pytest.mark.parametrize(("expected", "error"), FAILING)
def test_a_condition_that_fails_leaves_all_as_it_was(
    server: SimpleDB, sdb: "SimpleDBClient", expected: "UpdateConditionTypeDef", error: tuple[str, int]
) -> None:
    put = refused(lambda: sell(sdb, expected))
    delete = refused(lambda: sdb.delete_attributes(DomainName=DOMAIN, ItemName="JumboFez", Expected=expected))

    assert put == error
    assert delete == error
    assert server.items(DOMAIN) == {"JumboFez": {"quantity": {"15"}, "color": {"red", "brick"}}}


def test_an_item_that_is_not_there_has_no_attribute_to_expect(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    gone = refused(
        lambda: sdb.put_attributes(
            DomainName=DOMAIN,
            ItemName="MicroFez",
            Attributes=[{"Name": "quantity", "Value": "0"}],
            Expected={"Name": "quantity", "Value": "1"},
        )
    )

    assert gone == ("AttributeDoesNotExist", 404)
    assert list(server.items(DOMAIN)) == ["JumboFez"]


@pytest.mark.parametrize("number", ["", "1."])
def test_the_condition_may_have_a_number_but_is_only_one(server: SimpleDB, number: str) -> None:
    fields = {
        "DomainName": DOMAIN,
        "ItemName": "PetiteFez",
        "Attribute.0.Name": "quantity",
        "Attribute.0.Value": "144",
        f"Expected.{number}Name": "quantity",
        f"Expected.{number}Exists": "false",
    }

    first = ask(server, "PutAttributes", fields)
    second = ask(server, "PutAttributes", fields)
    two = ask(server, "PutAttributes", fields | {"Expected.2.Name": "color", "Expected.2.Exists": "false"})

    assert first[0] == 200
    assert second[0] == 409
    assert "<Message>Conditional check failed. Attribute (quantity) value exists.</Message>" in second[1]
    assert (two[0], "<Code>MultipleExpectedNames</Code>" in two[1]) == (400, True)


@pytest.mark.parametrize(
    ("field", "code"), [("Value", "MultipleExpectedValues"), ("Exists", "MultipleExistsConditions")]
)
def test_a_condition_has_each_of_its_parts_once(server: SimpleDB, field: str, code: str) -> None:
    form = (
        "Action=DeleteAttributes&DomainName=MyDomain&ItemName=JumboFez&AWSAccessKeyId=a&Signature=a&SignatureVersion=2"
        f"&SignatureMethod=a&Timestamp=a&Version=2009-04-15&Expected.Name=a&Expected.1.{field}=true"
        f"&Expected.2.{field}=true"
    )

    status, text = ask_form(server, form)

    assert status == 400
    assert f"<Code>{code}</Code>" in text


def test_what_is_neither_true_nor_false_is_refused(server: SimpleDB) -> None:
    fields = {"DomainName": DOMAIN, "ItemName": "JumboFez", "Expected.Name": "sold", "Expected.Exists": "no"}

    status, text = ask(server, "DeleteAttributes", fields)

    assert status == 400
    assert "<Code>InvalidParameterValue</Code><Message>Value (no) for parameter Exists is invalid." in text
