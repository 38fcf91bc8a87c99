"""What is true of the queues in SQS beyond what every queue promises."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nommerctl.adapters.aws.sqs_requests import whole_seconds
from nommerctl.domain.fleet import Depth
from nommerctl.errors import UnreachableError
from nommerctl.ports import Message
from tests.adapters.aws.sqs_farm import SqsFarm, entries_failed, sqs_farm

pytestmark = pytest.mark.slow

BEYOND = (
    "Value 90 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond"
)


@pytest.fixture
def farm(ministack_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsFarm]:
    with sqs_farm(ministack_url, tmp_path, monkeypatch) as farm:
        yield farm


def bodies(messages: Sequence[Message]) -> list[str]:
    return sorted(message.body for message in messages)


# --- what is asked for


def test_nothing_costs_no_request(farm: SqsFarm) -> None:
    farm.queue.send([])
    farm.queue.receive(0, visibility=90)
    farm.queue.extend([], visibility=90)
    farm.queue.delete([])
    farm.queue.revive([])

    assert not farm.wire.requests


def test_each_of_a_few_messages_costs_a_part_of_one_request(farm: SqsFarm) -> None:
    farm.queue.send(["a", "b", "c"])
    messages = farm.queue.receive(10, visibility=90)
    farm.queue.extend(messages, visibility=90)
    farm.queue.delete(messages)
    farm.queue.depth()
    farm.queue.dead_count()

    assert farm.wire.requests == {
        "SendMessageBatch": 1,
        "ReceiveMessage": 1,
        "ChangeMessageVisibilityBatch": 1,
        "DeleteMessageBatch": 1,
        "GetQueueAttributes": 2,
    }


def test_a_receive_waits_a_second_so_that_emptiness_can_be_believed(farm: SqsFarm) -> None:
    assert farm.queue.receive(1000, visibility=90) == []

    assert farm.wire.waits == [1]


def test_a_worker_asks_for_no_more_than_it_has_slots(farm: SqsFarm) -> None:
    farm.queue.send(["a", "b", "c"])

    assert len(farm.queue.receive(2, visibility=90)) == 2
    assert [asked["MaxNumberOfMessages"] for asked in farm.wire.asked["ReceiveMessage"]] == [2]


def test_a_few_more_messages_than_one_batch_are_not_asked_for_by_every_receiver(farm: SqsFarm) -> None:
    farm.queue.send([f"{number}" for number in range(15)])

    assert len(farm.queue.receive(1000, visibility=90)) == 15
    assert farm.wire.requests["ReceiveMessage"] <= 4


def test_messages_that_are_not_hidden_are_received_once_however_many_are_asked_for(farm: SqsFarm) -> None:
    farm.queue.send([f"{number}" for number in range(20)])

    assert len({message.body for message in farm.queue.receive(1000, visibility=0)}) == 10
    assert farm.wire.requests["ReceiveMessage"] == 1


@pytest.mark.parametrize(
    ("seconds", "asked"),
    [(0, 0), (-3, 0), (0.2, 1), (1, 1), (89.001, 90), (43_200, 43_200), (43_200.5, 43_200), (float("inf"), 43_200)],
)
def test_visibility_is_in_whole_seconds_up_to_twelve_hours(seconds: float, asked: int) -> None:
    assert whole_seconds(seconds) == asked


def test_long_bodies_are_sent_in_as_many_requests_as_they_need(farm: SqsFarm) -> None:
    farm.queue.send(["x" * 200_000] * 3)

    assert farm.wire.requests["SendMessageBatch"] == 3
    assert farm.queue.depth() == Depth(visible=3)


# --- messages that are not ours


@pytest.mark.parametrize("body", ["x", " ", "{}", '"', "é\u4e2d\U0001f600", "../../etc/passwd", "a" * 300_000, "\n\t"])
def test_a_foreign_message_is_received_like_any_other(farm: SqsFarm, body: str) -> None:
    farm.clients.sqs.send_message(
        QueueUrl=farm.url,
        MessageBody=body,
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "foreign"}},
    )

    received = farm.queue.receive(10, visibility=90)
    farm.queue.delete(received)

    assert [(message.body, message.receives) for message in received] == [(body, 1)]
    assert farm.queue.depth() == Depth()


# --- receipts


def test_one_bad_receipt_in_a_batch_keeps_the_others_from_nothing(farm: SqsFarm) -> None:
    farm.queue.send(["a", "b"])
    first, second = farm.queue.receive(10, visibility=90)
    bad = Message(body="c", receipt="of another queue")

    farm.queue.extend([first, bad, second], visibility=0)

    assert bodies(farm.queue.receive(10, visibility=90)) == ["a", "b"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ReceiptHandleIsInvalid", "The input receipt handle is invalid."),
        ("AWS.SimpleQueueService.MessageNotInflight", ""),
        (
            "InvalidParameterValue",
            "Value x for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired",
        ),
        (
            "InvalidParameterValue",
            "Value x is invalid. Reason: Message does not exist or is not available for visibility",
        ),
    ],
)
def test_i3_a_receipt_that_is_no_longer_ours_is_no_error(farm: SqsFarm, code: str, message: str) -> None:
    fault = entries_failed(code, sender_fault=True, message=message)
    farm.wire.meets("ChangeMessageVisibilityBatch", fault)
    farm.wire.meets("DeleteMessageBatch", fault)
    old = [Message(body="a", receipt="old")]

    farm.queue.extend(old, visibility=90)
    farm.queue.delete(old)

    assert farm.wire.requests == {"ChangeMessageVisibilityBatch": 1, "DeleteMessageBatch": 1}


def test_a_message_that_was_hidden_for_twelve_hours_is_left_as_it_is(farm: SqsFarm) -> None:
    farm.wire.meets(
        "ChangeMessageVisibilityBatch", entries_failed("InvalidParameterValue", sender_fault=True, message=BEYOND)
    )

    farm.queue.extend([Message(body="a", receipt="of a long encode")], visibility=90)

    assert farm.wire.requests == {"ChangeMessageVisibilityBatch": 1}


@pytest.mark.parametrize(("code", "message"), [("InvalidParameterValue", "?"), ("UnsupportedOperation", BEYOND)])
def test_anything_else_that_sqs_finds_wrong_is_an_error(farm: SqsFarm, code: str, message: str) -> None:
    farm.wire.meets("ChangeMessageVisibilityBatch", entries_failed(code, sender_fault=True, message=message))

    with pytest.raises(UnreachableError, match=rf"AWS answered sqs:ChangeMessageVisibility on .* with {code}"):
        farm.queue.extend([Message(body="a", receipt="x")], visibility=90)
