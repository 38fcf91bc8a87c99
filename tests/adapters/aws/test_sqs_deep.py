"""Deep queues: how many requests they take, and what many consumers get out of them."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nommerctl.adapters.aws.clients import PARALLEL
from nommerctl.domain.fleet import Depth
from tests.adapters.aws.sqs_farm import SqsFarm, sqs_farm

if TYPE_CHECKING:
    from nommerctl.ports import Message

pytestmark = pytest.mark.slow

SENT = [f"{number:04}" for number in range(2000)]


@pytest.fixture
def farm(ministack_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsFarm]:
    with sqs_farm(ministack_url, tmp_path, monkeypatch) as farm:
        yield farm


def test_two_thousand_messages_cost_ten_a_request(farm: SqsFarm) -> None:
    farm.queue.send(SENT)
    received: list[Message] = []
    while batch := farm.queue.receive(1000, visibility=600):
        assert len(batch) <= 1000
        received += batch
    farm.queue.delete(received)

    assert sorted(message.body for message in received) == SENT
    assert farm.queue.depth() == Depth()
    receives = farm.wire.requests.pop("ReceiveMessage")
    assert 200 < receives <= 200 + PARALLEL
    assert farm.wire.requests == {"SendMessageBatch": 200, "DeleteMessageBatch": 200, "GetQueueAttributes": 1}


def test_eight_consumers_get_each_message_once(farm: SqsFarm) -> None:
    farm.queue.send(SENT)
    received: list[Message] = []
    together = threading.Barrier(8)

    def consume() -> None:
        together.wait()
        while batch := farm.queue.receive(10, visibility=600):
            received.extend(batch)
            farm.queue.delete(batch)

    consumers = [threading.Thread(target=consume) for _ in range(8)]
    for consumer in consumers:
        consumer.start()
    for consumer in consumers:
        consumer.join()

    assert sorted(message.body for message in received) == SENT
    assert farm.queue.depth() == Depth()
    assert farm.wire.requests["ReceiveMessage"] <= 200 + 8
    assert farm.wire.requests["DeleteMessageBatch"] == 200
