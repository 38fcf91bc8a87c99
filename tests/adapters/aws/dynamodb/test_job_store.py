"""What writing jobs to DynamoDB costs, and how large they may be."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from msgspec import structs

from nommerctl.adapters.aws.job_items import SUBMITTED_BYTES
from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.record_size import record_size
from nommerctl.domain.states import JobState
from nommerctl.errors import UsageError
from tests.builders import job_id, make_job, make_lease
from tests.dynamodb import Wire
from tests.fakes.clock import START

pytestmark = pytest.mark.slow

Jobs: TypeAlias = dict[JobId, EncodingJob]


def cancel(job: EncodingJob) -> EncodingJob:
    return moves.cancelled(job, now=START, by="operator")


def tell(seq: int) -> Callable[[EncodingJob], EncodingJob]:
    return lambda job: moves.told(job, seq=seq)


# --- what it costs


def test_jobs_are_submitted_by_the_hundred(store: DynamoJobStore, wire: Wire) -> None:
    store.submit([make_job(number) for number in range(201)])

    assert wire.sent == ["TransactWriteItems"] * 3


def test_of_a_hundred_those_that_exist_are_not_read_again(store: DynamoJobStore, wire: Wire) -> None:
    standing = store.submit([make_job(number) for number in (3, 50, 99)])
    wire.sent.clear()

    stored = store.submit([make_job(number, source="file:///new.mov") for number in range(100)])

    assert [stored[number] for number in (3, 50, 99)] == standing
    assert store.get([job_id(4)]) == {job_id(4): stored[4]}
    assert stored[4].source == "file:///new.mov"
    assert wire.sent == ["TransactWriteItems", "TransactWriteItems", "GetItem"]


def test_a_transition_is_one_request_given_the_job_and_two_given_its_id(store: DynamoJobStore, wire: Wire) -> None:
    (job,) = store.submit([make_job(1)])
    wire.sent.clear()

    store.transition(job, tell(1))
    assert wire.sent == ["PutItem"]

    store.transition(job.id, tell(2))
    assert wire.sent == ["PutItem", "GetItem", "PutItem"]


def test_a_job_that_was_written_meanwhile_is_not_read_again(store: DynamoJobStore, wire: Wire) -> None:
    (stale,) = store.submit([make_job(1)])
    store.transition(stale, tell(1))
    wire.sent.clear()

    assert store.transition(stale, cancel).told == 1

    assert wire.sent == ["PutItem", "PutItem"]


def test_many_moves_are_made_by_twenty_five(store: DynamoJobStore, wire: Wire) -> None:
    jobs = store.submit([make_job(number) for number in range(51)])
    wire.sent.clear()

    store.transitions([(job, cancel) for job in jobs])

    assert wire.sent == ["TransactWriteItems"] * 3


def test_of_many_moves_those_that_were_overtaken_are_made_singly(store: DynamoJobStore, wire: Wire) -> None:
    jobs = store.submit([make_job(number) for number in range(25)])
    store.transition(jobs[7], tell(1))
    store.remove(jobs[8])
    wire.sent.clear()

    written = store.transitions([(job, cancel) for job in jobs])

    assert [int(job.id, 16) for job in written] == [*range(8), *range(9, 25)]
    assert wire.sent == ["TransactWriteItems", "PutItem", "TransactWriteItems"]


def test_of_many_moves_those_that_a_job_as_given_forbids_are_tried_on_the_job_as_it_is(
    store: DynamoJobStore, wire: Wire
) -> None:
    jobs = store.submit([make_job(number, state=JobState.FINISHED) for number in range(3)])
    wire.sent.clear()

    assert store.transitions([(job, cancel) for job in jobs]) == []

    assert wire.sent == ["BatchGetItem"]


# --- how large a job may be


def sized(number: int, size: int) -> EncodingJob:
    """A job whose record takes so many bytes."""
    job = make_job(number, version=1, source="/srv/in/")
    return structs.replace(job, source=job.source + "x" * (size - record_size(job)))


def test_a_job_that_is_too_large_is_refused_before_anything_is_stored(store: DynamoJobStore, wire: Wire) -> None:
    jobs = [make_job(1), sized(2, SUBMITTED_BYTES + 1)]

    with pytest.raises(UsageError) as raised:
        store.submit(jobs)

    assert str(raised.value) == (
        f"the record of job {job_id(2)} takes 262,145 bytes, and the backend aws has room for 262,144: make its"
        " options, source, destination or notify_url shorter"
    )
    assert wire.sent == []


def test_large_jobs_go_into_several_transactions(store: DynamoJobStore, wire: Wire) -> None:
    jobs = store.submit([sized(number, SUBMITTED_BYTES) for number in range(20)])
    assert wire.sent == ["TransactWriteItems"] * 2
    wire.sent.clear()

    written = store.transitions([(job, cancel) for job in jobs])

    assert wire.sent == ["TransactWriteItems"] * 2
    assert store.get(job.id for job in jobs) == {job.id: job for job in written}


def test_a_job_that_grows_and_grows_can_always_be_written(store: DynamoJobStore) -> None:
    listened_to = sized(1, SUBMITTED_BYTES - 100)
    (job,) = store.submit([structs.replace(listened_to, notify_url="https://listener.example/")])
    job_as_stored = job.version
    held = structs.replace(job, state=JobState.ENCODING, lease=make_lease())
    why = '"\x01é' * 1024

    def fail(job: EncodingJob) -> EncodingJob:
        return moves.failed(job, lease_id="lease-1", now=START, details=why, command="ffmpeg " * 30_000, log=why)

    for turn in range(70):
        job = store.transition(structs.replace(held, version=job.version, history=job.history), fail)
        assert job.version == job_as_stored + turn + 1

    assert job.details == job.history[-1].details
    assert job.log is not None
    assert (job.command, job.history[0].details) == (None, None)
    assert len(job.history) == 70
    assert store.get([job.id]) == {job.id: job}
