"""Many processes on one farm.db, as cron and the workers are, and what is left when one of them is killed."""

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.domain.fleet import Depth
from nommerctl.domain.states import JobState
from tests.adapters.local import farm_crowd
from tests.builders import job_id, make_job
from tests.fakes.clock import FakeClock

JOBS = 120


def test_processes_that_open_a_new_farm_at_once_all_find_it(farm: Path) -> None:
    assert farm_crowd.run_at_once(farm_crowd.count_jobs, farm) == [0] * farm_crowd.PROCESSES


@pytest.mark.slow
def test_i3_of_eight_processes_one_claims_each_job(farm: Path) -> None:
    with closing(Database(farm)) as database:
        store, queue = SqliteJobStore(database), SqliteQueue(database, "new-jobs", FakeClock())
        store.submit([make_job(number) for number in range(JOBS)])
        queue.send([job_id(number) for number in range(JOBS)] * 2)  # a message comes at least once

        won = farm_crowd.run_at_once(farm_crowd.claim_until_empty, farm)

        claimed = {job.id: job for job in store.in_state(JobState.DOWNLOADING)}
        assert sorted(claimed) == sorted(identity for ids in won for identity in ids)
        assert sorted(claimed) == [job_id(number) for number in range(JOBS)]
        assert {job.attempt for job in claimed.values()} == {1}
        assert all(claimed[identity].node == f"node-{number}" for number, ids in enumerate(won) for identity in ids)
        assert queue.depth() == Depth(in_flight=JOBS)


def test_i3_of_two_processes_that_race_for_a_job_one_gets_it_and_the_other_may_not_write(farm: Path) -> None:
    with closing(Database(farm)) as database:
        store = SqliteJobStore(database)
        store.submit([make_job(number) for number in range(farm_crowd.RACES)])

        won = farm_crowd.run_at_once(farm_crowd.race_for_each, farm, processes=2)

        assert sorted(identity for ids in won for identity in ids) == [job_id(n) for n in range(farm_crowd.RACES)]
        claimed = {job.id: job for job in store.in_state(JobState.DOWNLOADING)}
        assert {job.id: (job.attempt, job.node, job.version) for job in claimed.values()} == {
            identity: (1, f"node-{number}", 2) for number, ids in enumerate(won) for identity in ids
        }


@pytest.mark.slow
def test_transitions_of_eight_processes_all_count(farm: Path) -> None:
    with closing(Database(farm)) as database:
        store = SqliteJobStore(database)
        store.submit([make_job(1)])

        farm_crowd.run_at_once(farm_crowd.raise_told, farm)

        written = farm_crowd.PROCESSES * farm_crowd.TRANSITIONS
        job = store.get([job_id(1)])[job_id(1)]
        assert (job.told, job.version) == (written, written + 1)


def test_a_process_killed_while_it_writes_leaves_nothing_behind(farm: Path) -> None:
    with closing(Database(farm)) as database:
        (job,) = SqliteJobStore(database).submit([make_job(1)])

    command = [sys.executable, "-m", farm_crowd.__name__, str(farm)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        assert farm.with_name("farm.db-wal").stat().st_size > 1_000_000
        writer.kill()

    began = time.monotonic()
    with closing(Database(farm)) as database:
        store = SqliteJobStore(database)
        assert store.get([job.id]) == {job.id: job}
        ledger = SqliteLedger(database, FakeClock())
        assert (ledger.overview().generation, ledger.decisions(limit=1)) == (0, [])
        assert len(store.submit([make_job(2)])) == 1
    assert time.monotonic() - began < 5
