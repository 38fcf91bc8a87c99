"""What is true of the queues in farm.db beyond what every queue promises."""

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.domain.fleet import Depth
from tests.fakes.clock import FakeClock


def test_queues_of_other_names_are_queues_of_their_own(database: Database) -> None:
    clock = FakeClock()
    new_jobs, changes = (SqliteQueue(database, name, clock, max_receives=1) for name in ("new-jobs", "changes"))
    new_jobs.send(["a"])

    assert changes.receive(10, visibility=90) == []
    received = new_jobs.receive(10, visibility=0)
    changes.delete(received)
    changes.extend(received, visibility=90)
    assert new_jobs.depth() == Depth(visible=1)

    new_jobs.receive(10, visibility=0)
    changes.revive(new_jobs.dead())
    assert (len(new_jobs.dead()), changes.dead(), changes.depth()) == (1, [], Depth())


def test_messages_come_in_the_order_in_which_they_became_visible(database: Database) -> None:
    clock = FakeClock()
    queue = SqliteQueue(database, "new-jobs", clock)
    queue.send(["first", "second"])
    queue.receive(1, visibility=90)
    clock.advance(30)
    queue.send(["third"])
    clock.advance(60)
    queue.send(["fourth"])

    assert [message.body for message in queue.receive(10, visibility=90)] == ["second", "third", "first", "fourth"]


def test_a_message_may_be_received_fifty_times_unless_told_otherwise(database: Database) -> None:
    queue = SqliteQueue(database, "new-jobs", FakeClock())
    queue.send(["poison"])

    receives = [message.receives for _ in range(60) for message in queue.receive(1, visibility=0)]

    assert receives == list(range(1, 51))
    assert [message.body for message in queue.dead()] == ["poison"]
