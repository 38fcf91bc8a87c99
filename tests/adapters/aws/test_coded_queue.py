"""Media-nommer's queues: ids in base64, and no dead letters where nobody made a queue for them."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.coded_queue import CodedQueue, CodedQueueReads
from nommerctl.adapters.aws.outbox import Outbox
from nommerctl.domain.fleet import Depth
from nommerctl.errors import SettingsError
from tests.adapters.aws.sqs_farm import SqsFarm, sqs_farm

ID = "0123456789abcdef" * 3 + "01"
CODED = b64encode(ID.encode()).decode()


@pytest.fixture
def sqs(ministack_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsFarm]:
    with sqs_farm(ministack_url, tmp_path, monkeypatch, max_receives=1) as farm:
        yield farm


@pytest.fixture
def queue(sqs: SqsFarm) -> CodedQueue:
    return CodedQueue(sqs.clients, sqs.name, sqs.urls, Outbox())


def test_a_message_is_the_id_in_base64_as_old_workers_expect_it(sqs: SqsFarm, queue: CodedQueue) -> None:
    queue.send([ID])

    (message,) = sqs.queue.receive(1, visibility=0)
    assert message.body == CODED
    assert len(CODED) == 68


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (CODED, ID),
        (f"{CODED}\n", ID),
        (ID, ID),
        (f" {ID} ", ID),
        ("test", "test"),
        ("{}", "{}"),
        ("ß", "ß"),
    ],
    ids=["base64", "base64 with its line break", "raw", "raw with blanks", "no UTF-8 in it", "no base64", "no ASCII"],
)
def test_what_others_sent_is_read_in_code_or_raw(sqs: SqsFarm, queue: CodedQueue, sent: str, received: str) -> None:
    sqs.queue.send([sent])

    assert [message.body for message in queue.receive(10, visibility=30)] == [received]


def test_what_is_sent_within_an_outbox_goes_out_when_that_is_left(sqs: SqsFarm) -> None:
    outbox = Outbox()
    queue = CodedQueue(sqs.clients, sqs.name, sqs.urls, outbox)
    with outbox.together():
        queue.send([ID])
        assert queue.depth() == Depth()

    assert [message.body for message in queue.receive(10, visibility=30)] == [ID]


def test_without_a_queue_of_dead_letters_there_are_none(sqs: SqsFarm, queue: CodedQueue) -> None:
    sqs.clients.sqs.delete_queue(QueueUrl=sqs.dead_url)
    reads = CodedQueueReads(sqs.clients, sqs.name, sqs.urls)
    sqs.urls_file.unlink()

    for each in (queue, reads):
        assert (each.dead(), each.dead_count()) == ([], 0)


def test_with_one_they_are_listed_as_they_were_meant_and_revived_as_they_were_sent(
    sqs: SqsFarm, queue: CodedQueue
) -> None:
    sqs.put_dead([CODED])

    (letter,) = queue.dead()
    assert (letter.body, queue.dead_count()) == (ID, 1)

    queue.revive([letter])
    assert [message.body for message in sqs.queue.receive(1, visibility=0)] == [CODED]


def test_that_nobody_can_be_asked_is_no_lack_of_dead_letters(
    sqs: SqsFarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    nowhere = CodedQueueReads(Clients(), sqs.name, sqs.urls)

    for look in (nowhere.dead, nowhere.dead_count):
        with pytest.raises(SettingsError, match="no AWS region is named"):
            look()
    assert tmp_path.exists()
