"""A farm whose store, queues, ledger and folders hold texts wherever a text can stand, as if others had written them.

Each text stands in every text of seven jobs, one in each state, of a node's heartbeat, a decision and a dead letter.
"""

from collections.abc import Sequence

import msgspec

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.job import EncodePass, EncodingJob, HistoryEntry, Progress
from nommerctl.domain.outcome import Decision, Inputs
from nommerctl.domain.schedule import PassRecord
from nommerctl.domain.states import IN_WORK, JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.wiring.process import clock
from tests.builders import job_id, make_job, make_lease
from tests.cli import Cli

STATES = tuple(JobState)


def id_in(state: JobState, place: int = 0) -> str:
    """The id of the job that stands in a state and holds the text at a place."""
    return job_id(place * len(STATES) + STATES.index(state) + 1)


def fill(cli: Cli, texts: Sequence[str]) -> None:
    """Fill a farm; its cache does not know of it yet."""
    cli.run("refresh")
    database = Database(cli.state_dir / "farm.db")
    now = clock()
    with database.together():
        _store(database, texts, now)
    database.close()
    for place, text in enumerate(texts):
        (cli.state_dir / "workers" / f"a1-{place}").mkdir()
        for folder in ("workers", "logs", "locks"):
            (cli.state_dir / folder / file_name(text)).mkdir(exist_ok=True)
        record = PassRecord(name=text, started=1, unattended_since=1)
        (cli.state_dir / "locks" / f"{place}.json").write_bytes(msgspec.json.encode(record))


def _store(database: Database, texts: Sequence[str], now: Instant) -> None:
    ledger = SqliteLedger(database, clock)
    bury = "INSERT INTO messages (queue, body, visible_at, receipt, dead, receives) VALUES ('new-jobs', ?, ?, ?, 1, 51)"
    for place, text in enumerate(texts):
        SqliteJobStore(database).submit([_job(state, place, text, now) for state in STATES])
        ledger.beat(Heartbeat(node=f"a1-{place}", started=now, at=now, slots=1, jobs=(text,), host=text, pid=5))
        ledger.beat(Heartbeat(node=text, started=now, at=now, slots=1, host=text))
        made_from: Inputs = {text: text, "nodes": 1}
        ledger.decide(Decision(at=now + place, launch=1, end=(text,), reasons=(text,), inputs=made_from, held=(text,)))
        for queue in ("new-jobs", "state-changes"):
            SqliteQueue(database, queue, clock).send([text])
    letters = [(text, place, str(place)) for place, text in enumerate(texts)]
    database.write(lambda connection: connection.executemany(bury, letters))


def file_name(text: str) -> str:
    """As much of a text as can be the name of a file."""
    return text.replace("/", "_").encode(errors="surrogateescape")[:200].decode(errors="surrogateescape")


def _job(state: JobState, place: int, text: str, now: Instant) -> EncodingJob:
    """A job whose every text is the one given. In work, its lease lasts, but for UPLOADING, whose worker is gone."""
    until = now + micros(-60 if state is JobState.UPLOADING else 60)
    return make_job(
        id=id_in(state, place),
        source=text,
        dest=text,
        state=state,
        created=now + place * len(STATES) + STATES.index(state),
        changed=now,
        options=(EncodePass(outfile_options=((text, text),), infile_options=((text, None),)),),
        preset=text,
        nommer=text,
        details=text,
        notify_url=text if state is JobState.ABANDONED else None,
        client_id=text,
        command=text,
        log=text,
        attempt=1,
        lease=make_lease(text, owner=text, until=until) if state in IN_WORK else None,
        progress=Progress(0.5, 25.0, 2.0, 10.0) if state in IN_WORK else None,
        history=(HistoryEntry(1, state, now, text, text),),
    )
