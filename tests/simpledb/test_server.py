"""The server itself: what it asks of every request, and how it counts, lags and fails as a test says."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from tests.simpledb.asking import SIGNED, ask, ask_form, refused
from tests.simpledb.server import UNTIL_SETTLED, Cut, Request, SimpleDB

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient

DOMAIN = "MyDomain"


@pytest.fixture(autouse=True)
def _page(server: SimpleDB) -> None:
    server.put(DOMAIN, "page", {"hits": "0"})


def hit(sdb: "SimpleDBClient", hits: int, item: str = "page") -> None:
    sdb.put_attributes(
        DomainName=DOMAIN, ItemName=item, Attributes=[{"Name": "hits", "Value": str(hits), "Replace": True}]
    )


def seen(sdb: "SimpleDBClient", *, consistent: bool = False) -> tuple[str, list[str]]:
    """What a Get of the page says, and what a Select of all items does."""
    got = sdb.get_attributes(DomainName=DOMAIN, ItemName="page", ConsistentRead=consistent).get("Attributes", [])
    found = sdb.select(
        SelectExpression="select hits from MyDomain where hits is not null order by hits", ConsistentRead=consistent
    )
    selected = [item["Attributes"][0]["Value"] for item in found.get("Items", [])]
    return "".join(attribute["Value"] for attribute in got), selected


def test_every_error_has_one_form(server: SimpleDB) -> None:
    status, text = ask(server, "DomainMetadata", {"DomainName": "nothing"})

    assert status == 400
    assert text == (
        '<?xml version="1.0"?>\n<Response><Errors><Error><Code>NoSuchDomain</Code>'
        "<Message>The specified domain does not exist.</Message><BoxUsage>0.0000219907</BoxUsage></Error></Errors>"
        "<RequestID>ID</RequestID></Response>"
    )


@pytest.mark.parametrize(
    ("action", "signed", "error"),
    [
        ("ListDomains", {}, (403, "AuthMissingFailure")),
        *(
            ("ListDomains", {name: value for name, value in SIGNED.items() if name != gone}, (400, "MissingParameter"))
            for gone in ("Signature", "SignatureVersion", "SignatureMethod", "Timestamp", "Version")
        ),
        ("ListDomains", SIGNED | {"Version": "2007-11-07"}, (400, "NoSuchVersion")),
        ("", SIGNED, (400, "MissingAction")),
        ("Query", SIGNED, (400, "InvalidAction")),
    ],
)
def test_a_request_names_its_action_and_is_signed(
    server: SimpleDB, action: str, signed: dict[str, str], error: tuple[int, str]
) -> None:
    status, text = ask(server, action, {}, signed=signed)

    assert (status, f"<Code>{error[1]}</Code>" in text) == (error[0], True)


def test_what_is_no_request_at_all_is_refused(server: SimpleDB) -> None:
    no_text = ask_form(server, "Action=ListDomains&NextToken=%FF")
    no_verb = ask_form(server, "Action=ListDomains", method="PUT")

    assert (no_text[0], "<Code>InvalidHttpRequest</Code>" in no_text[1]) == (400, True)
    assert (no_verb[0], "<Code>UnsupportedHttpVerb</Code>" in no_verb[1]) == (400, True)


def test_a_read_sees_all_writes_unless_it_is_told_to_lag(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    hit(sdb, 1)

    assert seen(sdb) == seen(sdb, consistent=True) == ("1", ["1"])
    assert server.lag == 0


def test_a_read_that_is_not_consistent_is_so_many_writes_behind(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.lag = 2
    for hits in (1, 2, 3):
        hit(sdb, hits)
    hit(sdb, 9, "other")
    behind = seen(sdb)
    sdb.delete_attributes(DomainName=DOMAIN, ItemName="page")
    deleted = seen(sdb)

    assert behind == ("2", ["2"])
    assert deleted == ("3", ["3"])
    assert seen(sdb, consistent=True) == ("", ["9"])


def test_reads_lag_until_all_is_settled(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.lag = UNTIL_SETTLED
    for hits in range(1, 8):
        hit(sdb, hits)
    server.put(DOMAIN, "new", {"hits": "8"})
    before = seen(sdb)
    server.settle()
    after = seen(sdb)

    assert before == ("0", ["0"])
    assert after == ("7", ["7", "8"])


def test_a_condition_is_of_what_is_so_even_while_reads_lag(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.lag = UNTIL_SETTLED
    hit(sdb, 1)

    stale = refused(
        lambda: sdb.put_attributes(
            DomainName=DOMAIN,
            ItemName="page",
            Attributes=[{"Name": "hits", "Value": "1", "Replace": True}],
            Expected={"Name": "hits", "Value": "0"},
        )
    )

    assert stale == ("ConditionalCheckFailed", 409)


def test_requests_are_counted_and_kept(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    hit(sdb, 1)
    with server.recording() as requests:
        hit(sdb, 2)
        refused(lambda: sdb.domain_metadata(DomainName="nothing"))
    hit(sdb, 3)

    assert server.calls == {"PutAttributes": 3, "DomainMetadata": 1}
    assert [request.operation for request in requests] == ["PutAttributes", "DomainMetadata"]
    assert isinstance(requests[0], Request)
    assert requests[0].parameters["Attribute.1.Value"] == "2"


def test_calls_are_refused_so_often_and_then_served(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.fail("PutAttributes", times=2)
    server.fail("PutAttributes", "Throttling", 400)

    refusals = [refused(lambda: hit(sdb, 1)) for _ in range(3)]
    untouched = server.items(DOMAIN)
    hit(sdb, 2)

    assert refusals == [("ServiceUnavailable", 503), ("ServiceUnavailable", 503), ("Throttling", 400)]
    assert untouched == {"page": {"hits": {"0"}}}
    assert server.items(DOMAIN) == {"page": {"hits": {"2"}}}


@pytest.mark.parametrize(("cut", "hits"), [(Cut.BEFORE, "0"), (Cut.AFTER, "1")])
def test_a_connection_breaks_before_the_effect_or_after_it(
    server: SimpleDB, sdb: "SimpleDBClient", cut: Cut, hits: str
) -> None:
    server.cut("PutAttributes", cut)

    with pytest.raises(HTTPClientError):
        hit(sdb, 1)

    assert server.items(DOMAIN) == {"page": {"hits": {hits}}}


def test_an_answer_that_nobody_gives_comes_after_the_effect(server: SimpleDB) -> None:
    server.cut("DeleteAttributes", Cut.NEVER)

    with pytest.raises(TimeoutError):
        ask(server, "DeleteAttributes", {"DomainName": DOMAIN, "ItemName": "page"}, patience=0.3)

    assert server.items(DOMAIN) == {}


def test_another_program_writes_between_a_read_and_the_write_after_it(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.meanwhile("PutAttributes", lambda: server.put(DOMAIN, "page", {"hits": "100"}))

    late = refused(
        lambda: sdb.put_attributes(
            DomainName=DOMAIN,
            ItemName="page",
            Attributes=[{"Name": "hits", "Value": "1", "Replace": True}],
            Expected={"Name": "hits", "Value": "0"},
        )
    )

    assert late == ("ConditionalCheckFailed", 409)
    assert server.items(DOMAIN) == {"page": {"hits": {"100"}}}


def test_all_that_was_arranged_can_be_forgotten(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    server.lag = UNTIL_SETTLED
    server.fail("PutAttributes")
    server.heal()
    hit(sdb, 1)

    assert seen(sdb)[0] == "1"
    assert server.calls["PutAttributes"] == 1


def test_a_counter_loses_no_hit_of_many_at_the_same_time(server: SimpleDB, sdb: "SimpleDBClient") -> None:
    """As the guide's counter does: read, put the next number if that is still so, else read again."""

    def count(_: int) -> None:
        while True:
            hits = sdb.get_attributes(DomainName=DOMAIN, ItemName="page", ConsistentRead=True)["Attributes"][0]["Value"]
            try:
                sdb.put_attributes(
                    DomainName=DOMAIN,
                    ItemName="page",
                    Attributes=[{"Name": "hits", "Value": str(int(hits) + 1), "Replace": True}],
                    Expected={"Name": "hits", "Value": hits},
                )
            except ClientError as error:
                assert error.response["Error"]["Code"] == "ConditionalCheckFailed"  # noqa: PT017 - the loop goes on
            else:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(40)))

    assert server.items(DOMAIN) == {"page": {"hits": {"40"}}}
