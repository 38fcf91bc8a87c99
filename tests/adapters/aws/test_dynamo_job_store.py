"""What writing jobs to DynamoDB costs, how large they may be, and what becomes of a write on a bad day."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.job_items import SUBMITTED_BYTES
from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.adapters.aws.names import jobs_table
from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob, JobId
from nommerctl.domain.record_size import record_size
from nommerctl.domain.states import JobState
from nommerctl.errors import IllegalMoveError, NommerctlError, TryAgainError, UnreachableError, UsageError
from tests.builders import job_id, make_job, make_lease
from tests.dynamodb import THROTTLED, Fault, Wire, cancelled, clients_of, error, farm_in, reset, wire_to
from tests.fakes.clock import START

Jobs: TypeAlias = dict[JobId, EncodingJob]


@pytest.fixture(scope="module", params=["moto", "ministack"])
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    """moto refuses a transaction that is repeated by its token, MiniStack takes it for done as DynamoDB does."""
    with clients_of(request.getfixturevalue(f"{request.param}_url")) as clients:
        yield clients


@pytest.fixture
def farm(clients: Clients) -> Iterator[str]:
    with farm_in(clients) as farm:
        yield farm


@pytest.fixture
def pauses() -> list[float]:
    """What the store slept for, in seconds."""
    return []


@pytest.fixture
def store(clients: Clients, farm: str, pauses: list[float]) -> DynamoJobStore:
    return DynamoJobStore(clients, farm, pauses.append)


@pytest.fixture
def wire(clients: Clients) -> Iterator[Wire]:
    with wire_to(clients) as wire:
        yield wire


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
    held = structs.replace(job, state=JobState.ENCODING, lease=make_lease())
    why = '"\x01é' * 1024

    def fail(job: EncodingJob) -> EncodingJob:
        return moves.failed(job, lease_id="lease-1", now=START, details=why, command="ffmpeg " * 30_000, log=why)

    for turn in range(70):
        job = store.transition(structs.replace(held, version=job.version, history=job.history), fail)
        assert job.version == turn + 2

    assert job.details == job.history[-1].details
    assert job.log is not None
    assert (job.command, job.history[0].details) == (None, None)
    assert len(job.history) == 70
    assert store.get([job.id]) == {job.id: job}


# --- a bad day

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
