"""What the passes may do with domains, found out without doing it, on a server of SimpleDB."""

from collections.abc import Iterator

import pytest

from nommerctl.adapters.aws.checkup.simpledb_examination import tried_domains, tried_own_domains
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import jobs_table, ledger_table
from nommerctl.domain.aws_account import Leave
from tests.simpledb.server import SimpleDB, simpledb_server
from tests.simpledb_farm import clients_of_simpledb

JOBS, LEDGER = jobs_table("films"), ledger_table("films")

OF_ANY = ("GetAttributes", "Select", "PutAttributes", "DeleteAttributes")


@pytest.fixture
def server() -> Iterator[SimpleDB]:
    with simpledb_server() as server:
        yield server


@pytest.fixture
def clients(server: SimpleDB) -> Iterator[Clients]:
    with clients_of_simpledb(server.url) as clients:
        yield clients


def made(server: SimpleDB, *names: str) -> None:
    for name in names:
        server.put(name, "standing", {"colour": "red"})


def own(clients: Clients) -> dict[tuple[str, str], Leave]:
    """What came of each try, by its action and domain."""
    found = [each.permission for each in tried_own_domains(clients, jobs=JOBS, ledger=LEDGER)]
    return {(each.action.removeprefix("sdb:"), each.on.split("'")[1]): each.leave for each in found}


def test_where_all_is_granted_it_is_said_and_nothing_came_about(server: SimpleDB, clients: Clients) -> None:
    made(server, JOBS, LEDGER)

    found = own(clients)

    granted = {(action, name) for action in OF_ANY for name in (JOBS, LEDGER)} | {("BatchDeleteAttributes", LEDGER)}
    assert {each for each, leave in found.items() if leave is Leave.GRANTED} == granted
    assert {name: server.items(name) for name in server.domains} == {
        name: {"standing": {"colour": {"red"}}} for name in (JOBS, LEDGER)
    }


def test_what_no_try_of_would_be_harmless_is_named_as_not_tried(server: SimpleDB, clients: Clients) -> None:
    made(server, JOBS)

    found = own(clients)

    assert {each for each, leave in found.items() if leave is Leave.UNKNOWN} == {
        ("BatchPutAttributes", JOBS),
        ("BatchPutAttributes", LEDGER),
        ("CreateDomain", LEDGER),
    }
    assert server.domains == [JOBS]


@pytest.mark.parametrize("action", [*OF_ANY, "BatchDeleteAttributes"])
def test_what_is_denied_is_found_out(server: SimpleDB, clients: Clients, action: str) -> None:
    made(server, JOBS, LEDGER)
    server.fail(action, "AuthorizationFailure", 403, times=2)

    denied = {name for (tried, name), leave in own(clients).items() if tried == action and leave is Leave.DENIED}

    assert denied == ({LEDGER} if action == "BatchDeleteAttributes" else {JOBS, LEDGER})


def test_a_domain_of_media_nommers_that_is_not_there_leaves_it_open_and_is_not_made(
    server: SimpleDB, clients: Clients
) -> None:
    found = list(tried_domains(clients, ["media_nommer"]))

    assert {each.permission.leave for each in found} == {Leave.UNKNOWN}
    assert server.domains == []
