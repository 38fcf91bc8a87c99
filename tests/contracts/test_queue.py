"""What ports.Queue promises, asked of every queue."""

import threading
from collections.abc import Sequence

import pytest

from nommerctl.domain.fleet import Depth
from nommerctl.ports import Message, Queue
from tests.contracts.conftest import MAX_RECEIVES, Pace
from tests.fakes.clock import FakeClock

DAY = 24 * 3600.0


def bodies(messages: Sequence[Message]) -> list[str]:
    """The bodies of messages; sorted, because a queue promises no order."""
    return sorted(message.body for message in messages)


def bury(queue: Queue) -> Message:
    """Receive the one message of a queue until it is a dead letter."""
    for _ in range(MAX_RECEIVES):
        assert len(queue.receive(1, visibility=0)) == 1
    assert queue.receive(1, visibility=0) == []
    (letter,) = queue.dead()
    return letter


# --- a clock that goes back


def test_a_message_that_was_sent_in_the_future_is_received(own_queue: Queue, clock: FakeClock) -> None:
    own_queue.send(["a"])
    clock.advance(-DAY)

    assert bodies(own_queue.receive(10, visibility=90)) == ["a"]
    assert own_queue.receive(10, visibility=90) == []


def test_a_message_that_was_hidden_in_the_future_is_hidden_no_longer(own_queue: Queue, clock: FakeClock) -> None:
    own_queue.send(["a", "b"])
    received = own_queue.receive(1, visibility=90)
    own_queue.extend(received, visibility=200)
    clock.advance(-DAY)

    assert bodies(own_queue.receive(10, visibility=90)) == ["a", "b"]
    assert own_queue.depth().total == 2


def test_a_message_that_is_hidden_for_long_stays_hidden(own_queue: Queue, clock: FakeClock) -> None:
    own_queue.send(["a"])
    own_queue.receive(1, visibility=10 * DAY)
    clock.advance(-300)

    assert own_queue.receive(10, visibility=90) == []


# --- send and receive


def test_what_was_sent_is_received(queue: Queue) -> None:
    queue.send(["a", "b", "c"])

    assert queue.depth() == Depth(visible=3)
    assert bodies(queue.receive(10, visibility=90)) == ["a", "b", "c"]


def test_an_empty_queue_gives_nothing_at_once(queue: Queue) -> None:
    queue.send([])

    assert queue.receive(10, visibility=90) == []
    assert queue.depth() == Depth()


def test_receive_takes_no_more_than_its_limit(queue: Queue) -> None:
    queue.send(["a", "b", "c"])

    assert len(queue.receive(2, visibility=90)) == 2
    assert queue.depth() == Depth(visible=1, in_flight=2)
    assert queue.receive(0, visibility=90) == []


def test_equal_bodies_are_messages_of_their_own(queue: Queue) -> None:
    queue.send(["a", "a"])

    first, second = queue.receive(10, visibility=90)
    queue.delete([first])

    assert first.receipt != second.receipt
    assert queue.depth() == Depth(in_flight=1)


def test_a_received_message_is_hidden(queue: Queue) -> None:
    queue.send(["a"])
    queue.receive(10, visibility=90)

    assert queue.receive(10, visibility=90) == []
    assert queue.depth() == Depth(in_flight=1)


def test_a_received_message_comes_back_when_its_visibility_ends(queue: Queue, pace: Pace) -> None:
    queue.send(["a"])
    (first,) = queue.receive(10, pace.visibility)

    pace.let_pass()

    assert queue.depth() == Depth(visible=1)
    (second,) = queue.receive(10, visibility=90)
    assert (first.body, first.receives) == ("a", 1)
    assert (second.body, second.receives) == ("a", 2)
    assert first.receipt != second.receipt


def test_visibility_ends_to_the_microsecond(own_queue: Queue, clock: FakeClock) -> None:
    own_queue.send(["a"])
    own_queue.receive(10, visibility=90)

    clock.advance(89.999)
    assert own_queue.receive(10, visibility=90) == []
    assert own_queue.depth() == Depth(in_flight=1)

    clock.advance(0.001)
    assert own_queue.depth() == Depth(visible=1)
    assert bodies(own_queue.receive(10, visibility=90)) == ["a"]


def test_a_receive_that_hides_nothing_gives_each_message_once(queue: Queue) -> None:
    queue.send(["a", "b"])

    assert bodies(queue.receive(10, visibility=0)) == ["a", "b"]
    assert queue.depth() == Depth(visible=2)


def test_a_message_is_received_by_one_of_many_threads(queue: Queue) -> None:
    sent = [f"{number:03}" for number in range(100)]
    queue.send(sent)
    received: list[Message] = []
    together = threading.Barrier(4)

    def drain() -> None:
        together.wait()
        while messages := queue.receive(7, visibility=90):
            received.extend(messages)

    threads = [threading.Thread(target=drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert bodies(received) == sent


# --- delete


def test_a_deleted_message_does_not_come_back(queue: Queue, pace: Pace) -> None:
    queue.send(["a", "b"])
    messages = queue.receive(10, pace.visibility)

    queue.delete([message for message in messages if message.body == "a"])
    pace.let_pass()

    assert bodies(queue.receive(10, visibility=90)) == ["b"]


def test_deleting_twice_is_no_error(queue: Queue) -> None:
    queue.send(["a", "b"])
    (message,) = queue.receive(1, visibility=90)

    queue.delete([message, message])
    queue.delete([message])

    assert queue.depth() == Depth(visible=1)


def test_a_message_can_be_deleted_after_its_visibility_ended_if_nobody_took_it(queue: Queue, pace: Pace) -> None:
    queue.send(["a"])
    messages = queue.receive(1, pace.visibility)
    pace.let_pass()

    queue.delete(messages)

    assert queue.depth() == Depth()


def test_i4_an_old_receipt_deletes_nothing(queue: Queue, pace: Pace) -> None:
    queue.send(["a"])
    old = queue.receive(1, pace.visibility)
    pace.let_pass()
    current = queue.receive(1, visibility=90)

    queue.delete(old)
    assert queue.depth() == Depth(in_flight=1)

    queue.delete(current)
    assert queue.depth() == Depth()


# --- extend


def test_extend_hides_for_so_long_from_now(own_queue: Queue, clock: FakeClock) -> None:
    own_queue.send(["a"])
    messages = own_queue.receive(1, visibility=90)
    clock.advance(60)

    own_queue.extend(messages, visibility=90)

    clock.advance(89)
    assert own_queue.receive(1, visibility=90) == []
    clock.advance(1)
    assert bodies(own_queue.receive(1, visibility=90)) == ["a"]


def test_an_extended_message_is_hidden_for_longer(queue: Queue, pace: Pace) -> None:
    queue.send(["a"])
    messages = queue.receive(1, pace.visibility)

    queue.extend(messages, visibility=3600)
    pace.let_pass()

    assert queue.receive(1, visibility=90) == []


def test_an_extended_message_comes_back_when_that_ends(queue: Queue, pace: Pace) -> None:
    queue.send(["a"])
    messages = queue.receive(1, visibility=3600)

    queue.extend(messages, pace.visibility)
    pace.let_pass()

    assert bodies(queue.receive(1, visibility=90)) == ["a"]


def test_extending_by_nothing_gives_a_message_back_at_once(queue: Queue) -> None:
    queue.send(["a"])

    queue.extend(queue.receive(1, visibility=90), visibility=0)

    (again,) = queue.receive(1, visibility=90)
    assert (again.body, again.receives) == ("a", 2)


def test_i3_an_old_receipt_gives_nothing_back(queue: Queue, pace: Pace) -> None:
    queue.send(["a"])
    old = queue.receive(1, pace.visibility)
    pace.let_pass()
    queue.receive(1, visibility=90)

    queue.extend(old, visibility=0)

    assert queue.receive(1, visibility=90) == []


def test_i3_an_old_receipt_extends_nothing(queue: Queue, pace: Pace) -> None:
    queue.send(["a"])
    old = queue.receive(1, visibility=0)
    queue.receive(1, pace.visibility)

    queue.extend(old, visibility=3600)
    pace.let_pass()

    assert bodies(queue.receive(1, visibility=90)) == ["a"]


def test_a_deleted_message_cannot_be_extended(queue: Queue) -> None:
    queue.send(["a"])
    messages = queue.receive(1, visibility=90)
    queue.delete(messages)

    queue.extend(messages, visibility=0)

    assert queue.depth() == Depth()


# --- dead letters


def test_a_message_received_too_often_becomes_a_dead_letter(queue: Queue) -> None:
    queue.send(["poison"])

    letter = bury(queue)

    assert letter.body == "poison"
    assert letter.receives >= MAX_RECEIVES
    assert queue.depth() == Depth()


def test_a_dead_letter_says_how_often_it_was_received(own_queue: Queue) -> None:
    own_queue.send(["poison"])

    letter = bury(own_queue)

    assert letter.receives == MAX_RECEIVES
    assert own_queue.dead() == [letter]


def test_dead_letters_are_counted_without_a_look_at_them(queue: Queue) -> None:
    queue.send(["poison", "good"])
    for message in queue.receive(2, visibility=0):
        if message.body == "good":
            queue.delete([message])
    assert queue.dead_count() == 0

    for _ in range(MAX_RECEIVES):
        queue.receive(1, visibility=0)

    assert queue.dead_count() == 1
    queue.revive(queue.dead())
    assert queue.dead_count() == 0


def test_a_dead_letter_gives_its_place_to_the_next_message(queue: Queue) -> None:
    queue.send(["poison"])
    for _ in range(MAX_RECEIVES):
        queue.receive(1, visibility=0)
    queue.send(["good"])

    assert bodies(queue.receive(1, visibility=90)) == ["good"]
    assert bodies(queue.dead()) == ["poison"]


@pytest.mark.parametrize("visibility", [0, 90])
def test_the_last_receipt_of_a_dead_letter_does_nothing(queue: Queue, visibility: float) -> None:
    queue.send(["poison"])
    for _ in range(MAX_RECEIVES):
        last = queue.receive(1, visibility=0)
    queue.receive(1, visibility=0)

    queue.extend(last, visibility)
    queue.delete(last)
    queue.revive(last)

    assert bodies(queue.dead()) == ["poison"]
    assert queue.depth() == Depth()


def test_looking_at_dead_letters_keeps_their_receipts_good(queue: Queue) -> None:
    queue.send(["poison"])
    letter = bury(queue)
    assert [(again.body, again.receipt) for again in queue.dead()] == [("poison", letter.receipt)]

    queue.revive([letter])

    assert queue.dead() == []
    assert queue.depth() == Depth(visible=1)


def test_a_revived_message_has_all_its_receives_before_it(queue: Queue) -> None:
    queue.send(["poison"])
    queue.revive([bury(queue)])

    (message,) = queue.receive(1, visibility=0)

    assert (message.body, message.receives) == ("poison", 1)
    for _ in range(MAX_RECEIVES - 1):
        assert len(queue.receive(1, visibility=0)) == 1
    assert queue.dead() == []


def test_reviving_twice_makes_no_second_message(queue: Queue) -> None:
    queue.send(["poison"])
    letter = bury(queue)

    queue.revive([letter, letter])
    queue.revive([letter])

    assert queue.depth() == Depth(visible=1)


def test_reviving_what_is_not_dead_does_nothing(queue: Queue) -> None:
    queue.send(["a"])
    messages = queue.receive(1, visibility=90)

    queue.revive(messages)

    assert queue.depth() == Depth(in_flight=1)
