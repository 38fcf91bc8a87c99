"""What is true of the ledger in farm.db beyond what every ledger promises."""

from nommerctl.adapters.local.database import Database, rows
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.domain.fleet import Launch, Spawned
from nommerctl.domain.outcome import Decision
from tests.fakes.clock import FakeClock

DAY = 24 * 3600


def test_the_ledger_does_not_grow_for_ever(database: Database) -> None:
    clock = FakeClock()
    ledger = SqliteLedger(database, clock)

    for day in range(30):
        ledger.journal(Launch(token=f"day-{day}", generation=day, count=1, slots=1, ordered=clock(), request="{}"))
        ledger.settle(f"day-{day}", Spawned())
        ledger.decide(Decision(at=clock(), launch=1, end=(), reasons=(), inputs={}))
        clock.advance(DAY)

    assert ledger.overview().generation == 30
    assert rows(database, "SELECT token FROM launches ORDER BY ordered") == [("day-28",), ("day-29",)]
    assert rows(database, "SELECT count(*) FROM decisions") == [(8,)]
