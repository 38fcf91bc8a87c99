"""The other side of the claims row, in a process of its own: the least that a queue in SQLite can do for a job.

One transaction claims it and one notes that it is finished; both are on the disk before the next begins.
"""

import sqlite3
import sys
from contextlib import closing

from tests.benchmarks.crowd import ready_then_go

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE jobs (id TEXT PRIMARY KEY, state TEXT NOT NULL, owner TEXT, created INTEGER NOT NULL);
CREATE INDEX waiting ON jobs (created) WHERE state = 'PENDING';
"""

_NEXT = "SELECT id FROM jobs WHERE state = 'PENDING' ORDER BY created LIMIT 1"
_CLAIM = "UPDATE jobs SET state = 'ENCODING', owner = ? WHERE id = ?"
_FINISH = "UPDATE jobs SET state = 'FINISHED' WHERE id = ?"


def main(database: str, node: str) -> None:
    """Claim and finish jobs until none waits."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=60)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        ready_then_go()
        while job_id := _claimed(connection, node):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_FINISH, (job_id,))
            connection.execute("COMMIT")


def _claimed(connection: sqlite3.Connection, node: str) -> str | None:
    connection.execute("BEGIN IMMEDIATE")
    found = connection.execute(_NEXT).fetchone()
    if found:
        connection.execute(_CLAIM, (node, found[0]))
    connection.execute("COMMIT")
    return found[0] if found else None


if __name__ == "__main__":
    main(*sys.argv[1:])
