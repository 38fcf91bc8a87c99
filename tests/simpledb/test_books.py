"""The sample queries of the guide's chapter on Select, over its sample data set, with the results that it documents.

The guide's `keyword` and `author` in some queries are written here as the data has them: names are case-sensitive.
"""

# ruff: noqa: S608 - what is put together here is SimpleDB's, of these tests

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.simpledb.server import SimpleDB

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient

BOOKS: dict[str, dict[str, str | list[str]]] = {
    "0385333498": {
        "Title": "The Sirens of Titan",
        "Author": "Kurt Vonnegut",
        "Year": "1959",
        "Pages": "00336",
        "Keyword": ["Book", "Paperback"],
        "Rating": ["*****", "5 stars", "Excellent"],
    },
    "0802131786": {
        "Title": "Tropic of Cancer",
        "Author": "Henry Miller",
        "Year": "1934",
        "Pages": "00318",
        "Keyword": "Book",
        "Rating": "****",
    },
    "1579124585": {
        "Title": "The Right Stuff",
        "Author": "Tom Wolfe",
        "Year": "1979",
        "Pages": "00304",
        "Keyword": ["Book", "Hardcover", "American"],
        "Rating": ["****", "4 stars"],
    },
    "B000T9886K": {
        "Title": "In Between",
        "Author": "Paul Van Dyk",
        "Year": "2007",
        "Keyword": ["CD", "Trance"],
        "Rating": "4 stars",
    },
    "B00005JPLW": {
        "Title": "300",
        "Author": "Zack Snyder",
        "Year": "2007",
        "Keyword": ["DVD", "Action", "Frank Miller"],
        "Rating": ["***", "3 stars", "Not bad"],
    },
    "B000SF3NGK": {
        "Title": "Heaven's Gonna Burn Your Eyes",
        "Author": "Thievery Corporation",
        "Year": "2002",
        "Rating": "*****",
    },
}

QUERIES = {
    "Title = 'The Right Stuff'": {"1579124585"},
    "Year > '1985'": {"B000T9886K", "B00005JPLW", "B000SF3NGK"},
    "Rating like '****%'": {"0385333498", "1579124585", "0802131786", "B000SF3NGK"},
    "Pages < '00320'": {"1579124585", "0802131786"},
    "Year > '1975' and Year < '2008'": {"1579124585", "B000T9886K", "B00005JPLW", "B000SF3NGK"},
    "Year between '1975' and '2008'": {"1579124585", "B000T9886K", "B00005JPLW", "B000SF3NGK"},
    "Rating = '***' or Rating = '*****'": {"0385333498", "B00005JPLW", "B000SF3NGK"},
    "(Year > '1950' and Year < '1960') or Year like '193%' or Year = '2007'": {
        "0385333498",
        "0802131786",
        "B000T9886K",
        "B00005JPLW",
    },
    "Rating = '4 stars' or Rating = '****'": {"1579124585", "0802131786", "B000T9886K"},
    "Keyword = 'Book' and Keyword = 'Hardcover'": set(),
    "every(Keyword) in ('Book', 'Paperback')": {"0385333498", "0802131786"},
    "Rating = '****'": {"0802131786", "1579124585"},
    "every(Rating) = '****'": {"0802131786"},
    "Keyword = 'Book' intersection Keyword = 'Hardcover'": {"1579124585"},
}

SORTED = {
    "where Year < '1980' order by Year asc": ["0802131786", "0385333498", "1579124585"],
    "where Year < '1980' order by Year": ["0802131786", "0385333498", "1579124585"],
    "where Year = '2007' intersection Author is not null order by Author desc": ["B00005JPLW", "B000T9886K"],
    "where Year < '1980' order by Year limit 2": ["0802131786", "0385333498"],
    "where itemName() like 'B000%' order by itemName()": ["B00005JPLW", "B000SF3NGK", "B000T9886K"],
}


@pytest.fixture(autouse=True)
def _books(server: SimpleDB) -> None:
    for name, attributes in BOOKS.items():
        server.put("mydomain", name, attributes)


@pytest.mark.parametrize(("where", "names"), QUERIES.items())
def test_a_sample_query_finds_what_the_guide_says(sdb: "SimpleDBClient", where: str, names: set[str]) -> None:
    found = sdb.select(SelectExpression=f"select * from mydomain where {where}").get("Items", [])

    assert {item["Name"] for item in found} == names


@pytest.mark.parametrize(("rest", "names"), SORTED.items())
def test_a_sorted_sample_query_has_the_order_that_the_guide_says(
    sdb: "SimpleDBClient", rest: str, names: list[str]
) -> None:
    found = sdb.select(SelectExpression=f"select itemName() from mydomain {rest}")["Items"]

    assert [item["Name"] for item in found] == names


def test_an_order_by_what_no_predicate_is_about_is_an_error(sdb: "SimpleDBClient") -> None:
    with pytest.raises(ClientError, match="InvalidSortExpression"):
        sdb.select(SelectExpression="select * from mydomain order by Year asc")


@pytest.mark.parametrize(
    ("rest", "count"),
    [("where Title = 'The Right Stuff'", "1"), ("where Year > '1985'", "3"), ("limit 500", "6"), ("limit 4", "4")],
)
def test_a_sample_count_is_what_the_guide_says(sdb: "SimpleDBClient", rest: str, count: str) -> None:
    found = sdb.select(SelectExpression=f"select count(*) from mydomain {rest}")["Items"]

    assert found == [{"Name": "Domain", "Attributes": [{"Name": "Count", "Value": count}]}]
