"""What a worker does besides where machines cost money and are taken back."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from msgspec import structs

from nommerctl.adapters.aws.imds import InstanceMetadata
from nommerctl.domain.config import WorkerSettings
from nommerctl.domain.fleet import CheckIn, Depth
from nommerctl.domain.states import JobState
from nommerctl.errors import UnreachableError
from nommerctl.worker.watching import watching
from tests import metadata
from tests.builders import job_id
from tests.cli import eventually
from tests.fakes.ledger import FakeLedger
from tests.fakes.queue import FakeQueue
from tests.metadata import ACTION, Metadata
from tests.worker.bench import SETTINGS, Bench

FORGETFUL = structs.replace(SETTINGS, idle_exit=0, controller_silence=0.2)


@pytest.fixture
def service() -> Iterator[Metadata]:
    with metadata.serving() as running:
        yield running


# --- what it costs


def test_a_job_costs_its_share_of_the_node_from_claim_to_end(bench: Bench, running: Callable[..., object]) -> None:
    bench.nommer.gate = threading.Event()
    bench.submit(1)
    running(bench.worker(slots=2, usd_per_hour=0.2))
    eventually(lambda: bench.job(1).state is JobState.ENCODING, every=0.01)
    lease = bench.job(1).lease
    assert lease is not None
    assert (lease.usd_per_hour, lease.since) == (0.1, bench.clock())
    bench.clock.advance(36)
    bench.nommer.gate.set()
    eventually(lambda: bench.job(1).state is JobState.FINISHED, every=0.01)
    assert bench.job(1).cost_usd == 0.001


def test_the_heartbeat_says_what_the_node_is_and_costs(bench: Bench, running: Callable[..., object]) -> None:
    running(bench.worker(once=False, usd_per_hour=0.2))
    eventually(lambda: "node-1" in bench.ledger.overview().heartbeats, every=0.01)
    beat = bench.ledger.overview().heartbeats["node-1"]
    assert (beat.usd_per_hour, beat.instance_type) == (0.2, "c7i.large")


# --- that it came up


def test_a_worker_checks_in_once_with_its_first_heartbeat(bench: Bench, running: Callable[..., object]) -> None:
    worker = bench.worker(once=False, usd_per_hour=0.2)
    launched = bench.clock()
    first = bench.clock.advance(30)
    running(worker)
    eventually(lambda: bench.ledger.overview().check_ins, every=0.01)
    bench.clock.advance(60)
    eventually(lambda: bench.ledger.overview().heartbeats["node-1"].at > first, every=0.01)
    assert bench.ledger.overview().check_ins == {
        "node-1": CheckIn(node="node-1", launched=launched, at=first, instance_type="c7i.large")
    }


def test_one_whose_ledger_is_away_at_first_checks_in_when_it_can(bench: Bench, running: Callable[..., object]) -> None:
    bench.ledger = AwayAtFirst(bench.clock)
    running(bench.worker(once=False))
    eventually(lambda: bench.ledger.overview().check_ins, every=0.01)
    assert "heartbeat not written: the ledger is away" in bench.log


class AwayAtFirst(FakeLedger):
    """A ledger that takes no check-in the first time."""

    away = True

    def check_in(self, check_in: CheckIn) -> None:
        if self.away:
            self.away = False
            msg = "the ledger is away"
            raise UnreachableError(msg)
        super().check_in(check_in)


# --- when it is to be taken back


def test_a_notice_stops_claims_and_hands_the_job_back(
    bench: Bench, running: Callable[..., threading.Thread], service: Metadata
) -> None:
    # given a machine that is to be taken back, and jobs for it
    service.interrupt()
    bench.nommer.gate = threading.Event()
    bench.submit(1, 2)
    # when
    thread = running(bench.worker(once=False, notices=InstanceMetadata(service.url)))
    thread.join(timeout=5)
    # then it has gone, and whatever it began waits for another
    assert not thread.is_alive()
    notice = "EC2 takes this spot instance back: terminate at 2026-01-01T09:02:00Z"
    assert bench.log[-1] == f"worker node-1 ends: {notice}"
    assert {job.state for job in bench.store.jobs.values()} == {JobState.PENDING}
    assert bench.job(1).attempt == bench.job(1).interruptions
    assert bench.job(1).details in {None, notice}
    assert bench.new_jobs.depth() == Depth(visible=2)


def test_a_service_that_does_not_answer_is_logged_once_and_ends_nothing(service: Metadata) -> None:
    # given a service that fails, recovers, fails and then gives notice
    said = iter([(500, b""), (500, b""), (404, b""), (500, b""), (200, b"")])
    told: list[str] = []
    log: list[str] = []

    class Failing(InstanceMetadata):
        def announced(self) -> str | None:
            service.answers[ACTION] = next(said)
            return super().announced()

    # when
    with watching(Failing(service.url), told.append, log.append, every=0.01):
        eventually(lambda: told, every=0.01)
    # then
    assert told == ["EC2 announces something for this spot instance that is not understood"]
    failure = "the metadata service of EC2 answers meta-data/spot/instance-action with 500"
    assert log == [f"whether this machine is to be taken back is not known: {failure}"] * 2


# --- what it leaves to others


def interrupted_job(bench: Bench, interruptions: int) -> None:
    bench.submit(1)
    bench.store.transition(job_id(1), lambda job: structs.replace(job, interruptions=interruptions, attempt=2))


def test_a_job_that_was_interrupted_twice_is_left_to_on_demand_nodes(bench: Bench) -> None:
    interrupted_job(bench, 2)
    assert bench.worker(leave_to_on_demand=True).run() == 0
    assert (bench.job(1).state, bench.job(1).attempt) == (JobState.PENDING, 2)
    assert any("left to an on-demand node" in line for line in bench.log)
    bench.clock.advance(14)
    assert bench.new_jobs.depth().visible == 0
    bench.clock.advance(2)
    assert bench.worker().run() == 1, "and one of those takes it"


def test_its_message_shows_twice_before_an_on_demand_node_leaves_for_want_of_work(bench: Bench) -> None:
    interrupted_job(bench, 2)
    for _ in range(2):
        bench.worker(leave_to_on_demand=True).run()
        bench.clock.advance(WorkerSettings().idle_exit / 2)
        assert bench.new_jobs.depth().visible == 1


def test_nor_is_it_a_dead_letter_when_it_may_be_anybodys(bench: Bench) -> None:
    interrupted_job(bench, 2)
    while not bench.worker(leave_to_on_demand=True).run():
        bench.clock.advance(1)
        assert bench.new_jobs.dead_count() == 0
    assert bench.job(1).state is JobState.FINISHED
    assert sum("left to an on-demand node" in line for line in bench.log) == 40


def test_but_not_for_ever(bench: Bench) -> None:
    interrupted_job(bench, 2)
    bench.clock.advance(600)
    assert bench.worker(leave_to_on_demand=True).run() == 1


def test_a_job_that_was_interrupted_once_is_anybodys(bench: Bench) -> None:
    interrupted_job(bench, 1)
    assert bench.worker(leave_to_on_demand=True).run() == 1


def test_the_message_of_a_finished_job_is_deleted_however_often_it_was_interrupted(bench: Bench) -> None:
    interrupted_job(bench, 2)
    bench.worker().run()
    bench.new_jobs.send([job_id(1)])
    bench.worker(leave_to_on_demand=True).run()
    assert bench.new_jobs.depth().total == 0


# --- when it is forgotten


def test_a_worker_that_never_ends_for_want_of_work_ends_when_the_controller_is_silent(bench: Bench) -> None:
    assert bench.worker(once=False, settings=FORGETFUL, controller_seen=bench.clock).run() == 0
    assert bench.log[-2:] == [
        "the controller has made no pass for too long, and no work is left",
        "worker node-1 ends: no work",
    ]


def test_so_does_one_that_the_farm_wants_to_keep(bench: Bench) -> None:
    settings = structs.replace(FORGETFUL, idle_exit=0.1)
    assert bench.worker(once=False, keep_nodes=1, settings=settings, controller_seen=lambda: None).run() == 0


def test_each_pass_of_the_controller_keeps_it(bench: Bench, running: Callable[..., threading.Thread]) -> None:
    passes = iter(range(10_000))
    thread = running(bench.worker(once=False, settings=FORGETFUL, controller_seen=lambda: next(passes)))
    time.sleep(3 * FORGETFUL.controller_silence)
    assert thread.is_alive()


def test_a_ledger_that_does_not_answer_is_no_sign_of_life(bench: Bench) -> None:
    def away() -> None:
        msg = "the ledger is away"
        raise UnreachableError(msg)

    assert bench.worker(once=False, settings=FORGETFUL, controller_seen=away).run() == 0
    assert "when the controller was last seen is not known: the ledger is away" in bench.log


def test_nor_is_a_queue_that_does_not_answer_work(bench: Bench) -> None:
    class AwayQueue(FakeQueue):
        def depth(self) -> Depth:
            msg = "the queue is away"
            raise UnreachableError(msg)

    bench.new_jobs = AwayQueue(bench.clock)
    assert bench.worker(once=False, settings=FORGETFUL, controller_seen=lambda: None).run() == 0


def test_it_stays_while_work_is_left_even_in_other_hands(
    bench: Bench, running: Callable[..., threading.Thread]
) -> None:
    bench.submit(1)
    bench.new_jobs.receive(1, 1000)
    thread = running(bench.worker(once=False, settings=FORGETFUL, controller_seen=lambda: None))
    time.sleep(3 * FORGETFUL.controller_silence)
    assert thread.is_alive()
    bench.clock.advance(1001)
    eventually(lambda: not thread.is_alive(), within=5, every=0.05)
    assert bench.job(1).state is JobState.FINISHED


def test_a_worker_that_a_person_started_is_not_forgotten(
    bench: Bench, running: Callable[..., threading.Thread]
) -> None:
    thread = running(bench.worker(once=False, settings=FORGETFUL))
    time.sleep(3 * FORGETFUL.controller_silence)
    assert thread.is_alive()


def test_the_ledger_is_asked_once_in_a_heartbeat(bench: Bench) -> None:
    asked: list[None] = []

    def never() -> None:
        asked.append(None)

    settings = structs.replace(FORGETFUL, heartbeat=0.4, controller_silence=1.0)
    bench.worker(once=False, settings=settings, controller_seen=never).run()
    assert len(asked) <= 4
