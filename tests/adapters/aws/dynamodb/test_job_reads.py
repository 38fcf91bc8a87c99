"""What reading jobs from DynamoDB costs, and what it does when the index is behind or AWS has a bad day."""

import json
from collections.abc import Callable, Iterator
from time import sleep

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.job_items import item_of
from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.adapters.aws.names import jobs_table
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import PermissionDeniedError, SettingsError, TryAgainError, UnreachableError
from tests.builders import job_id, make_job
from tests.dynamodb import THROTTLED, Body, Fault, Wire, answer, body_of, clients_of, error
from tests.fakes.clock import START

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clients(ministack_url: str) -> Iterator[Clients]:
    """MiniStack alone: what is read is the same on both, and moto takes its time to write it."""
    with clients_of(ministack_url) as clients:
        yield clients


def write_item(clients: Clients, farm: str, job: EncodingJob, **attributes: Body) -> None:
    """Write an item as no store writes it."""
    clients.dynamodb.put_item(TableName=jobs_table(farm), Item={**item_of(job), **attributes})


def asked_keys(body: Body) -> list[str]:
    """The ids that a BatchGetItem asks for."""
    (table,) = body["RequestItems"].values()
    return [key["id"]["S"] for key in table["Keys"]]


def silent(store: DynamoJobStore, before: Instant) -> Iterator[EncodingJob]:
    return store.silent(in_work_before=before, pending_before=before)


# --- what it costs


def test_jobs_are_got_by_the_hundred(store: DynamoJobStore, wire: Wire) -> None:
    store.submit([make_job(number) for number in range(250)])
    wire.sent.clear()

    found = store.get(job_id(number) for number in (*range(250), *range(250)))

    assert list(found) == [job_id(number) for number in range(250)]
    assert wire.sent == ["BatchGetItem"] * 3


def test_one_job_is_got_by_itself_and_nothing_for_nothing(store: DynamoJobStore, wire: Wire) -> None:
    store.get([job_id(1), job_id(1)])
    store.get([])
    store.get(["", "not an id", "0" * 49])

    assert wire.sent == ["GetItem"]


def test_silent_jobs_are_found_without_reading_the_others(store: DynamoJobStore, wire: Wire) -> None:
    pending = [make_job(number, changed=START + micros(number)) for number in range(0, 150, 2)]
    in_work = [make_job(number, changed=START + micros(number), state=JobState.ENCODING) for number in range(1, 150, 2)]
    store.submit([*pending, *in_work])
    wire.sent.clear()
    wire.bodies.clear()

    found = list(store.silent(in_work_before=START + micros(6), pending_before=START + micros(3)))

    ids = [job_id(0), job_id(1), job_id(2), job_id(3), job_id(5)]
    assert [job.id for job in found] == ids
    assert wire.sent == ["Query", "Query", "BatchGetItem"]
    assert asked_keys(wire.bodies[2]) == ids


def test_of_a_list_that_is_not_read_to_its_end_only_some_batches_are_read(store: DynamoJobStore, wire: Wire) -> None:
    store.submit([make_job(number) for number in range(1200)])
    wire.sent.clear()

    jobs = store.unfinished()
    assert next(jobs).id == job_id(0)
    jobs.close()  # type: ignore[attr-defined]  # it is a generator

    assert wire.sent[0] == "Query"
    assert 1 <= wire.sent.count("BatchGetItem") <= 9


def test_a_prefix_is_two_queries_and_a_whole_id_none(store: DynamoJobStore, wire: Wire) -> None:
    store.submit([make_job(1)])
    wire.sent.clear()

    assert store.find(job_id(1)[:12], limit=5) == store.find(job_id(1), limit=5)
    assert store.find("0f", limit=5) == []
    assert store.find("xyz", limit=5) == []
    assert store.find("0", limit=0) == []

    # the other query of each is for those whose listener was given up
    assert wire.sent == ["Query", "Query", "GetItem", "GetItem", "Query", "Query"]


def test_the_first_ids_of_all_are_looked_for_no_further_than_needed(store: DynamoJobStore, wire: Wire) -> None:
    store.submit([structs.replace(make_job(1), id=f"{number % 4:x}{number:049x}") for number in range(8)])
    wire.sent.clear()

    assert [job.id[0] for job in store.find("", limit=4)] == ["0", "0", "1", "1"]

    assert wire.sent == ["Query", "Query", "Query", "BatchGetItem"]


# --- an index that is behind


def test_a_list_leaves_out_what_no_longer_belongs_there(store: DynamoJobStore, clients: Clients, farm: str) -> None:
    store.submit([make_job(1), make_job(2)])
    write_item(clients, farm, make_job(2, state=JobState.FINISHED), phase={"S": "pending"}, state={"S": "PENDING"})
    write_item(clients, farm, make_job(3), phase={"S": "finished"}, state={"S": "FINISHED"})

    assert [job.id for job in store.unfinished()] == [job_id(1)]
    assert [job.id for job in silent(store, START + micros(60))] == [job_id(1)]
    assert [job.id for job in store.in_state(JobState.PENDING)] == [job_id(1)]
    assert list(store.in_state(JobState.FINISHED)) == []
    assert list(store.finished_since(0)) == []
    assert list(store.finished_before(START + micros(60))) == []
    assert list(store.finished_untold()) == []


def test_a_list_goes_by_what_a_job_is_now_and_not_when_it_last_changed_then(
    store: DynamoJobStore, clients: Clients, farm: str
) -> None:
    write_item(clients, farm, make_job(1, changed=START + micros(90)), changed={"N": str(START)})

    assert list(silent(store, START + micros(60))) == []


def test_a_list_leaves_out_what_was_removed(store: DynamoJobStore, wire: Wire) -> None:
    store.submit([make_job(1)])
    gone = {"id": {"S": job_id(2)}, "changed": {"N": str(START)}, "created": {"N": str(START)}}
    wire.on("Query", *[wire.changed(lambda page: {**page, "Items": [gone, *page["Items"]]})] * 3)

    assert [job.id for job in store.unfinished()] == [job_id(1)]
    assert [job.id for job in store.in_state(JobState.PENDING)] == [job_id(1)]


# --- bad days


def half_of_it(wire: Wire) -> Fault:
    """Half of a batch comes, the rest is left for another time."""

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        body = body_of(request)
        ((table, asked),) = body["RequestItems"].items()
        half = len(asked["Keys"]) // 2
        left = {table: {**asked, "Keys": asked["Keys"][half:]}}
        request.body = json.dumps({"RequestItems": {table: {**asked, "Keys": asked["Keys"][:half]}}}).encode()
        request.headers["Content-Length"] = str(len(request.body))
        some = json.loads(wire.send(request).content)
        return answer(request, 200, {**some, "UnprocessedKeys": left})

    return fault


def nothing_of_it(request: AWSPreparedRequest) -> AWSResponse:
    """A whole batch is left for another time."""
    body = body_of(request)
    return answer(request, 200, {"Responses": {}, "UnprocessedKeys": body["RequestItems"]})


def test_what_is_left_of_a_batch_is_asked_for_again(store: DynamoJobStore, wire: Wire, pauses: list[float]) -> None:
    jobs = store.submit([make_job(number) for number in range(100)])
    wire.sent.clear()
    wire.on("BatchGetItem", half_of_it(wire), nothing_of_it, half_of_it(wire))

    assert store.get(job.id for job in jobs) == {job.id: job for job in jobs}

    assert wire.sent == ["BatchGetItem"] * 4
    assert len(pauses) == 3


def test_a_batch_that_is_never_read_whole_is_an_error(store: DynamoJobStore, wire: Wire, pauses: list[float]) -> None:
    store.submit([make_job(1), make_job(2)])
    wire.on("BatchGetItem", half_of_it(wire), *[nothing_of_it] * 7)

    with pytest.raises(TryAgainError, match=r"dynamodb:BatchGetItem on table .*: the next run tries again"):
        store.get([job_id(1), job_id(2)])

    assert pauses[1:] == sorted(pauses[1:])
    assert sum(pauses) < 5


def test_credentials_that_expire_in_the_middle_of_a_list_leave_no_list_that_looks_whole(
    store: DynamoJobStore, wire: Wire
) -> None:
    store.submit([make_job(number) for number in range(300)])
    expired = error("ExpiredTokenException", "The security token included in the request is expired")
    wire.on("BatchGetItem", wire.send, expired)

    with pytest.raises(PermissionDeniedError, match=r"BatchGetItem.*have expired: renew them"):
        list(store.unfinished())


def test_a_page_of_the_index_that_cannot_be_read_is_an_error(store: DynamoJobStore, wire: Wire) -> None:
    store.submit([make_job(1)])
    there_is_more = wire.changed(
        lambda page: {**page, "LastEvaluatedKey": {key: page["Items"][0][key] for key in ("id", "phase", "changed")}}
    )
    wire.on("Query", there_is_more, error("AccessDeniedException"))

    with pytest.raises(PermissionDeniedError, match="dynamodb:Query on index 'by-change' of table"):
        list(silent(store, START + micros(60)))


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (error(THROTTLED), TryAgainError, "throttles dynamodb:GetItem"),
        (error("InternalServerError", status=500), UnreachableError, "failed at dynamodb:GetItem"),
        (error("AccessDeniedException"), PermissionDeniedError, "dynamodb:GetItem on table 'nommerctl-.*permission"),
        (error("ResourceNotFoundException"), SettingsError, "table 'nommerctl-test-.*-jobs' is not there"),
    ],
)
def test_a_refusal_names_call_and_table(
    store: DynamoJobStore, wire: Wire, fault: Fault, kind: type[Exception], words: str
) -> None:
    wire.on("GetItem", *[fault] * 4)

    with pytest.raises(kind, match=words):
        store.get([job_id(1)])


@pytest.mark.parametrize(
    ("operation", "lack", "read"),
    [
        ("BatchGetItem", "Responses", lambda store: store.get([job_id(1), job_id(2)])),
        ("BatchGetItem", "UnprocessedKeys", lambda store: store.get([job_id(1), job_id(2)])),
        ("Query", "Items", lambda store: list(store.unfinished())),
    ],
)
def test_an_answer_without_what_must_be_in_it_is_not_taken_for_no_jobs(
    store: DynamoJobStore, wire: Wire, operation: str, lack: str, read: Callable[[DynamoJobStore], object]
) -> None:
    wire.on(operation, wire.changed(lambda body: {name: body[name] for name in body if name != lack}))

    with pytest.raises(
        UnreachableError, match=rf"dynamodb:{operation} on .* is not what AWS answers \(it lacks '{lack}'"
    ):
        read(store)


def test_a_farm_without_tables_is_a_matter_of_settings(clients: Clients) -> None:
    store = DynamoJobStore(clients, "elsewhere", sleep)

    for read in (lambda: store.get([job_id(1), job_id(2)]), lambda: list(store.unfinished())):
        with pytest.raises(SettingsError, match="table 'nommerctl-elsewhere-jobs' is not there"):
            read()


# --- damaged records


@pytest.mark.parametrize(
    "damage",
    [
        {"record": {"S": "{"}},
        {"record": {"S": ""}},
        {"record": {"S": '{"id":"\\ud800"}'}},
        {"record": {"S": "[" * 100_000}},
        {"record": {"N": "1"}},
        {"record": item_of(make_job(2))["record"]},
        {"version": {"N": "7"}},
        {"version": {"S": "0"}},
    ],
    ids=["cut off", "empty", "no Unicode", "deep", "a number", "another job's", "another version", "a text"],
)
def test_a_damaged_record_is_named_with_what_to_do(
    store: DynamoJobStore, clients: Clients, farm: str, damage: Body
) -> None:
    write_item(clients, farm, make_job(1), **damage)

    for read in (lambda: store.get([job_id(1)]), lambda: list(store.unfinished())):
        with pytest.raises(UnreachableError) as raised:
            read()
        assert f"the record of job {job_id(1)} in table '{jobs_table(farm)}' is damaged (" in str(raised.value)
        assert "restore the table to an earlier point in time, or delete this item from it" in str(raised.value)
