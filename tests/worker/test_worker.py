"""The worker's loop: what it takes, what it turns away, when it goes."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec import structs

from nommerctl.domain.fleet import Depth, Heartbeat
from nommerctl.domain.job import lease_live
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.errors import SettingsError
from nommerctl.ports import Message
from tests.builders import job_id, make_job, make_lease
from tests.cli import eventually
from tests.fakes.clock import START
from tests.fakes.ledger import FakeLedger
from tests.fakes.queue import FakeQueue
from tests.worker.bench import SETTINGS, Bench

DAY = 24 * 3600.0


def test_it_works_at_as_many_jobs_at_once_as_it_has_slots(bench: Bench, running: Callable[..., object]) -> None:
    bench.nommer.gate = threading.Event()
    bench.submit(1, 2, 3, 4)
    running(bench.worker(slots=2))
    eventually(lambda: bench.nommer.running == 2, every=0.01)
    time.sleep(0.1)
    bench.nommer.gate.set()
    eventually(lambda: all(job.state is JobState.FINISHED for job in bench.store.jobs.values()), every=0.01)
    assert bench.nommer.most == 2


def test_told_to_stop_it_hands_the_job_back_with_an_interruption(
    bench: Bench, running: Callable[..., threading.Thread]
) -> None:
    bench.nommer.gate = threading.Event()
    bench.submit(1)
    worker = bench.worker()
    thread = running(worker)
    eventually(lambda: bench.job(1).state is JobState.ENCODING, every=0.01)
    worker.stop("the worker was told to end (SIGTERM)")
    thread.join(timeout=5)
    job = bench.job(1)
    assert (job.state, job.attempt, job.interruptions) == (JobState.PENDING, 1, 1)
    assert job.details == "the worker was told to end (SIGTERM)"
    assert bench.new_jobs.depth().visible == 1
    assert bench.ledger.overview().heartbeats == {}


def test_told_to_stop_while_it_receives_it_claims_nothing_and_gives_the_messages_back(bench: Bench) -> None:
    class LateQueue(FakeQueue):
        def receive(self, limit: int, visibility: float) -> list[Message]:
            received = super().receive(limit, visibility)
            worker.stop("the worker was told to end (SIGTERM)")
            return received

    bench.new_jobs = LateQueue(bench.clock)
    bench.submit(1, 2)
    worker = bench.worker(slots=2)
    assert worker.run() == 0
    assert [job.attempt for job in bench.store.jobs.values()] == [0, 0]
    assert bench.new_jobs.depth() == Depth(visible=2)


@pytest.mark.parametrize("body", ["", "no id", job_id(9)])
def test_a_message_of_no_job_is_deleted(bench: Bench, body: str) -> None:
    bench.new_jobs.send([body])
    assert bench.worker().run() == 0
    assert bench.new_jobs.depth().total == 0


def test_the_message_of_a_finished_job_is_deleted(bench: Bench) -> None:
    bench.submit(1)
    bench.worker().run()
    bench.new_jobs.send([job_id(1)])
    assert bench.worker().run() == 0
    assert bench.new_jobs.depth().total == 0
    assert len(bench.job(1).history) == 5


def test_the_message_of_a_job_in_other_hands_is_hidden_until_their_lease_may_have_ended(bench: Bench) -> None:
    lease = make_lease("other", owner="node-2", until=bench.clock() + micros(50))
    bench.store.submit([make_job(1, state=JobState.ENCODING, lease=lease, attempt=1)])
    bench.new_jobs.send([job_id(1)])
    assert bench.worker().run() == 0
    assert bench.job(1).lease == lease
    bench.clock.advance(49)
    assert bench.new_jobs.depth().visible == 0
    bench.clock.advance(2)
    assert bench.new_jobs.depth().visible == 1


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_clock_that_jumps_takes_no_job_from_a_worker_that_lives(
    bench: Bench, running: Callable[..., object], jump: float
) -> None:
    # given a worker with a job in hand, whose clock jumps
    bench.nommer.gate = threading.Event()
    bench.submit(1)
    running(bench.worker())
    eventually(lambda: bench.job(1).state is JobState.ENCODING, every=0.01)
    before = bench.job(1)
    bench.clock.advance(jump)
    # when another one receives the message
    bench.worker().run()
    eventually(lambda: lease_live(bench.job(1), bench.clock()), every=0.01)
    bench.clock.advance(SETTINGS.lease / 2 + 1)
    bench.worker().run()
    # then the job is where it was, and is finished there
    assert (bench.job(1).state, bench.job(1).attempt, bench.job(1).node) == (before.state, 1, before.node)
    bench.nommer.gate.set()
    eventually(lambda: bench.job(1).state is JobState.FINISHED, every=0.01)
    assert bench.job(1).attempt == 1


@pytest.mark.parametrize("jump", [0, DAY, -DAY])
def test_a_job_whose_worker_is_gone_is_taken_over_after_a_last_call(bench: Bench, jump: float) -> None:
    lease = make_lease("dead", owner="node-2", until=bench.clock() + micros(90), seconds=90)
    bench.submit(1)
    bench.store.transition(job_id(1), lambda job: structs.replace(job, state=JobState.ENCODING, lease=lease, attempt=1))
    bench.new_jobs.receive(1, 90)
    bench.clock.advance(jump or 90)

    assert bench.worker().run() == 0
    assert "last call to node-2, which holds it no longer" in "".join(bench.log)
    bench.clock.advance(SETTINGS.lease / 2 - 1)
    assert bench.worker().run() == 0
    bench.clock.advance(2)
    assert bench.worker().run() == 1

    assert (bench.job(1).state, bench.job(1).attempt) == (JobState.FINISHED, 2)


def test_a_job_whose_attempts_are_used_up_is_given_up_with_the_reason(bench: Bench) -> None:
    lease = make_lease("dead", owner="node-2", until=bench.clock() - 1, last_call=bench.clock() - 1)
    bench.store.submit([make_job(1, state=JobState.ENCODING, lease=lease, attempt=3)])
    bench.new_jobs.send([job_id(1)])
    assert bench.worker().run() == 0
    assert bench.job(1).state is JobState.ERROR
    assert bench.new_jobs.depth().total == 0
    assert bench.changes.depth().total == 1


def test_an_idle_worker_leaves_and_takes_its_heartbeat_along(bench: Bench) -> None:
    assert bench.worker(once=False).run() == 0
    assert bench.ledger.overview().heartbeats == {}
    assert bench.log[-1] == "worker node-1 ends: no work"


def test_an_idle_worker_stays_while_the_farm_would_have_too_few_nodes(
    bench: Bench, running: Callable[..., threading.Thread]
) -> None:
    thread = running(bench.worker(once=False, keep_nodes=1))
    time.sleep(4 * SETTINGS.idle_exit)
    assert thread.is_alive()
    now = bench.clock()
    bench.ledger.beat(Heartbeat(node="node-2", started=now, at=now, slots=1))
    eventually(lambda: not thread.is_alive(), within=5, every=0.05)


def test_poison_ends_among_the_dead_letters(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.new_jobs = FakeQueue(bench.clock, max_receives=2)
    lease = make_lease("other", until=bench.clock() + micros(1000))
    bench.store.submit([make_job(1, state=JobState.ENCODING, lease=lease)])
    bench.new_jobs.send([job_id(1)])
    for _ in range(4):
        bench.worker().run()
        bench.clock.advance(1001)
        bench.store.jobs[job_id(1)] = make_job(
            1, state=JobState.ENCODING, lease=make_lease("other", until=bench.clock() + micros(1000))
        )
    assert [message.body for message in bench.new_jobs.dead()] == [job_id(1)]
    assert isinstance(bench.new_jobs.dead()[0], Message)


def test_a_node_without_room_for_its_own_files_takes_no_job_until_there_is_room_again(
    bench: Bench, running: Callable[..., object]
) -> None:
    bench.submit(1)
    room = bench.folder / "node"
    room.rmdir()
    room.touch()  # as good as a full disk: nothing can be made in it

    running(bench.worker(once=False, keep_nodes=1))
    eventually(lambda: "this node cannot work" in (bench.job(1).details or ""))
    time.sleep(1)

    assert (bench.job(1).state, bench.job(1).attempt) == (JobState.PENDING, 1)
    room.unlink()
    room.mkdir()
    eventually(lambda: bench.job(1).state is JobState.FINISHED)
    assert list(room.iterdir()) == []


def is_gone(*_: object, **__: object) -> NoReturn:
    """What an adapter says of a queue or a table that was deleted."""
    msg = "it is not there in this account and region"
    raise SettingsError(msg)


class GoneQueue(FakeQueue):
    send = receive = extend = delete = depth = is_gone


class GoneLedger(FakeLedger):
    beat = forget = overview = is_gone


def test_a_worker_whose_queues_and_ledger_are_gone_ends_what_it_has_in_hand_and_then_itself(
    bench: Bench, running: Callable[..., threading.Thread]
) -> None:
    # given a job in work, whose message is to be hidden again and again
    bench.nommer.gate = threading.Event()
    bench.submit(1)
    thread = running(bench.worker(once=False, settings=structs.replace(SETTINGS, lease=0.2)))
    eventually(lambda: bench.job(1).state is JobState.ENCODING, every=0.01)
    # when all but the store is deleted
    for part, gone in ((bench.new_jobs, GoneQueue), (bench.changes, GoneQueue), (bench.ledger, GoneLedger)):
        part.__class__ = gone
    eventually(lambda: sum("heartbeat not written: it is not there" in line for line in bench.log) > 10, every=0.01)
    bench.nommer.gate.set()
    # then
    eventually(lambda: not thread.is_alive(), every=0.01)
    assert bench.job(1).state is JobState.FINISHED
    assert bench.log[-1] == "worker node-1 ends: no work"


def test_nor_does_a_store_that_is_gone_for_a_moment_end_an_encode(bench: Bench) -> None:
    bench.submit(1)
    bench.store.says = SettingsError
    bench.nommer.at_the_end = lambda: setattr(bench.store, "away", 2)
    bench.worker(settings=structs.replace(SETTINGS, heartbeat=30)).run()
    assert (bench.job(1).state, bench.store.away) == (JobState.FINISHED, 0)


def test_a_job_whose_store_stays_away_is_left_to_its_lease_whatever_the_store_says(bench: Bench) -> None:
    bench.submit(1)
    bench.nommer.at_the_end = lambda: setattr(bench.store, "away", 10**6)
    bench.store.says = SettingsError
    bench.worker(settings=structs.replace(SETTINGS, lease=0.2)).run()
    assert bench.job(1).state is JobState.ENCODING
    assert any("left to its lease: the store is away" in line for line in bench.log)


# --- nommers that others have

OLD_BEAT = Heartbeat(node="i-old", started=START, at=START, slots=2, takes_leases=False)


def submit_foreign(bench: Bench, number: int = 1) -> None:
    bench.ledger.beat(OLD_BEAT)
    bench.store.submit([make_job(number, nommer="films.\x1bSpecial", dest=str(bench.folder / "1.mp4"))])
    bench.new_jobs.send([job_id(number)])


def test_a_job_for_another_nommer_is_left_as_it_is_with_its_message(bench: Bench) -> None:
    submit_foreign(bench)
    version = bench.job(1).version
    bench.submit(2)
    worker = bench.worker()
    assert worker.run() == 1
    assert (bench.job(1).state, bench.job(1).version) == (JobState.PENDING, version)
    assert bench.job(2).state is JobState.FINISHED
    assert bench.new_jobs.depth() == Depth(in_flight=1)
    bench.clock.advance(SETTINGS.lease + 1)
    assert [message.body for message in bench.new_jobs.receive(10, 1)] == [job_id(1)]


def test_a_job_for_another_nommer_is_named_once_and_keeps_no_worker(bench: Bench) -> None:
    # given: many messages of it
    submit_foreign(bench)
    for _ in range(20):
        bench.new_jobs.send([job_id(1)])
    # when
    assert bench.worker(once=False).run() == 0
    # then
    named = [line for line in bench.log if "left to other workers" in line]
    assert named == [f"{job_id(1)[:12]} left to other workers: this one has no nommer called 'films.\\x1bSpecial'"]


def test_a_job_for_a_nommer_that_nobody_has_any_more_is_an_error(bench: Bench) -> None:
    submit_foreign(bench)
    bench.clock.advance(181)

    bench.worker().run()

    assert bench.job(1).state is JobState.ERROR
    assert bench.job(1).details == "this worker has no nommer called 'films.\\x1bSpecial'"


def test_the_message_of_a_job_that_somebody_without_leases_has_in_hand_is_deleted(bench: Bench) -> None:
    bench.submit(1)
    held = make_lease("", owner="an old worker")
    bench.store.transition(job_id(1), lambda job: structs.replace(job, state=JobState.ENCODING, lease=held))

    bench.worker().run()

    assert bench.job(1).lease == held
    assert bench.new_jobs.depth() == Depth()
