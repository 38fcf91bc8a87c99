"""Bad days of SQS: throttled, broken, slow, half done, done but not answered, refused, not there."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from nommerctl.adapters.aws.clients import ATTEMPTS, Clients
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.sqs import SqsQueue
from nommerctl.adapters.aws.sqs_entries import PAUSES
from nommerctl.domain.fleet import Depth
from nommerctl.errors import (
    NommerctlError,
    PermissionDeniedError,
    SettingsError,
    TimeLimitError,
    TryAgainError,
    UnreachableError,
)
from nommerctl.ports import Message
from tests.adapters.aws.sqs_farm import (
    Fault,
    SqsFarm,
    answered,
    done_but_for,
    entries_failed,
    refusal,
    reply_lost,
    reset,
    sqs_farm,
    timed_out,
)

pytestmark = pytest.mark.slow

THROTTLED = refusal("RequestThrottled", "Request is throttled.")
BROKEN = refusal("InternalFailure", status=500)
OLD = [Message(body="a", receipt="old")]

CALLS: dict[str, tuple[str, Callable[[SqsQueue], object]]] = {
    "SendMessageBatch": ("SendMessage", lambda queue: queue.send(["b"])),
    "ReceiveMessage": ("ReceiveMessage", lambda queue: queue.receive(10, visibility=90)),
    "ChangeMessageVisibilityBatch": ("ChangeMessageVisibility", lambda queue: queue.extend(OLD, visibility=90)),
    "DeleteMessageBatch": ("DeleteMessage", lambda queue: queue.delete(OLD)),
    "GetQueueAttributes": ("GetQueueAttributes", lambda queue: queue.depth()),
}
"""By the operation, its action in IAM and what makes the call."""


@pytest.fixture
def farm(ministack_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsFarm]:
    with sqs_farm(ministack_url, tmp_path, monkeypatch) as farm:
        yield farm


def bodies(messages: Sequence[Message]) -> list[str]:
    return sorted(message.body for message in messages)


# --- a whole request fails


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, reset, timed_out], ids=["throttled", "500", "reset", "time-out"])
def test_any_call_that_fails_for_a_moment_is_done_all_the_same(farm: SqsFarm, fault: Fault) -> None:
    for operation, (_, call) in CALLS.items():
        farm.wire.meets(operation, fault)
        call(farm.queue)

    assert farm.wire.requests == dict.fromkeys(CALLS, 2)


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        (THROTTLED, TryAgainError, "AWS throttles sqs:{} on queue '{}' (RequestThrottled): the next run tries again"),
        (BROKEN, UnreachableError, "AWS failed at sqs:{} on queue '{}' (InternalFailure)"),
        (reset, UnreachableError, "AWS cannot be reached for sqs:{} on queue '{}': Connection was closed"),
        (timed_out, UnreachableError, "AWS cannot be reached for sqs:{} on queue '{}': Read timeout"),
    ],
    ids=["throttled", "500", "reset", "time-out"],
)
def test_any_call_that_goes_on_failing_says_so(
    farm: SqsFarm, fault: Fault, kind: type[NommerctlError], sentence: str
) -> None:
    for operation, (action, call) in CALLS.items():
        farm.wire.always_meets(operation, fault)
        with pytest.raises(kind) as caught:
            call(farm.queue)
        assert str(caught.value).startswith(sentence.format(action, farm.name))

    assert farm.wire.requests == dict.fromkeys(CALLS, ATTEMPTS)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (refusal("AccessDenied"), "the credentials lack the permission for it"),
        (refusal("AccessDeniedException"), "the credentials lack the permission for it"),
        (refusal("ExpiredToken", "The token is expired", status=403), "the credentials have expired: renew them"),
    ],
    ids=["denied", "denied exception", "expired"],
)
def test_any_call_that_is_refused_names_its_action(farm: SqsFarm, fault: Fault, reason: str) -> None:
    for operation, (action, call) in CALLS.items():
        farm.wire.always_meets(operation, fault)
        with pytest.raises(PermissionDeniedError) as caught:
            call(farm.queue)
        assert str(caught.value) == f"AWS refuses sqs:{action} on queue '{farm.name}': {reason}"

    assert farm.wire.requests == dict.fromkeys(CALLS, 1)


@pytest.mark.parametrize("operation", sorted(CALLS.keys() - {"ReceiveMessage"}))
def test_an_answer_without_what_must_be_in_it_is_none(farm: SqsFarm, operation: str) -> None:
    action, call = CALLS[operation]
    farm.wire.meets(operation, answered(200, {}))

    with pytest.raises(UnreachableError, match=f"^what came in answer to sqs:{action} on queue '{farm.name}' is not"):
        call(farm.queue)


def test_any_call_about_a_queue_that_is_not_there_names_it(farm: SqsFarm) -> None:
    farm.clients.sqs.delete_queue(QueueUrl=farm.url)

    for _, call in CALLS.values():
        with pytest.raises(SettingsError, match=f"^queue '{farm.name}' is not there in this account and region"):
            call(farm.queue)


def test_a_missing_queue_of_dead_letters_is_named(farm: SqsFarm) -> None:
    farm.clients.sqs.delete_queue(QueueUrl=farm.dead_url)

    with pytest.raises(SettingsError, match=f"^queue '{farm.dead_name}' is not there"):
        farm.queue.dead_count()


def test_i8_the_time_limit_is_heeded_in_the_midst_of_many_batches(farm: SqsFarm) -> None:
    calls: list[int] = []

    def keep_on() -> None:
        calls.append(1)
        if len(calls) > 5:
            msg = "the time is up"
            raise TimeLimitError(msg)

    hurried = Clients(keep_on=keep_on)
    queue = SqsQueue(hurried, farm.name, QueueUrls(hurried, farm.urls_file))

    with pytest.raises(TimeLimitError):
        queue.send(["a"] * 1000)

    hurried.close()
    assert farm.queue.depth().total == 50
    assert len(calls) < 100


def test_i4_what_was_received_before_a_failure_is_returned_and_the_failure_is_met_again(farm: SqsFarm) -> None:
    farm.queue.send([f"{number:02}" for number in range(30)])
    farm.wire.meets("ReceiveMessage", lambda _: None)
    farm.wire.always_meets("ReceiveMessage", refusal("AccessDenied"))

    assert len(farm.queue.receive(1000, visibility=90)) == 10
    with pytest.raises(PermissionDeniedError):
        farm.queue.receive(1000, visibility=90)


# --- the reply is lost


def test_i4_messages_whose_receive_was_not_answered_come_back(farm: SqsFarm) -> None:
    farm.queue.send(["a", "b"])
    farm.wire.meets("ReceiveMessage", reply_lost)

    assert farm.queue.receive(10, visibility=90) == []
    assert farm.queue.depth() == Depth(in_flight=2)


def test_i4_a_send_that_was_not_answered_is_repeated(farm: SqsFarm) -> None:
    farm.wire.meets("SendMessageBatch", reply_lost)

    farm.queue.send(["a", "b"])

    assert bodies(farm.queue.receive(10, visibility=90)) == ["a", "a", "b", "b"]


def test_a_deletion_that_was_not_answered_is_done(farm: SqsFarm) -> None:
    farm.queue.send(["a", "b"])
    messages = farm.queue.receive(10, visibility=90)
    farm.wire.meets("DeleteMessageBatch", reply_lost)

    farm.queue.delete(messages)

    assert farm.queue.depth() == Depth()


def test_giving_back_that_was_not_answered_is_done(farm: SqsFarm) -> None:
    farm.queue.send(["a"])
    messages = farm.queue.receive(10, visibility=90)
    farm.wire.meets("ChangeMessageVisibilityBatch", reply_lost)

    farm.queue.extend(messages, visibility=0)

    assert farm.queue.depth() == Depth(visible=1)


# --- a part of a batch fails


def test_the_failed_half_of_a_sent_batch_is_sent_again(farm: SqsFarm) -> None:
    farm.wire.meets("SendMessageBatch", done_but_for(0, 2, 4, 6, 8), done_but_for(1, 3))

    farm.queue.send(list("abcdefghij"))

    assert [len(asked["Entries"]) for asked in farm.wire.asked["SendMessageBatch"]] == [10, 5, 2]
    assert bodies(farm.queue.receive(10, visibility=90)) == list("abcdefghij")
    assert farm.pauses == [PAUSES[0], PAUSES[1]]


def test_the_failed_half_of_a_deleted_batch_is_deleted_again(farm: SqsFarm) -> None:
    farm.queue.send(list("abcdefghij"))
    messages = farm.queue.receive(10, visibility=90)
    farm.wire.meets("DeleteMessageBatch", done_but_for(0, 2, 4, 6, 8))

    farm.queue.delete(messages)

    assert farm.queue.depth() == Depth()


def test_the_failed_half_of_an_extended_batch_is_extended_again(farm: SqsFarm) -> None:
    farm.queue.send(list("abcdefghij"))
    messages = farm.queue.receive(10, visibility=90)
    farm.wire.meets("ChangeMessageVisibilityBatch", done_but_for(0, 2, 4, 6, 8))

    farm.queue.extend(messages, visibility=0)

    assert farm.queue.depth() == Depth(visible=10)


@pytest.mark.parametrize(("code", "kind"), [("InternalError", UnreachableError), ("RequestThrottled", TryAgainError)])
def test_an_entry_that_goes_on_failing_says_so_and_the_others_stand(
    farm: SqsFarm, code: str, kind: type[NommerctlError]
) -> None:
    farm.wire.meets("SendMessageBatch", done_but_for(1))
    farm.wire.always_meets("SendMessageBatch", entries_failed(None, code, sender_fault=kind is TryAgainError))

    with pytest.raises(kind, match=rf"sqs:SendMessage on queue '{farm.name}' \({code}\)"):
        farm.queue.send(["a", "b", "c"])

    assert farm.pauses == list(PAUSES)
    assert bodies(farm.queue.receive(10, visibility=90)) == ["a", "c"]


def test_an_entry_that_is_our_own_fault_is_not_sent_again(farm: SqsFarm) -> None:
    farm.wire.meets("SendMessageBatch", entries_failed("InvalidMessageContents", sender_fault=True, message="a \x07"))

    with pytest.raises(UnreachableError, match=r"with InvalidMessageContents: a \\x07"):
        farm.queue.send(["a"])

    assert farm.wire.requests == {"SendMessageBatch": 1}
    assert farm.pauses == []
