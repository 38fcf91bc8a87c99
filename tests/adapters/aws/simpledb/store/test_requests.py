"""How many requests it takes: SimpleDB has no batch of reads, and answers by pages of 1 MB."""

import pytest
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.adapters.aws.simpledb.side_records import attributes_of
from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob
from tests.builders import job_id, make_job
from tests.fakes.clock import FakeClock
from tests.simpledb.server import SimpleDB
from tests.simpledb_jobs import EIGHT, OURS, SETTINGS, OldPrograms

JOBS = 5000


def with_side_record(server: SimpleDB, number: int) -> None:
    job = moves.submitted(make_job(number, version=1, source=f"/srv/{'in/' * 20}{number}.mov"), by="submit")
    job = structs.replace(job, notify_url=None)
    server.put(OURS, job.id, attributes_of(job, fence=EIGHT, before=""))


@pytest.mark.slow
@pytest.mark.parametrize("beside", ["none", "all", "every other"])
def test_five_thousand_unfinished_jobs_load_in_a_few_requests(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms, beside: str
) -> None:
    for number in range(JOBS):
        old.submit(job_id(number))
        if beside == "all" or (beside == "every other" and number % 2):
            with_side_record(server, number)
    server.calls.clear()

    jobs = [*store.unfinished()]

    assert len(jobs) == JOBS
    assert (
        sum(job.source.startswith("/srv") for job in jobs) == {"none": 0, "all": JOBS, "every other": JOBS / 2}[beside]
    )
    assert server.calls.total() <= 2 + 50


@pytest.mark.slow
def test_a_thousand_jobs_are_read_in_a_hundred_requests_and_kept_in_forty(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms
) -> None:
    for number in range(1000):
        old.submit(job_id(number))
    server.put(OURS, "x", {"x": "x"})
    server.calls.clear()

    jobs = [*store.get(job_id(number) for number in range(1000)).values()]
    assert server.calls == {"Select": 100}
    store.keep_seen(jobs)

    assert server.calls == {"Select": 100, "BatchPutAttributes": 40}


@pytest.mark.slow
def test_five_thousand_jobs_to_which_nobody_listens_are_kept_in_none(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms
) -> None:
    for number in range(JOBS):
        old.submit(job_id(number), overrides={"notify_url": None})
    jobs = [*store.unfinished()]
    server.calls.clear()

    store.keep_seen(jobs)

    assert server.calls == {}


def test_a_change_of_state_takes_two_reads_and_two_writes(store: SimpledbJobStore, server: SimpleDB) -> None:
    store.submit([make_job(1)])
    server.calls.clear()

    def cancel(job: EncodingJob) -> EncodingJob:
        return moves.cancelled(job, now=job.changed + 1, by="operator")

    store.transition(job_id(1), cancel)

    assert server.calls == {"GetAttributes": 2, "PutAttributes": 2}


def test_a_farm_that_only_looks_makes_no_domain(clients: Clients, server: SimpleDB, old: OldPrograms) -> None:
    old.submit(job_id(1))
    looking = SimpledbJobStore(clients, "test", SETTINGS, FakeClock())

    assert len([*looking.unfinished(), *looking.finished_untold(), *looking.undelivered()]) == 1
    assert server.domains == [SETTINGS.job_domain]
