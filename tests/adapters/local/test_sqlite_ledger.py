"""What is true of the ledger in farm.db beyond what every ledger promises."""

from pathlib import Path

from nommerctl.adapters.local.database import Database, rows
from nommerctl.adapters.local.ledger import SqliteLedger, SqliteLedgerReads
from nommerctl.adapters.local.schema import EMPTY_SCHEMA
from nommerctl.adapters.sqlite_read import ReadOnlyDatabase
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.fleet import CheckIn, Launch, Spawned
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
        ledger.check_in(CheckIn(node=f"node-{day}", launched=clock(), at=clock()))
        clock.advance(DAY)

    assert ledger.overview().generation == 30
    assert rows(database, "SELECT token FROM launches ORDER BY ordered") == [("day-28",), ("day-29",)]
    assert rows(database, "SELECT count(*) FROM decisions") == [(8,)]
    assert rows(database, "SELECT node FROM check_ins ORDER BY at") == [("node-28",), ("node-29",)]


def test_a_database_of_an_older_release_is_read_as_it_is_and_added_to_by_the_first_writer(tmp_path: Path) -> None:
    # given one without the tables that came later
    file = tmp_path / "farm.db"
    older = Database(file)
    older.write(lambda connection: connection.execute("DROP TABLE check_ins"))
    older.write(lambda connection: connection.execute("DROP TABLE documents"))
    older.close()
    # when somebody looks
    looking = SqliteLedgerReads(ReadOnlyDatabase(file, EMPTY_SCHEMA), FakeClock())
    overview = looking.overview()
    # then
    assert (overview.check_ins, overview.breaker, overview.node_settings) == ({}, Breaker(), "")
    # when somebody writes
    clock = FakeClock()
    check_in = CheckIn(node="node-1", launched=clock(), at=clock())
    SqliteLedger(Database(file), clock).check_in(check_in)
    # then
    assert looking.overview().check_ins == {"node-1": check_in}
