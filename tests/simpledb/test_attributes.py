"""What puts and deletes leave, by the examples on the guide's page of each operation."""

from typing import TYPE_CHECKING

from tests.simpledb.asking import ask, refused
from tests.simpledb.server import SimpleDB

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient
    from types_boto3_sdb.type_defs import ReplaceableAttributeTypeDef

DOMAIN = "MyDomain"

SHIRTS: "dict[str, list[ReplaceableAttributeTypeDef]]" = {
    "Shirt1": [
        {"Name": "Color", "Value": "Blue"},
        {"Name": "Size", "Value": "Med"},
        {"Name": "Price", "Value": "0014.99", "Replace": True},
    ],
    "Shirt2": [
        {"Name": "Color", "Value": "Red"},
        {"Name": "Size", "Value": "Large"},
        {"Name": "Price", "Value": "0019.99"},
    ],
}


def test_a_put_adds_attributes_and_a_get_gives_them_in_xml(server: SimpleDB) -> None:
    ask(server, "CreateDomain", {"DomainName": DOMAIN})

    put = ask(
        server,
        "PutAttributes",
        {
            "DomainName": DOMAIN,
            "ItemName": "Item123",
            "Attribute.1.Name": "Color",
            "Attribute.1.Value": "Blue",
            "Attribute.2.Name": "Size",
            "Attribute.2.Value": "Med",
            "Attribute.3.Name": "Price",
            "Attribute.3.Value": "0014.99",
            "Attribute.3.Replace": "true",
        },
    )
    got = ask(server, "GetAttributes", {"DomainName": DOMAIN, "ItemName": "Item123"}, method="GET")

    metadata = "<ResponseMetadata><RequestId>ID</RequestId><BoxUsage>0.0000219907</BoxUsage></ResponseMetadata>"
    assert put[0] == got[0] == 200
    assert put[1] == (
        '<?xml version="1.0"?>\n<PutAttributesResponse xmlns="http://sdb.amazonaws.com/doc/2009-04-15/">'
        f"{metadata}</PutAttributesResponse>"
    )
    assert got[1] == (
        '<?xml version="1.0"?>\n<GetAttributesResponse xmlns="http://sdb.amazonaws.com/doc/2009-04-15/">'
        "<GetAttributesResult>"
        "<Attribute><Name>Color</Name><Value>Blue</Value></Attribute>"
        "<Attribute><Name>Size</Name><Value>Med</Value></Attribute>"
        "<Attribute><Name>Price</Name><Value>0014.99</Value></Attribute>"
        f"</GetAttributesResult>{metadata}</GetAttributesResponse>"
    )


def test_values_of_a_name_are_a_set_that_grows_unless_they_are_replaced(
    server: SimpleDB, sdb: "SimpleDBClient"
) -> None:
    server.put(DOMAIN, "I", {"a": "1", "b": ["2", "3"]})

    for value in ("2", "5"):
        sdb.put_attributes(DomainName=DOMAIN, ItemName="I", Attributes=[{"Name": "b", "Value": value}])
    grown = server.items(DOMAIN)["I"]
    sdb.put_attributes(DomainName=DOMAIN, ItemName="I", Attributes=[{"Name": "b", "Value": "4", "Replace": True}])

    assert grown == {"a": {"1"}, "b": {"2", "3", "5"}}
    assert server.items(DOMAIN)["I"] == {"a": {"1"}, "b": {"4"}}


def test_several_values_of_a_name_replace_the_old_ones_together(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.put(DOMAIN, "I", {"b": ["1", "2"]})

    sdb.put_attributes(
        DomainName=DOMAIN,
        ItemName="I",
        Attributes=[{"Name": "b", "Value": "3", "Replace": True}, {"Name": "b", "Value": "4", "Replace": True}],
    )

    assert server.items(DOMAIN)["I"] == {"b": {"3", "4"}}


def test_a_batch_puts_into_several_items(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.put(DOMAIN, "Shirt1", {"Price": "0012.99"})
    server.put(DOMAIN, "Shirt2", {"Price": "0012.99"})

    sdb.batch_put_attributes(
        DomainName=DOMAIN, Items=[{"Name": name, "Attributes": attributes} for name, attributes in SHIRTS.items()]
    )

    assert server.items(DOMAIN) == {
        "Shirt1": {"Color": {"Blue"}, "Size": {"Med"}, "Price": {"0014.99"}},
        "Shirt2": {"Color": {"Red"}, "Size": {"Large"}, "Price": {"0012.99", "0019.99"}},
    }


def test_a_batch_is_put_whole_or_not_at_all(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.put(DOMAIN, "full", {"a": [str(number) for number in range(256)]})

    code = refused(
        lambda: sdb.batch_put_attributes(
            DomainName=DOMAIN,
            Items=[
                {"Name": "new", "Attributes": [{"Name": "a", "Value": "1"}]},
                {"Name": "full", "Attributes": [{"Name": "b", "Value": "one more"}]},
            ],
        )
    )

    assert code == ("NumberItemAttributesExceeded", 409)
    assert list(server.items(DOMAIN)) == ["full"]


def test_values_are_deleted_one_by_one_and_an_item_without_any_is_gone(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.put(DOMAIN, "JumboFez", {"color": ["red", "brick", "garnet", "blue"]})

    sdb.delete_attributes(
        DomainName=DOMAIN,
        ItemName="JumboFez",
        Attributes=[{"Name": "color", "Value": value} for value in ("red", "brick", "garnet")],
    )
    left = server.items(DOMAIN)
    sdb.delete_attributes(DomainName=DOMAIN, ItemName="JumboFez", Attributes=[{"Name": "color", "Value": "blue"}])

    assert left == {"JumboFez": {"color": {"blue"}}}
    assert server.items(DOMAIN) == {}


def test_a_name_without_a_value_deletes_all_its_values(server: SimpleDB) -> None:
    server.put(DOMAIN, "JumboFez", {"color": ["red", "blue"], "size": "L"})

    status, _ = ask(
        server, "DeleteAttributes", {"DomainName": DOMAIN, "ItemName": "JumboFez", "Attribute.1.Name": "color"}
    )

    assert status == 200
    assert server.items(DOMAIN) == {"JumboFez": {"size": {"L"}}}


def test_a_delete_of_nothing_in_particular_deletes_the_item_and_may_be_repeated(
    server: SimpleDB, sdb: "SimpleDBClient"
) -> None:
    server.put(DOMAIN, "JumboFez", {"color": ["red", "blue"], "size": "L"})

    for _ in range(2):
        sdb.delete_attributes(DomainName=DOMAIN, ItemName="JumboFez")

    assert server.items(DOMAIN) == {}


def test_a_batch_deletes_values_and_items(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    for name in ("Shirt1", "Shirt2", "Shirt3"):
        server.put(DOMAIN, name, {"Color": ["Blue", "Red"], "Size": "Med"})

    sdb.batch_delete_attributes(
        DomainName=DOMAIN,
        Items=[{"Name": "Shirt1", "Attributes": [{"Name": "Color", "Value": "Red"}]}, {"Name": "Shirt2"}],
    )

    assert server.items(DOMAIN) == {
        "Shirt1": {"Color": {"Blue"}, "Size": {"Med"}},
        "Shirt3": {"Color": {"Blue", "Red"}, "Size": {"Med"}},
    }


def test_a_get_gives_the_attributes_that_are_named(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.put(DOMAIN, "Item123", {"Color": "Blue", "Size": "Med", "Price": "0014.99"})

    got = sdb.get_attributes(DomainName=DOMAIN, ItemName="Item123", AttributeNames=["Price", "Color", "none"])

    assert got["Attributes"] == [{"Name": "Color", "Value": "Blue"}, {"Name": "Price", "Value": "0014.99"}]


def test_a_get_of_an_item_that_is_not_there_gives_nothing(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.put(DOMAIN, "Item123", {"Color": "Blue"})

    assert "Attributes" not in sdb.get_attributes(DomainName=DOMAIN, ItemName="Item124", ConsistentRead=True)


def test_texts_of_any_script_and_empty_values_come_back(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.put(DOMAIN, "x", {"x": "x"})
    name, attribute, values = "été/日本.mp4", "größe & <b>", ["", " \t\r\n", "\U0001f3ac", "a\"b'c+d%20&amp;"]

    sdb.put_attributes(
        DomainName=DOMAIN, ItemName=name, Attributes=[{"Name": attribute, "Value": value} for value in values]
    )

    got = sdb.get_attributes(DomainName=DOMAIN, ItemName=name)["Attributes"]
    assert [(each["Name"], each["Value"]) for each in got] == [(attribute, value) for value in sorted(values)]


def test_what_xml_cannot_hold_comes_in_base64(server: SimpleDB) -> None:
    server.put(DOMAIN, "x", {"plain": "a\x00b", "\x1f": "\x85"})

    _, got = ask(server, "GetAttributes", {"DomainName": DOMAIN, "ItemName": "x"})
    _, found = ask(server, "Select", {"SelectExpression": "select plain from MyDomain"})

    assert '<Attribute><Name>plain</Name><Value encoding="base64">YQBi</Value></Attribute>' in got
    assert '<Attribute><Name encoding="base64">Hw==</Name><Value>\x85</Value></Attribute>' in got
    assert '<Item><Name>x</Name><Attribute><Name>plain</Name><Value encoding="base64">YQBi</Value>' in found
