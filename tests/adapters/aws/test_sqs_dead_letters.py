"""Dead letters in SQS: looked at by receiving them, and brought back by sending them anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nommerctl.adapters.aws.sqs import LOOKING
from nommerctl.domain.fleet import Depth
from nommerctl.errors import PermissionDeniedError, UnreachableError
from tests.adapters.aws.sqs_farm import SqsFarm, done_but_for, refusal, reply_lost, sqs_farm

pytestmark = pytest.mark.slow


@pytest.fixture
def farm(ministack_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsFarm]:
    with sqs_farm(ministack_url, tmp_path, monkeypatch) as farm:
        yield farm


def test_looking_at_many_loses_none_and_gives_all_back(farm: SqsFarm) -> None:
    sent = [f"{number:02}" for number in range(35)]
    farm.put_dead(sent)

    looks = [sorted(letter.body for letter in farm.queue.dead()) for _ in range(2)]

    assert looks == [sent, sent]
    assert farm.queue.dead_count() == 35
    assert {asked["VisibilityTimeout"] for asked in farm.wire.asked["ReceiveMessage"]} == {LOOKING}


def test_a_look_counts_as_a_receive(farm: SqsFarm) -> None:
    farm.put_dead(["a"])

    assert [farm.queue.dead()[0].receives for _ in range(3)] == [1, 2, 3]


def test_a_look_stands_when_the_letters_cannot_be_given_back(farm: SqsFarm) -> None:
    farm.put_dead(["a"])
    farm.wire.always_meets("ChangeMessageVisibilityBatch", refusal("AccessDenied"))

    assert [letter.body for letter in farm.queue.dead()] == ["a"]
    assert farm.queue.dead_count() == 1


def test_counting_them_receives_none(farm: SqsFarm) -> None:
    farm.put_dead(["a", "b"])

    assert farm.queue.dead_count() == 2
    assert farm.wire.requests["ReceiveMessage"] == 0
    assert farm.wire.requests["GetQueueAttributes"] == 1


def test_only_the_named_ones_are_revived(farm: SqsFarm) -> None:
    farm.put_dead(["a", "b", "c"])
    letters = {letter.body: letter for letter in farm.queue.dead()}

    farm.queue.revive([letters["a"], letters["c"]])

    assert sorted(message.body for message in farm.queue.receive(10, visibility=90)) == ["a", "c"]
    assert [letter.body for letter in farm.queue.dead()] == ["b"]


def test_many_are_revived_ten_by_a_request(farm: SqsFarm) -> None:
    farm.put_dead([f"{number}" for number in range(35)])
    letters = farm.queue.dead()

    farm.queue.revive(letters)

    assert farm.queue.depth() == Depth(visible=35)
    assert farm.queue.dead_count() == 0
    assert farm.wire.requests["SendMessageBatch"] == 4
    assert farm.wire.requests["DeleteMessageBatch"] == 4


def test_a_letter_that_cannot_be_sent_stays_dead(farm: SqsFarm) -> None:
    farm.put_dead(["a", "b"])
    letters = farm.queue.dead()
    farm.wire.meets("SendMessageBatch", *[done_but_for(1)], *[done_but_for(0)] * 3)

    with pytest.raises(UnreachableError, match=f"AWS failed at sqs:SendMessage on queue '{farm.name}'"):
        farm.queue.revive(letters)

    alive = [message.body for message in farm.queue.receive(10, visibility=90)]
    dead = [letter.body for letter in farm.queue.dead()]
    assert (len(alive), sorted(alive + dead)) == (1, ["a", "b"])


def test_i4_a_letter_is_deleted_only_when_it_has_been_sent(farm: SqsFarm) -> None:
    farm.put_dead(["a"])
    letters = farm.queue.dead()
    farm.wire.always_meets("SendMessageBatch", refusal("AccessDenied"))

    with pytest.raises(PermissionDeniedError, match=f"AWS refuses sqs:SendMessage on queue '{farm.name}'"):
        farm.queue.revive(letters)

    assert farm.queue.depth() == Depth()
    assert [letter.body for letter in farm.queue.dead()] == ["a"]
    assert farm.wire.requests["DeleteMessageBatch"] == 0


def test_a_letter_that_was_sent_and_cannot_be_deleted_is_in_both_queues(farm: SqsFarm) -> None:
    farm.put_dead(["a"])
    letters = farm.queue.dead()
    farm.wire.always_meets("DeleteMessageBatch", refusal("AccessDenied"))

    with pytest.raises(PermissionDeniedError, match=f"AWS refuses sqs:DeleteMessage on queue '{farm.dead_name}'"):
        farm.queue.revive(letters)

    assert farm.queue.depth() == Depth(visible=1)
    assert farm.queue.dead_count() == 1


def test_a_letter_whose_deletion_was_not_answered_is_gone(farm: SqsFarm) -> None:
    farm.put_dead(["a"])
    letters = farm.queue.dead()
    farm.wire.meets("DeleteMessageBatch", reply_lost)

    farm.queue.revive(letters)

    assert farm.queue.depth() == Depth(visible=1)
    assert farm.queue.dead_count() == 0
