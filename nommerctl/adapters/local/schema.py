"""The tables of `farm.db`. Whatever a query looks for stands in an index; the records themselves are JSON in `body`.

Nothing here needs an SQLite younger than 3.24, so that the one of an old distribution will do.
"""

APPLICATION_ID = 0x6E6D7263
"""The letters `nmrc` in the header of the file: this database is ours."""

SCHEMA_VERSION = 1

ADDED = (
    "CREATE TABLE IF NOT EXISTS check_ins (node TEXT PRIMARY KEY NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL)",
    # the jobs whose listener was given up, by `changed`; an older release leaves those in it that it has changed
    """
    CREATE TABLE IF NOT EXISTS undelivered (
        changed INTEGER NOT NULL,
        id TEXT NOT NULL,
        PRIMARY KEY (changed, id)
    ) WITHOUT ROWID
    """,
)
"""Tables that younger releases brought. An older one does without them, so the version is the same.

Whoever writes makes them in a database that lacks them; whoever only looks takes them for empty.
"""

STATEMENTS = (
    # `finished` and `untold` are 0 or 1 and follow from the record.
    """
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY NOT NULL,
        state TEXT NOT NULL,
        finished INTEGER NOT NULL,
        untold INTEGER NOT NULL,
        created INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        version INTEGER NOT NULL,
        body TEXT NOT NULL
    )
    """,
    "CREATE INDEX jobs_in_state ON jobs (state, changed, id)",
    "CREATE INDEX jobs_unfinished ON jobs (created, id) WHERE finished = 0",
    "CREATE INDEX jobs_silent ON jobs (changed, id) WHERE finished = 0",
    "CREATE INDEX jobs_finished ON jobs (changed, id) WHERE finished = 1",
    "CREATE INDEX jobs_done_with ON jobs (changed, id) WHERE finished = 1 AND untold = 0",
    "CREATE INDEX jobs_untold ON jobs (changed, id) WHERE untold = 1",
    # A message is visible from `visible_at` on, or when the clock has gone back since it was hidden, for `hidden`
    # microseconds. `receipt` is that of its last receive, or of its death.
    """
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        queue TEXT NOT NULL,
        body TEXT NOT NULL,
        visible_at INTEGER NOT NULL,
        hidden INTEGER NOT NULL DEFAULT 0,
        receives INTEGER NOT NULL DEFAULT 0,
        receipt TEXT UNIQUE,
        dead INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX messages_by_turn ON messages (queue, dead, visible_at)",
    "CREATE TABLE heartbeats (node TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL)",
    """
    CREATE TABLE launches (
        token TEXT PRIMARY KEY NOT NULL,
        ordered INTEGER NOT NULL,
        settled INTEGER NOT NULL,
        body TEXT NOT NULL
    )
    """,
    "CREATE INDEX launches_settled ON launches (ordered) WHERE settled = 1",
    # At most one order is unsettled: the database would refuse a second one even if our code did not.
    "CREATE UNIQUE INDEX launches_unsettled ON launches (settled) WHERE settled = 0",
    "CREATE TABLE control (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL)",
    "INSERT INTO control (name, value) VALUES ('generation', 0)",
    "CREATE TABLE decisions (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX decisions_by_time ON decisions (at)",
    *ADDED,
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

EMPTY_SCHEMA = ";\n".join(STATEMENTS)
"""The same as one script: what ReadOnlyDatabase takes a missing `farm.db` for."""
