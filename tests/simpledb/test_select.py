"""Select beyond the sample queries: its operators, quotes, errors and limits, and how results come by pages."""

# ruff: noqa: S608 - what is put together here is SimpleDB's, of these tests

from typing import TYPE_CHECKING

import pytest

from tests.simpledb.asking import refused
from tests.simpledb.server import SimpleDB

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient

CITIES: dict[str, dict[str, str | list[str]]] = {
    "1": {"city": "Seattle", "weight": "0034", "tag": ["rain", "port"]},
    "2": {"city": "Portland", "weight": "065"},
    "3": {"city": "São Paulo", "tag": "port"},
    "4": {"weight": "1", "Select": "x", "timestamp-1": "1194393601", "abc`123": "1"},
}


@pytest.fixture(autouse=True)
def _cities(server: SimpleDB) -> None:
    for name, attributes in CITIES.items():
        server.put("mydomain", name, attributes)


def names(sdb: "SimpleDBClient", expression: str) -> str:
    found = sdb.select(SelectExpression=expression, ConsistentRead=True).get("Items", [])
    return "".join(sorted(item["Name"] for item in found))


WHERE = {
    "city = 'Seattle' or city = 'Portland'": "12",
    "city != 'Seattle'": "23",
    "city != 'Seattle' and city != 'Portland'": "3",
    "weight >= '065'": "24",
    "weight <= '065'": "12",
    "city like 'S%'": "13",
    "city like '%land'": "2",
    "city like '%o P%'": "3",
    "city like 'Seattl'": "",
    "city like 'S_attle'": "",
    "city not like 'S%'": "2",
    "city in ('Seattle', 'São Paulo', 'Paris')": "13",
    "city is null": "4",
    "city is not null": "123",
    "itemName() = '3'": "3",
    "itemName() in ('1', '4', '5')": "14",
    "itemName() between '2' and '3'": "23",
    "tag != 'port'": "1",
    "every(tag) = 'port'": "3",
    "every(tag) != 'port'": "",
    "every(tag) = 'rain' or every(tag) = 'port'": "13",
    "not tag = 'port'": "24",
    "NOT (tag = 'port' or weight = '1')": "2",
    "tag = 'rain' and tag = 'port'": "",
    "(tag = 'rain') and (city = 'Seattle' and tag = 'port')": "",
    "tag = 'rain' intersection tag = 'port'": "1",
    "city = 'Seattle' and tag = 'port'": "1",
    "city = 'Seattle' or tag = 'port' and weight is null": "13",
    "(city = 'Seattle' or tag = 'port') and weight is null": "3",
    "city = 'Portland' or city = 'Seattle' intersection tag is not null": "1",
    "`timestamp-1` > '1194393600'": "4",
    "`abc``123` = '1'": "4",
    "`Select` = 'x'": "4",
    "city > 'Sz'": "3",
}


@pytest.mark.parametrize(("where", "found"), WHERE.items())
def test_a_condition_finds_items(sdb: "SimpleDBClient", where: str, found: str) -> None:
    assert names(sdb, f"select * from mydomain where {where}") == found


@pytest.mark.parametrize(
    "value", ["'He said, \"That''s the ticket!\"'", '"He said, ""That\'s the ticket!"""'], ids=["single", "double"]
)
def test_a_quote_within_quotes_of_its_kind_is_doubled(server: SimpleDB, sdb: "SimpleDBClient", value: str) -> None:
    server.put("mydomain", "5", {"attr1": 'He said, "That\'s the ticket!"'})

    assert names(sdb, f"select * from mydomain where attr1 = {value}") == "5"


def test_words_may_be_in_capitals_and_a_domain_in_backticks(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.put("a-domain.2", "x", {"a": "1"})

    assert names(sdb, "SELECT * FROM `a-domain.2` WHERE a = '1' ORDER BY a DESC LIMIT 5") == "x"


def test_an_output_may_be_the_attributes_that_are_named_or_only_names_of_items(sdb: "SimpleDBClient") -> None:
    some = sdb.select(SelectExpression="select weight, tag, none from mydomain where itemName() = '1'")["Items"]
    bare = sdb.select(SelectExpression="select itemName() from mydomain where itemName() = '1'")["Items"]

    assert some == [
        {
            "Name": "1",
            "Attributes": [
                {"Name": "weight", "Value": "0034"},
                {"Name": "tag", "Value": "port"},
                {"Name": "tag", "Value": "rain"},
            ],
        }
    ]
    assert [set(item) for item in bare] == [{"Name"}]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "select",
        "select * from",
        "select from mydomain",
        "select * from my-domain",
        "select * from mydomain where",
        "select * from mydomain where city",
        "select * from mydomain where city = Seattle",
        "select * from mydomain where city = 5",
        "select * from mydomain where city = 'Seattle",
        "select * from mydomain where 'city' = 'Seattle'",
        "select * from mydomain where timestamp-1 > '1'",
        "select * from mydomain where order = '1'",
        "select * from mydomain where city in ()",
        "select * from mydomain where city not in ('a')",
        "select * from mydomain where city between 'a'",
        "select * from mydomain where (city = 'a'",
        "select * from mydomain where city is 'a'",
        "select * from mydomain where itemname() = 'a'",
        "select * from mydomain where city = 'a' order city",
        "select * from mydomain limit",
        "select * from mydomain limit '5'",
        "select * from mydomain; select * from mydomain",
        "delete from mydomain",
    ],
)
def test_what_is_no_expression_is_refused(sdb: "SimpleDBClient", expression: str) -> None:
    assert refused(lambda: sdb.select(SelectExpression=expression)) == ("InvalidQueryExpression", 400)


def many(count: int) -> str:
    return ", ".join(f"'{number}'" for number in range(count))


REFUSED = {
    "select * from nodomain": "NoSuchDomain",
    "select * from mydomain limit 0": "InvalidParameterValue",
    "select * from mydomain limit 2501": "InvalidParameterValue",
    f"select * from mydomain where itemName() in ({many(21)})": "InvalidNumberValueTests",
    f"select * from mydomain where city = 'a' and itemName() in ({many(20)})": "InvalidNumberValueTests",
    "select * from mydomain where "
    + " or ".join(f"a{number} = 'x'" for number in range(21)): "InvalidNumberPredicates",
    "select " + ", ".join(f"a{number}" for number in range(257)) + " from mydomain": "TooManyRequestedAttributes",
    "select * from mydomain order by itemName()": "InvalidSortExpression",
    "select * from mydomain where city is null order by weight": "InvalidSortExpression",
    "select * from mydomain where weight is null order by weight": "InvalidSortExpression",
}


@pytest.mark.parametrize(("expression", "code"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_asks_for_too_much_is_refused(sdb: "SimpleDBClient", expression: str, code: str) -> None:
    assert refused(lambda: sdb.select(SelectExpression=expression)) == (code, 400)


def test_twenty_values_and_twenty_attributes_are_not_too_many(sdb: "SimpleDBClient") -> None:
    assert names(sdb, f"select * from mydomain where itemName() in ({many(20)})") == "1234"
    assert names(sdb, "select * from mydomain where " + " or ".join(f"a{each} = 'x'" for each in range(20))) == ""


def test_an_order_may_stand_beside_an_is_null_of_another_attribute(sdb: "SimpleDBClient") -> None:
    assert names(sdb, "select * from mydomain where weight is null and city is not null order by city") == "3"


def test_items_without_the_attribute_of_the_order_are_left_out(sdb: "SimpleDBClient") -> None:
    found = sdb.select(SelectExpression="select * from mydomain where city > 'P' or weight > '0' order by city desc")

    assert [item["Name"] for item in found["Items"]] == ["3", "1", "2"]
