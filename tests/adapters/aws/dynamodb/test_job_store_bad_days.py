"""What becomes of jobs that are written to DynamoDB on a bad day."""

from collections.abc import Callable
from typing import TypeAlias

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.adapters.aws.names import jobs_table
from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.states import JobState
from nommerctl.errors import IllegalMoveError, NommerctlError, TryAgainError, UnreachableError
from tests.builders import job_id, make_job
from tests.dynamodb import THROTTLED, Fault, Wire, cancelled, error, farm_in, reset
from tests.fakes.clock import START

pytestmark = pytest.mark.slow

Jobs: TypeAlias = dict[JobId, EncodingJob]


def cancel(job: EncodingJob) -> EncodingJob:
    return moves.cancelled(job, now=START, by="operator")


def tell(seq: int) -> Callable[[EncodingJob], EncodingJob]:
    return lambda job: moves.told(job, seq=seq)


WRITES: dict[str, tuple[str, Callable[[DynamoJobStore, EncodingJob], object]]] = {
    "submit": ("TransactWriteItems", lambda store, _: store.submit([make_job(2), make_job(3)])),
    "transition": ("PutItem", lambda store, job: store.transition(job, cancel)),
    "transitions": ("TransactWriteItems", lambda store, job: store.transitions([(job, cancel)])),
    "remove": ("DeleteItem", lambda store, job: store.remove(job)),
}

each_write = pytest.mark.parametrize(("operation", "write"), WRITES.values(), ids=list(WRITES))


def in_store(store: DynamoJobStore) -> Jobs:
    return store.get(job_id(number) for number in range(5))


def undisturbed(
    write: Callable[[DynamoJobStore, EncodingJob], object], clients: Clients, pauses: list[float]
) -> tuple[object, Jobs]:
    """What a write returns, and what is in the store after it, where nothing happens."""
    with farm_in(clients) as farm:
        store = DynamoJobStore(clients, farm, pauses.append)
        (job,) = store.submit([make_job(1)])
        return write(store, job), in_store(store)


@each_write
@pytest.mark.parametrize("heeded", [True, False], ids=["answer lost", "broken off"])
def test_a_write_that_gets_no_answer_is_made_once(
    *,
    store: DynamoJobStore,
    clients: Clients,
    wire: Wire,
    pauses: list[float],
    operation: str,
    write: Callable[[DynamoJobStore, EncodingJob], object],
    heeded: bool,
) -> None:
    expected = undisturbed(write, clients, pauses)
    (job,) = store.submit([make_job(1)])
    wire.on(operation, *[wire.lost if heeded else reset] * 2)

    assert (write(store, job), in_store(store)) == expected


@each_write
@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (reset, UnreachableError, "AWS cannot be reached for dynamodb:"),
        (error("InternalServerError", status=500), UnreachableError, "AWS failed at dynamodb:"),
        (error(THROTTLED), TryAgainError, "AWS throttles dynamodb:"),
    ],
    ids=["reset", "500", "throttled"],
)
def test_a_write_that_is_never_taken_changes_nothing(
    *,
    store: DynamoJobStore,
    wire: Wire,
    operation: str,
    write: Callable[[DynamoJobStore, EncodingJob], object],
    fault: Fault,
    kind: type[NommerctlError],
    words: str,
) -> None:
    (job,) = store.submit([make_job(1)])
    wire.on(operation, *[fault] * 4)

    with pytest.raises(kind, match=words):
        write(store, job)

    assert in_store(store) == {job.id: job}


@each_write
def test_what_is_being_written_by_others_is_waited_for(
    *,
    store: DynamoJobStore,
    clients: Clients,
    wire: Wire,
    pauses: list[float],
    operation: str,
    write: Callable[[DynamoJobStore, EncodingJob], object],
) -> None:
    expected = undisturbed(write, clients, pauses)
    (job,) = store.submit([make_job(1)])
    together = operation == "TransactWriteItems"
    busy = cancelled("TransactionConflict", "None") if together else error("TransactionConflictException")
    wire.on(operation, *[busy] * 3)

    assert (write(store, job), in_store(store)) == expected
    assert len(pauses) == 3

    wire.on(operation, *[busy] * 7)
    with pytest.raises(TryAgainError, match=r"does not get round to dynamodb:.*: the next run tries again"):
        write(store, job)


def test_one_that_is_overtaken_and_another_that_is_busy_are_both_moved(store: DynamoJobStore, wire: Wire) -> None:
    jobs = store.submit([make_job(1), make_job(2)])
    told = store.transition(jobs[0], tell(7))
    standing = {"Code": "ConditionalCheckFailed", "Item": stored_item(wire, store, told)}
    wire.on(
        "TransactWriteItems",
        error("TransactionCanceledException", CancellationReasons=[standing, {"Code": "TransactionConflict"}]),
    )

    written = store.transitions([(job, cancel) for job in jobs])

    assert [(job.told, job.version) for job in written] == [(7, 3), (0, 2)]
    assert in_store(store) == {job.id: job for job in written}


def stored_item(wire: Wire, store: DynamoJobStore, job: EncodingJob) -> object:
    """The item of a job, as the wire has it."""
    found: list[object] = []

    def keep(answer: dict[str, object]) -> dict[str, object]:
        found.append(answer["Item"])
        return answer

    wire.on("GetItem", wire.changed(keep))
    store.get([job.id])
    return found[0]


def overtaken(wire: Wire, others: Callable[[], object]) -> Fault:
    """A write is heeded, others write over it, and then its answer is lost."""

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        wire.send(request)
        others()
        return reset(request)

    return fault


def test_a_move_whose_answer_is_lost_is_made_again_of_what_others_wrote_since(
    store: DynamoJobStore, wire: Wire
) -> None:
    (job,) = store.submit([make_job(1)])
    wire.on("PutItem", overtaken(wire, lambda: store.transition(job.id, cancel)))

    written = store.transition(job, tell(7))

    assert (written.state, written.told, written.version) == (JobState.ABANDONED, 7, 4)
    assert in_store(store) == {job.id: written}


def test_a_move_that_cannot_be_made_twice_is_refused_when_others_wrote_since(store: DynamoJobStore, wire: Wire) -> None:
    (job,) = store.submit([make_job(1)])
    wire.on("PutItem", overtaken(wire, lambda: store.transition(job.id, tell(7))))

    with pytest.raises(IllegalMoveError, match="is ABANDONED"):
        store.transition(job, cancel)

    assert in_store(store)[job.id].told == 7


def test_a_submit_whose_answer_is_lost_gives_the_jobs_as_they_are_by_then(store: DynamoJobStore, wire: Wire) -> None:
    wire.on("TransactWriteItems", overtaken(wire, lambda: None))

    jobs = store.submit([make_job(1), make_job(2)])

    assert in_store(store) == {job.id: job for job in jobs}


def test_an_error_among_hundreds_leaves_the_first_ones_and_the_rest_can_be_submitted_again(
    store: DynamoJobStore, wire: Wire
) -> None:
    jobs = [make_job(number) for number in range(150)]
    wire.on("TransactWriteItems", wire.send, error("AccessDeniedException"))

    with pytest.raises(NommerctlError, match=r"dynamodb:PutItem on table .*lack the permission"):
        store.submit(jobs)
    assert len(store.get(job.id for job in jobs)) == 100

    assert [job.version for job in store.submit(jobs)] == [1] * 150
    assert len(store.get(job.id for job in jobs)) == 150


def test_a_damaged_record_that_is_in_the_way_of_a_write_is_named(
    store: DynamoJobStore, clients: Clients, farm: str
) -> None:
    (job,) = store.submit([make_job(1)])
    clients.dynamodb.put_item(TableName=jobs_table(farm), Item={"id": {"S": job.id}, "record": {"S": "{"}})

    for write in (lambda: store.submit([job]), lambda: store.transition(job, cancel)):
        with pytest.raises(UnreachableError, match=f"the record of job {job.id} in table .* is damaged"):
            write()
