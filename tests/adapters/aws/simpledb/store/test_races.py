"""Writes at the same time: ours among each other, by their conditions; those of old programs, which have none."""

import pytest

from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.limits import AbandonAfter, AttemptLimits
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import IllegalMoveError, UnreachableError, UsageError
from tests.builders import job_id, make_job, make_lease
from tests.fakes.clock import START, FakeClock
from tests.simpledb.server import Cut, SimpleDB
from tests.simpledb_jobs import OURS, SETTINGS, OldPrograms

JOB = job_id(1)
LATE = START + micros(3 * 24 * 3600)


def claim(job: EncodingJob, name: str = "lease-1", now: Instant = START) -> EncodingJob:
    return moves.claimed(job, lease=make_lease(name), now=now, limits=AttemptLimits())


def abandon(job: EncodingJob) -> EncodingJob:
    return moves.abandoned(job, now=LATE, after=AbandonAfter(in_work=3600, pending=3600), limits=AttemptLimits())


def state(server: SimpleDB) -> set[str]:
    return server.items(SETTINGS.job_domain)[JOB]["job_state"]


def test_what_an_old_worker_finished_is_not_made_abandoned_from_an_old_view(
    store: SimpledbJobStore, server: SimpleDB, old: OldPrograms
) -> None:
    old.submit(JOB)
    old.change(JOB, "ENCODING", "2026-01-01 08:30:00.000000")
    stale = store.get([JOB])[JOB]
    old.change(JOB, "FINISHED", "2026-01-01 08:40:00.000000")

    with pytest.raises(IllegalMoveError, match="is FINISHED"):
        store.transition(stale, abandon)

    assert state(server) == {"FINISHED"}


@pytest.mark.parametrize("puts_before", [0, 1])
def test_an_old_worker_that_writes_between_our_read_and_our_write_is_not_overwritten(
    store: SimpledbJobStore,
    server: SimpleDB,
    old: OldPrograms,
    reports: list[str],
    puts_before: int,
) -> None:
    old.submit(JOB)
    old.change(JOB, "ENCODING", "2026-01-01 08:30:00.000000")

    def finish() -> None:
        old.change(JOB, "FINISHED", "2026-01-01 08:40:00.000000")

    for _ in range(puts_before):  # the side record's; then comes the item's
        server.meanwhile("PutAttributes", lambda: None)
    server.meanwhile("PutAttributes", finish)

    with pytest.raises(IllegalMoveError, match="is FINISHED"):
        store.transition(JOB, abandon)

    assert state(server) == {"FINISHED"}
    assert store.get([JOB])[JOB].state is JobState.FINISHED
    said = f"job {JOB} was made FINISHED by an old program while nommerctl made it ABANDONED from ENCODING: what that"
    assert [report[: len(said)] for report in reports] == [said]


def test_two_workers_that_claim_at_once_have_one_claim(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB
) -> None:
    store.submit([make_job(1)])
    won: list[EncodingJob] = []
    server.meanwhile("PutAttributes", lambda: won.append(other.transition(JOB, lambda job: claim(job, "theirs"))))

    with pytest.raises(IllegalMoveError, match="held by node-1"):
        store.transition(JOB, lambda job: claim(job, "ours"))

    assert store.get([JOB]) == {JOB: won[0]}
    assert won[0].lease == make_lease("theirs")


def test_one_that_writes_between_our_two_steps_makes_the_second_for_us(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB
) -> None:
    store.submit([make_job(1)])
    told: list[EncodingJob] = []
    server.meanwhile("PutAttributes", lambda: None)
    server.meanwhile("PutAttributes", lambda: told.append(other.transition(JOB, lambda job: moves.told(job, seq=7))))

    claimed = store.transition(JOB, claim)

    assert claimed.lease == make_lease()
    assert (told[0].state, told[0].lease, told[0].version) == (JobState.DOWNLOADING, make_lease(), 3)
    assert state(server) == {"DOWNLOADING"}
    assert store.get([JOB]) == {JOB: told[0]}


@pytest.mark.parametrize("reader", ["get", "unfinished"])
def test_who_reads_between_our_two_steps_reads_the_job_as_it_will_be(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB, reader: str
) -> None:
    store.submit([make_job(1)])
    read: list[EncodingJob] = []
    server.meanwhile("PutAttributes", lambda: None)
    server.meanwhile(
        "PutAttributes",
        lambda: read.extend(other.unfinished() if reader == "unfinished" else other.get([JOB]).values()),
    )

    claimed = store.transition(JOB, claim)

    assert read == [claimed]


@pytest.mark.parametrize(("reader", "operation"), [("unfinished", "Select"), ("get", "GetAttributes")])
def test_who_reads_while_we_write_takes_nothing_of_ours_for_anothers(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB, reader: str, operation: str
) -> None:
    # given a job that changes twice after its item was read, and before its side record is
    store.submit([make_job(1)])

    def change_twice() -> None:
        other.transition(JOB, claim)
        other.transition(
            JOB,
            lambda job: moves.advanced(job, lease_id="lease-1", to=JobState.ENCODING, until=LATE, now=START + 5),
        )

    server.meanwhile(operation, lambda: None)
    server.meanwhile(operation, change_twice)

    # when
    (job,) = store.unfinished() if reader == "unfinished" else store.get([JOB]).values()

    # then
    assert [(entry.state, entry.by) for entry in job.history[-2:]] == [
        (JobState.DOWNLOADING, "node-1"),
        (JobState.ENCODING, "node-1"),
    ]
    assert (job.lease is not None and job.lease.id, job.version) == ("lease-1", 3)


@pytest.mark.parametrize("finder", ["another write", "keep_seen"])
def test_a_write_whose_writer_died_after_the_first_step_is_completed(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB, finder: str
) -> None:
    # given
    store.submit([make_job(1)])
    server.meanwhile("PutAttributes", lambda: server.cut("PutAttributes", Cut.BEFORE, times=4))
    with pytest.raises(UnreachableError):
        store.transition(JOB, claim)
    assert state(server) == {"PENDING"}

    # when
    found = other.get([JOB])[JOB]
    if finder == "keep_seen":
        other.keep_seen([found])
    else:
        found = other.transition(JOB, lambda job: moves.told(job, seq=1))

    # then
    assert found.state is JobState.DOWNLOADING
    assert state(server) == {"DOWNLOADING"}
    assert other.get([JOB]) == {JOB: found}


@pytest.mark.parametrize("puts_before", [0, 1])
def test_a_write_whose_answer_is_lost_is_done_once(
    store: SimpledbJobStore, server: SimpleDB, reports: list[str], puts_before: int
) -> None:
    store.submit([make_job(1)])
    for _ in range(puts_before):
        server.meanwhile("PutAttributes", lambda: None)
    server.cut("PutAttributes", Cut.AFTER)

    claimed = store.transition(JOB, claim)

    assert (claimed.attempt, claimed.version) == (1, 2)
    assert store.get([JOB]) == {JOB: claimed}
    assert reports == []


@pytest.mark.parametrize("puts_before", [0, 1])
def test_a_submit_whose_answer_is_lost_is_done_once(
    store: SimpledbJobStore, server: SimpleDB, puts_before: int
) -> None:
    for _ in range(puts_before):
        server.meanwhile("PutAttributes", lambda: None)
    server.cut("PutAttributes", Cut.AFTER)

    stored = store.submit([make_job(1)])

    assert [*store.unfinished()] == stored


def test_a_submit_that_died_between_its_steps_is_no_job_and_can_be_made_again(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB
) -> None:
    server.put(OURS, "x", {"x": "x"})
    server.meanwhile("PutAttributes", lambda: server.cut("PutAttributes", Cut.BEFORE, times=4))
    with pytest.raises(UnreachableError):
        store.submit([make_job(1, source="/first.mov")])
    assert other.get([JOB]) == {}
    assert [*other.unfinished()] == []

    (job,) = other.submit([make_job(1, source="/second.mov")])

    assert job.source == "/first.mov"
    assert [*other.unfinished()] == [job]


def test_two_submits_of_one_job_at_once_store_it_once(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB
) -> None:
    theirs: list[EncodingJob] = []
    server.put(OURS, "x", {"x": "x"})
    server.meanwhile("PutAttributes", lambda: None)
    server.meanwhile("PutAttributes", lambda: theirs.extend(other.submit([make_job(1, source="/second.mov")])))

    ours = store.submit([make_job(1, source="/first.mov")])

    assert ours == theirs == [*store.unfinished()]


def test_a_job_that_is_claimed_while_it_is_submitted_again_stays_claimed(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB
) -> None:
    def submitted_and_claimed() -> None:
        other.submit([make_job(1)])
        other.transition(JOB, claim)

    server.meanwhile("PutAttributes", submitted_and_claimed)

    (job,) = store.submit([make_job(1)])

    assert job.lease == make_lease()
    assert store.get([JOB]) == {JOB: job}


def test_the_rest_of_a_removed_job_is_no_hindrance_to_its_like(
    store: SimpledbJobStore, server: SimpleDB, clock: FakeClock
) -> None:
    store.submit([make_job(1)])
    store.transition(JOB, lambda job: moves.cancelled(job, now=clock(), by="operator"))
    server.delete(SETTINGS.job_domain, JOB)

    (job,) = store.submit([make_job(1, source="/again.mov")])

    assert (job.source, job.version, job.state) == ("/again.mov", 1, JobState.PENDING)
    assert store.get([JOB]) == {JOB: job}


def test_a_job_that_is_removed_while_it_is_moved_is_gone(store: SimpledbJobStore, server: SimpleDB) -> None:
    store.submit([make_job(1)])
    server.meanwhile("PutAttributes", lambda: None)
    server.meanwhile("PutAttributes", lambda: server.delete(SETTINGS.job_domain, JOB))

    with pytest.raises(UsageError, match="no job"):
        store.transition(JOB, claim)

    assert server.items(SETTINGS.job_domain) == server.items(OURS) == {}


def test_a_job_that_changes_while_it_is_removed_stays(
    store: SimpledbJobStore, other: SimpledbJobStore, server: SimpleDB
) -> None:
    (job,) = store.submit([make_job(1)])

    def claim_it() -> None:
        other.transition(JOB, claim)

    server.meanwhile("DeleteAttributes", claim_it)

    assert not store.remove(job)

    assert state(server) == {"DOWNLOADING"}


def test_a_removal_whose_answer_is_lost_is_one(store: SimpledbJobStore, server: SimpleDB) -> None:
    (job,) = store.submit([make_job(1)])
    server.cut("DeleteAttributes", Cut.AFTER)

    assert store.remove(job)

    assert server.items(OURS) == {}


def test_reads_are_of_what_stands_whatever_others_lag(store: SimpledbJobStore, server: SimpleDB) -> None:
    server.lag = 5

    (job,) = store.submit([make_job(1)])
    claimed = store.transition(job, claim)

    assert [*store.unfinished()] == [claimed]
    assert store.find("0", 5) == [claimed]
