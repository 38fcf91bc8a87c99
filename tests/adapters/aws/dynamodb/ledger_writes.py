"""Everything that is written to a ledger, each as one write that changes something."""

from collections.abc import Callable

import pytest
from msgspec import structs

from nommerctl.adapters.aws.ledger import DynamoLedger
from nommerctl.domain.fleet import Heartbeat, Launch, Pool, Spawned
from nommerctl.domain.outcome import Decision
from nommerctl.domain.overview import Overview
from tests.fakes.clock import START

LAUNCH = Launch(token="t1", generation=0, count=2, slots=1, ordered=START, request='{"count": 2}')
NEXT = structs.replace(LAUNCH, token="t2", generation=1)
BEAT = Heartbeat(node="i-1", started=START, at=START, slots=2)
DECISION = Decision(at=START, launch=1, end=(), reasons=("one job waits",), inputs={"backlog": 1})
POOL = Pool("c7i.xlarge", "eu-central-1a", "spot")


WRITES: dict[str, tuple[str, Callable[[DynamoLedger], object]]] = {
    "beat": ("PutItem", lambda ledger: ledger.beat(structs.replace(BEAT, active=1))),
    "mark": ("UpdateItem", lambda ledger: ledger.mark("i-1", START)),
    "forget": ("DeleteItem", lambda ledger: ledger.forget("i-1")),
    "journal": ("TransactWriteItems", lambda ledger: ledger.journal(NEXT)),
    "repeat": ("UpdateItem", lambda ledger: ledger.repeat("t2")),
    "settle": ("TransactWriteItems", lambda ledger: ledger.settle("t2", Spawned(("i-2",), (POOL,)))),
    "sign": ("PutItem", lambda ledger: ledger.sign(START)),
    "decide": ("TransactWriteItems", lambda ledger: ledger.decide(DECISION)),
}

each_write = pytest.mark.parametrize("name", list(WRITES))


def prepared(ledger: DynamoLedger, name: str) -> Overview:
    """A ledger in which each of the writes changes something, as it is before."""
    ledger.beat(BEAT)
    ledger.journal(LAUNCH)
    ledger.settle("t1", Spawned(("i-1",)))
    if name in {"repeat", "settle"}:
        ledger.journal(NEXT)
    return ledger.overview()
