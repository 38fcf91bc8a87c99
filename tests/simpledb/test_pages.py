"""Results by pages: of items, of counts, of domains."""

# ruff: noqa: S608 - what is put together here is SimpleDB's, of these tests

from typing import TYPE_CHECKING

import pytest

from tests.simpledb.asking import ask, refused
from tests.simpledb.server import SimpleDB

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient


@pytest.fixture(autouse=True)
def _items(server: SimpleDB) -> None:
    for number in range(250):
        server.put("mydomain", f"item{number:03}", {"n": f"{number:03}", "group": str(number % 3)})


def pages(sdb: "SimpleDBClient", expression: str) -> list[list[str]]:
    page = sdb.select(SelectExpression=expression)
    found = [[item["Name"] for item in page["Items"]]]
    while "NextToken" in page:
        page = sdb.select(SelectExpression=expression, NextToken=page["NextToken"])
        found.append([item["Name"] for item in page["Items"]])
    return found


def test_a_page_has_a_hundred_items_unless_a_limit_says_otherwise(sdb: "SimpleDBClient") -> None:
    usual = pages(sdb, "select * from mydomain")
    small = pages(sdb, "select * from mydomain limit 99")
    large = pages(sdb, "select * from mydomain limit 2500")

    assert [len(page) for page in usual] == [100, 100, 50]
    assert [len(page) for page in small] == [99, 99, 52]
    assert [len(page) for page in large] == [250]
    assert {name for page in usual for name in page} == {f"item{number:03}" for number in range(250)}


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_follow_the_order(sdb: "SimpleDBClient", direction: str) -> None:
    expression = f"select n from mydomain where group = '1' and n is not null order by n {direction} limit 30"

    found = [name for page in pages(sdb, expression) for name in page]

    assert found == sorted((f"item{number:03}" for number in range(1, 250, 3)), reverse=direction == "desc")


def test_without_an_order_none_can_be_relied_on(sdb: "SimpleDBClient") -> None:
    found = [name for page in pages(sdb, "select n from mydomain") for name in page]

    assert found != sorted(found)


def test_an_item_that_goes_between_two_pages_moves_no_other(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    first = sdb.select(SelectExpression="select n from mydomain limit 100")
    server.delete("mydomain", first["Items"][0]["Name"])

    rest = sdb.select(SelectExpression="select n from mydomain limit 2500", NextToken=first["NextToken"])

    assert len(rest["Items"]) == 150


def test_an_answer_is_of_a_megabyte_at_most(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    for number in range(150):
        server.put("large", str(number), {f"a{attribute}": "x" * 1024 for attribute in range(10)})

    found = pages(sdb, "select * from large limit 2500")

    assert [len(page) for page in found] == [97, 53]


def test_a_count_knows_no_pages_but_those_of_its_limit(sdb: "SimpleDBClient") -> None:
    whole = sdb.select(SelectExpression="select count(*) from mydomain")
    part = sdb.select(SelectExpression="select count(*) from mydomain limit 4")
    more = sdb.select(SelectExpression="select count(*) from mydomain limit 5000")

    assert whole["Items"] == [{"Name": "Domain", "Attributes": [{"Name": "Count", "Value": "250"}]}]
    assert part["Items"] == [{"Name": "Domain", "Attributes": [{"Name": "Count", "Value": "4"}]}]
    assert "NextToken" not in whole
    assert "NextToken" not in more


def test_a_count_gives_a_token_for_the_items_that_follow(sdb: "SimpleDBClient") -> None:
    where = "from mydomain where group = '0' and n is not null order by n"
    counted = sdb.select(SelectExpression=f"select count(*) {where} limit 80")

    rest = sdb.select(SelectExpression=f"select n {where} limit 2", NextToken=counted["NextToken"])

    assert [item["Name"] for item in rest["Items"]] == ["item240", "item243"]


def test_a_token_of_another_question_is_refused(sdb: "SimpleDBClient") -> None:
    token = sdb.select(SelectExpression="select * from mydomain")["NextToken"]

    other = refused(lambda: sdb.select(SelectExpression="select * from mydomain where n > '1'", NextToken=token))
    none = [
        refused(lambda: sdb.select(SelectExpression="select * from mydomain", NextToken=text))  # noqa: B023
        for text in ("", "x", "bnVsbA==", token[4:])
    ]

    assert other == ("InvalidNextToken", 400)
    assert none == [("InvalidNextToken", 400)] * 4


def test_domains_are_listed_by_pages(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.clear()
    for name in ("Domain3", "Domain1-200706011651", "Domain2-200706011652"):
        sdb.create_domain(DomainName=name)

    first = sdb.list_domains(MaxNumberOfDomains=2)
    second = sdb.list_domains(MaxNumberOfDomains=2, NextToken=first["NextToken"])

    assert first["DomainNames"] == ["Domain1-200706011651", "Domain2-200706011652"]
    assert second["DomainNames"] == ["Domain3"]
    assert "NextToken" not in second
    assert refused(lambda: sdb.list_domains(NextToken="Domain3")) == ("InvalidNextToken", 400)


def test_a_page_is_xml_of_items_or_domains_and_a_token(server: SimpleDB) -> None:
    server.clear()
    server.put("Domain1-200706011651", "Item_03", {"Color": ["Blue", "Yellow"], "Size": "Large"})
    server.put("Domain2-200706011652", "x", {"Color": "Red"})

    _, found = ask(server, "Select", {"SelectExpression": "select * from `Domain1-200706011651` limit 1"})
    _, listed = ask(server, "ListDomains", {"MaxNumberOfDomains": "1"})

    metadata = "<ResponseMetadata><RequestId>ID</RequestId><BoxUsage>0.0000219907</BoxUsage></ResponseMetadata>"
    assert found == (
        '<?xml version="1.0"?>\n<SelectResponse xmlns="http://sdb.amazonaws.com/doc/2009-04-15/"><SelectResult>'
        "<Item><Name>Item_03</Name>"
        "<Attribute><Name>Color</Name><Value>Blue</Value></Attribute>"
        "<Attribute><Name>Color</Name><Value>Yellow</Value></Attribute>"
        "<Attribute><Name>Size</Name><Value>Large</Value></Attribute></Item>"
        f"</SelectResult>{metadata}</SelectResponse>"
    )
    assert listed.startswith(
        '<?xml version="1.0"?>\n<ListDomainsResponse xmlns="http://sdb.amazonaws.com/doc/2009-04-15/">'
        "<ListDomainsResult><DomainName>Domain1-200706011651</DomainName><NextToken>"
    )
    assert listed.endswith(f"</NextToken></ListDomainsResult>{metadata}</ListDomainsResponse>")
