"""What becomes of what is written to the ledger in DynamoDB on a bad day."""

from time import sleep

import pytest
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ledger import DynamoLedger
from nommerctl.errors import ConflictError, NommerctlError, PermissionDeniedError, TryAgainError, UnreachableError
from tests.adapters.aws.dynamodb.ledger_writes import LAUNCH, WRITES, each_write, prepared
from tests.dynamodb import THROTTLED, Fault, Wire, cancelled, error, farm_in, reset
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.slow


@each_write
@pytest.mark.parametrize("heeded", [True, False], ids=["answer lost", "broken off"])
def test_a_write_that_gets_no_answer_is_made_once(
    *, ledger: DynamoLedger, clients: Clients, wire: Wire, clock: FakeClock, name: str, heeded: bool
) -> None:
    operation, write = WRITES[name]
    with farm_in(clients) as elsewhere:
        undisturbed = DynamoLedger(clients, elsewhere, clock, sleep)
        prepared(undisturbed, name)
        write(undisturbed)
        expected = undisturbed.overview(), undisturbed.decisions(limit=10)
    prepared(ledger, name)
    wire.on(operation, *[wire.lost if heeded else reset] * 2)

    write(ledger)

    assert (ledger.overview(), ledger.decisions(limit=10)) == expected


@each_write
@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (reset, UnreachableError, "AWS cannot be reached for dynamodb:"),
        (error("InternalServerError", status=500), UnreachableError, "AWS failed at dynamodb:"),
        (error(THROTTLED), TryAgainError, "AWS throttles dynamodb:"),
        (error("AccessDeniedException"), PermissionDeniedError, r"AWS refuses dynamodb:.* on table 'nommerctl-test-"),
    ],
    ids=["reset", "500", "throttled", "denied"],
)
def test_a_write_that_is_never_taken_changes_nothing(
    *, ledger: DynamoLedger, wire: Wire, name: str, fault: Fault, kind: type[NommerctlError], words: str
) -> None:
    before = prepared(ledger, name)
    operation, write = WRITES[name]
    wire.on(operation, *[fault] * 4)

    with pytest.raises(kind, match=words):
        write(ledger)

    assert ledger.overview() == before


@each_write
def test_what_is_being_written_by_others_is_waited_for(
    ledger: DynamoLedger, wire: Wire, pauses: list[float], name: str
) -> None:
    before = prepared(ledger, name)
    operation, write = WRITES[name]
    together = operation == "TransactWriteItems"
    wire.on(operation, cancelled("TransactionConflict", "None") if together else error("TransactionConflictException"))

    write(ledger)

    assert len(pauses) == 1
    assert ledger.overview() != before


def test_i2_an_order_whose_journal_got_no_answer_keeps_others_from_being_given(
    ledger: DynamoLedger, wire: Wire
) -> None:
    wire.on("TransactWriteItems", *[wire.lost] * 4)
    with pytest.raises(UnreachableError):
        ledger.journal(LAUNCH)

    with pytest.raises(ConflictError, match="order t9 must wait: the answer to order t1 is not known yet"):
        ledger.journal(structs.replace(LAUNCH, token="t9"))

    ledger.journal(LAUNCH)
    assert ledger.overview().unsettled == LAUNCH
