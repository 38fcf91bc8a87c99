"""What SimpleDB refuses of writes and domains: the guide's limits and errors, with the statuses that it lists."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.simpledb.asking import ask, refused
from tests.simpledb.server import SimpleDB

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient
    from types_boto3_sdb.type_defs import ReplaceableAttributeTypeDef, ReplaceableItemTypeDef

DOMAIN = "MyDomain"


@pytest.fixture(autouse=True)
def _domain(server: SimpleDB) -> None:
    server.put(DOMAIN, "there", {"a": "1"})


def values(count: int, name: str = "a") -> "list[ReplaceableAttributeTypeDef]":
    return [{"Name": name, "Value": str(number)} for number in range(count)]


def items(count: int) -> "list[ReplaceableItemTypeDef]":
    return [{"Name": f"item{number}", "Attributes": values(1)} for number in range(count)]


REFUSED: dict[str, tuple[Callable[["SimpleDBClient"], object], tuple[str, int]]] = {
    "257 attributes in a put": (
        lambda sdb: sdb.put_attributes(DomainName=DOMAIN, ItemName="x", Attributes=values(257)),
        ("NumberSubmittedAttributesExceeded", 409),
    ),
    "257 pairs in an item": (
        lambda sdb: sdb.put_attributes(DomainName=DOMAIN, ItemName="there", Attributes=values(256, "b")),
        ("NumberItemAttributesExceeded", 409),
    ),
    "257 attributes in a batch": (
        lambda sdb: sdb.batch_put_attributes(DomainName=DOMAIN, Items=[{"Name": "x", "Attributes": values(257)}]),
        ("NumberSubmittedAttributesExceeded", 409),
    ),
    "26 items in a batch": (
        lambda sdb: sdb.batch_put_attributes(DomainName=DOMAIN, Items=items(26)),
        ("NumberSubmittedItemsExceeded", 409),
    ),
    "26 items in a batch of deletes": (
        lambda sdb: sdb.batch_delete_attributes(DomainName=DOMAIN, Items=[{"Name": str(each)} for each in range(26)]),
        ("NumberSubmittedItemsExceeded", 409),
    ),
    "an item twice in a batch": (
        lambda sdb: sdb.batch_put_attributes(DomainName=DOMAIN, Items=[*items(3), *items(1)]),
        ("DuplicateItemName", 400),
    ),
    "an item without attributes in a batch": (
        lambda sdb: sdb.batch_put_attributes(DomainName=DOMAIN, Items=[{"Name": "x", "Attributes": []}]),
        ("MissingParameter", 400),
    ),
    "an empty batch": (
        lambda sdb: sdb.batch_put_attributes(DomainName=DOMAIN, Items=[]),
        ("MissingParameter", 400),
    ),
    "a put without attributes": (
        lambda sdb: sdb.put_attributes(DomainName=DOMAIN, ItemName="x", Attributes=[]),
        ("MissingParameter", 400),
    ),
    "an empty name of an attribute": (
        lambda sdb: sdb.put_attributes(DomainName=DOMAIN, ItemName="x", Attributes=[{"Name": "", "Value": "1"}]),
        ("InvalidParameterValue", 400),
    ),
    "an empty name of an item": (
        lambda sdb: sdb.put_attributes(DomainName=DOMAIN, ItemName="", Attributes=values(1)),
        ("InvalidParameterValue", 400),
    ),
    "a value of 1,025 bytes": (
        lambda sdb: sdb.put_attributes(
            DomainName=DOMAIN, ItemName="x", Attributes=[{"Name": "a", "Value": "é" * 512 + "x"}]
        ),
        ("InvalidParameterValue", 400),
    ),
    "a name of 1,025 bytes": (
        lambda sdb: sdb.put_attributes(
            DomainName=DOMAIN, ItemName="x", Attributes=[{"Name": "é" * 512 + "x", "Value": "1"}]
        ),
        ("InvalidParameterValue", 400),
    ),
    "an item's name of 1,025 bytes": (
        lambda sdb: sdb.put_attributes(DomainName=DOMAIN, ItemName="é" * 512 + "x", Attributes=values(1)),
        ("InvalidParameterValue", 400),
    ),
    "a batch of more than a megabyte": (
        lambda sdb: sdb.batch_put_attributes(
            DomainName=DOMAIN,
            Items=[
                {"Name": str(item), "Attributes": [{"Name": str(each), "Value": "x" * 1024} for each in range(45)]}
                for item in range(25)
            ],
        ),
        ("InvalidHttpRequest", 400),
    ),
    "a put into no domain": (
        lambda sdb: sdb.put_attributes(DomainName="none", ItemName="x", Attributes=values(1)),
        ("NoSuchDomain", 400),
    ),
    "a batch into no domain": (
        lambda sdb: sdb.batch_put_attributes(DomainName="none", Items=items(1)),
        ("NoSuchDomain", 400),
    ),
    "a get from no domain": (
        lambda sdb: sdb.get_attributes(DomainName="none", ItemName="x"),
        ("NoSuchDomain", 400),
    ),
    "a delete from no domain": (
        lambda sdb: sdb.delete_attributes(DomainName="none", ItemName="x"),
        ("NoSuchDomain", 400),
    ),
    "what no domain is like": (lambda sdb: sdb.domain_metadata(DomainName="none"), ("NoSuchDomain", 400)),
    "a short name of a domain": (lambda sdb: sdb.create_domain(DomainName="ab"), ("InvalidParameterValue", 400)),
    "a name of a domain with a blank": (
        lambda sdb: sdb.create_domain(DomainName="my domain"),
        ("InvalidParameterValue", 400),
    ),
    "101 domains on a page": (
        lambda sdb: sdb.list_domains(MaxNumberOfDomains=101),
        ("InvalidParameterValue", 400),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_too_much_or_too_little_is_refused_and_changes_nothing(
    server: SimpleDB, sdb: "SimpleDBClient", what: str
) -> None:
    call, error = REFUSED[what]

    assert refused(lambda: call(sdb)) == error
    assert server.domains == [DOMAIN]
    assert server.items(DOMAIN) == {"there": {"a": {"1"}}}


def test_what_just_fits_is_served(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    longest = "é" * 512

    sdb.put_attributes(DomainName=DOMAIN, ItemName=longest, Attributes=values(255))
    sdb.put_attributes(DomainName=DOMAIN, ItemName=longest, Attributes=[{"Name": longest, "Value": longest}])
    sdb.batch_put_attributes(DomainName=DOMAIN, Items=items(25))

    assert len(server.items(DOMAIN)) == 27
    assert sum(map(len, server.items(DOMAIN)[longest].values())) == 256


def test_of_domains_there_are_a_hundred(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    for number in range(99):
        sdb.create_domain(DomainName=f"domain{number}")

    one_more = refused(lambda: sdb.create_domain(DomainName="domain99"))
    sdb.create_domain(DomainName="domain98")  # is there already: that is no error

    assert one_more == ("NumberDomainsExceeded", 409)
    assert len(server.domains) == 100


def test_a_domain_that_is_deleted_takes_its_items_with_it(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    for _ in range(2):
        sdb.delete_domain(DomainName=DOMAIN)
    sdb.create_domain(DomainName=DOMAIN)

    assert server.items(DOMAIN) == {}


def test_a_domain_tells_how_large_it_is(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.put(DOMAIN, "é", {"a": ["1", "22"], "été": "333"})

    told = sdb.domain_metadata(DomainName=DOMAIN)

    sizes = {name: number for name, number in told.items() if name not in {"Timestamp", "ResponseMetadata"}}
    assert told["Timestamp"] > 1_700_000_000
    assert sizes == {
        "ItemCount": 2,
        "ItemNamesSizeBytes": 7,
        "AttributeNameCount": 2,
        "AttributeNamesSizeBytes": 6,
        "AttributeValueCount": 4,
        "AttributeValuesSizeBytes": 7,
    }


@pytest.mark.parametrize(
    ("action", "fields", "message"),
    [
        ("PutAttributes", {"ItemName": "x"}, "The request must contain the parameter DomainName."),
        ("PutAttributes", {"DomainName": DOMAIN}, "The request must contain the parameter ItemName."),
        (
            "PutAttributes",
            {"DomainName": DOMAIN, "ItemName": "x", "Attribute.1.Name": "a"},
            "Attribute.Value missing for Attribute.Name='a'.",
        ),
        (
            "PutAttributes",
            {"DomainName": DOMAIN, "ItemName": "x", "Attribute.1.Value": "1"},
            "Attribute.Name missing for Attribute.Value='1'.",
        ),
        (
            "DeleteAttributes",
            {"DomainName": DOMAIN, "ItemName": "x", "Attribute.1.Value": "1"},
            "The request must contain the parameter Name.",
        ),
        (
            "BatchPutAttributes",
            {"DomainName": DOMAIN, "Item.1.Attribute.1.Name": "a", "Item.1.Attribute.1.Value": "1"},
            "The request must contain the parameter ItemName.",
        ),
        ("Select", {}, "The request must contain the parameter SelectExpression."),
    ],
)
def test_what_is_missing_is_named(server: SimpleDB, action: str, fields: dict[str, str], message: str) -> None:
    status, text = ask(server, action, fields)

    assert status == 400
    assert f"<Code>MissingParameter</Code><Message>{message}</Message>" in text


@pytest.mark.parametrize(
    ("action", "fields", "flag"),
    [
        (
            "PutAttributes",
            {"ItemName": "x", "Attribute.1.Name": "a", "Attribute.1.Value": "1", "Attribute.1.Replace": "1"},
            "Replace",
        ),
        ("GetAttributes", {"ItemName": "x", "ConsistentRead": "True"}, "ConsistentRead"),
    ],
)
def test_a_flag_is_true_or_false(server: SimpleDB, action: str, fields: dict[str, str], flag: str) -> None:
    status, text = ask(server, action, {"DomainName": DOMAIN} | fields)

    assert status == 400
    assert f"for parameter {flag} is invalid. The {flag} flag should be either true or false.</Message>" in text
