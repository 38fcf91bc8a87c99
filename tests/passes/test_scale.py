import pytest

from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Depth, Heartbeat, Instance, Launch, Pool, Spawned
from nommerctl.domain.outcome import Change
from nommerctl.domain.times import micros
from nommerctl.errors import ConflictError, SettingsError, UnreachableError
from nommerctl.passes.scale import launch
from tests.builders import job_id, make_job
from tests.fakes.fleet import FakeFleet
from tests.fakes.queue import FakeQueue
from tests.passes.farm import FakeFarm


class AwayFleet(FakeFleet):
    def get_instances(self) -> list[Instance]:
        msg = "the fleet is away"
        raise UnreachableError(msg)


class AwayQueue(FakeQueue):
    def depth(self) -> Depth:
        msg = "the queue is away"
        raise UnreachableError(msg)


def ready(*numbers: int) -> FakeFarm:
    farm = FakeFarm(scale_settings=ScaleSettings(max_nodes=3))
    farm.submit(*numbers)
    farm.refresh()
    return farm


def test_jobs_that_wait_get_nodes() -> None:
    farm = ready(1, 2)
    outcome = farm.scale()
    assert outcome.changed == (Change("launch", "2 nodes", "2 jobs for 0 slots: 2 left over"),)
    assert outcome.plan is not None
    assert (outcome.plan.launch, outcome.plan.end) == (2, ())
    assert outcome.plan.inputs["PENDING"] == 2
    assert [instance.alive for instance in farm.fleet.get_instances()] == [True, True]


def test_scaling_again_launches_no_more() -> None:
    farm = ready(1, 2)
    farm.scale()
    assert farm.scale().changed == ()
    assert len(farm.fleet.instances) == 2


def test_i6_a_dry_run_says_what_the_real_run_right_after_does() -> None:
    farm = ready(1, 2, 3, 4, 5)
    told = farm.scale(dry_run=True)
    assert farm.fleet.instances == {}
    assert farm.ledger.overview().launches == ()
    assert farm.ledger.decisions(10) == []
    done = farm.scale()
    assert (told.changed, told.plan, told.held) == (done.changed, done.plan, done.held)
    assert (told.dry_run, done.dry_run) == (True, False)


def test_i2_an_order_whose_answer_was_lost_is_repeated_byte_for_byte_and_counted() -> None:
    # given an order that was carried out while its answer was lost
    farm = ready(1, 2, 3, 4, 5)
    fleet_writes = farm.writes
    order = Launch(token="lost", generation=0, count=3, slots=1, ordered=farm.clock(), request="lost: 3 nodes")
    fleet_writes.ledger.journal(order)
    farm.fleet.spawn_instances(order)
    # when the next passes come
    outcome = farm.scale()
    farm.scale()
    # then it was given again, unchanged, and nothing besides
    assert [change.action for change in outcome.changed] == ["repeat order"]
    assert farm.fleet.requests == ["lost: 3 nodes", "lost: 3 nodes"]
    assert len(farm.fleet.instances) == 3
    assert farm.ledger.overview().unsettled is None


def test_i2_two_that_decide_at_once_give_one_order() -> None:
    farm = ready(1, 2, 3)
    orders = [
        Launch(token=name, generation=0, count=3, slots=1, ordered=farm.clock(), request=name) for name in ("a", "b")
    ]
    launch(farm.writes, orders[0])
    with pytest.raises(ConflictError):
        launch(farm.writes, orders[1])
    assert len(farm.fleet.instances) == 3


def test_a_partial_fleet_is_settled_and_the_rest_ordered_anew() -> None:
    farm = ready(1, 2, 3)
    farm.fleet.room = 1
    farm.scale()
    farm.fleet.room = 9
    farm.scale()
    assert len(farm.fleet.instances) == 3


def test_a_dead_node_is_ended_and_forgotten_and_replaced() -> None:
    farm = ready(1)
    farm.scale()
    (node,) = farm.fleet.instances
    farm.ledger.beat(Heartbeat(node=node, started=farm.clock(), at=farm.clock(), slots=1))
    farm.fleet.kill(node)
    outcome = farm.scale()
    assert Change("end", node, "its process is gone") in outcome.changed
    assert node not in farm.ledger.overview().heartbeats
    assert len(farm.fleet.instances) == 1


def test_a_silent_node_is_marked_then_ended_unless_it_speaks_again() -> None:
    farm = ready(1)
    farm.scale()
    (node,) = farm.fleet.instances
    beat = Heartbeat(node=node, started=farm.clock(), at=farm.clock(), slots=1)
    farm.ledger.beat(beat)
    farm.clock.advance(200)
    assert [change.action for change in farm.scale().changed] == ["mark", "launch"]
    farm.clock.advance(60)
    farm.refresh()
    assert [change.action for change in farm.scale().changed] == ["end"]
    assert node not in farm.fleet.instances


@pytest.mark.parametrize("part", ["fleet", "queue"])
def test_i7_what_cannot_be_read_launches_and_ends_nothing(part: str) -> None:
    farm = ready(1)
    if part == "fleet":
        farm.fleet = AwayFleet(farm.clock)
    else:
        farm.new_jobs = AwayQueue(farm.clock)
    with pytest.raises(UnreachableError):
        farm.scale()
    assert farm.fleet.instances == {}


def test_i7_a_stale_cache_launches_nothing_and_says_why() -> None:
    farm = ready(1)
    farm.clock.advance(901)
    outcome = farm.scale()
    assert outcome.changed == ()
    assert outcome.held[0].by == "cache.max_age"


def test_i1_when_all_messages_are_lost_nothing_is_launched_until_a_resync_has_queued_the_jobs_anew() -> None:
    farm = ready(1)
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    farm.scale()
    assert farm.fleet.instances == {}
    assert farm.cache.status().resync_wanted
    for _ in range(2):
        farm.clock.advance(500)
        farm.refresh()
        farm.scale()
    assert farm.new_jobs.depth().total == 1
    assert len(farm.fleet.instances) == 1


def test_every_decision_that_acts_is_kept() -> None:
    farm = ready(1)
    farm.scale()
    farm.scale()
    (decision,) = farm.ledger.decisions(10)
    assert (decision.launch, decision.reasons[0]) == (1, "1 job for 0 slots: 1 left over")


def test_a_decision_that_is_held_is_kept_once_and_says_by_what() -> None:
    farm = ready(*range(5))
    for _ in range(4):
        farm.scale()
    (launched,) = farm.ledger.decisions(10)
    assert (launched.launch, launched.held) == (3, ("max_nodes",))
    farm.clock.advance(1000)
    farm.scale()
    assert farm.ledger.decisions(1)[0].held == ("cache.max_age",)


def test_an_order_says_what_the_ledger_knows_to_be_refused() -> None:
    farm = ready(1)
    pool = Pool("c7i.large", "zone-a", "spot")
    farm.ledger.journal(Launch(token="t", generation=0, count=1, slots=1, ordered=farm.clock(), request=""))
    farm.ledger.settle("t", Spawned(refused=(pool,)))
    farm.clock.advance(60)
    farm.scale()
    assert farm.fleet.requests == ["order1: 1 nodes of 1 slots, spot c7i.large in zone-a refused 60 s ago"]


def test_what_was_wrong_with_an_order_comes_out_when_it_is_settled() -> None:
    farm = ready(1)
    farm.fleet.fault = SettingsError("there is no such image")
    with pytest.raises(SettingsError, match="no such image"):
        farm.scale()
    ledger = farm.ledger.overview()
    assert (ledger.unsettled, ledger.generation) == (None, 1)


def test_a_sign_of_life_is_left_when_the_last_one_is_old() -> None:
    farm = FakeFarm()
    farm.refresh()
    started = farm.clock()
    farm.scale()
    assert farm.ledger.overview().controller_seen == started
    farm.clock.advance(600)
    farm.scale()
    assert farm.ledger.overview().controller_seen == started
    farm.clock.advance(300)
    farm.scale()
    assert farm.ledger.overview().controller_seen == started + micros(900)


def test_a_rehearsal_leaves_no_sign_of_life() -> None:
    farm = FakeFarm()
    farm.scale(dry_run=True)
    assert farm.ledger.overview().controller_seen is None


def test_the_queue_of_changes_is_not_asked_where_cache_and_queue_agree() -> None:
    farm = ready(1)
    farm.changes = UnaskedQueue(farm.clock)
    farm.scale()
    assert len(farm.fleet.instances) == 1


class UnaskedQueue(FakeQueue):
    """A queue that may not be asked how deep it is."""

    def depth(self) -> Depth:
        pytest.fail("it was asked")


def test_what_a_resync_does_not_explain_is_not_resynced_for_again_and_again() -> None:
    # given a message that is there twice
    farm = ready(1)
    farm.new_jobs.send([job_id(1)])
    farm.scale()
    assert farm.cache.status().resync_wanted
    farm.refresh()
    # when
    farm.scale()
    # then
    assert not farm.cache.status().resync_wanted
    # but what is new is looked at
    farm.new_jobs.send([job_id(2)])
    farm.scale()
    assert farm.cache.status().resync_wanted
    farm.refresh()
    farm.clock.advance(601)
    farm.scale()
    assert farm.cache.status().resync_wanted


def test_a_difference_that_a_resync_explained_is_news_when_it_comes_again() -> None:
    # given jobs of producers that send no word of a change, one after the other
    farm = ready()
    for number in (1, 2, 3):
        farm.store.submit([make_job(number)])
        farm.new_jobs.send([job_id(number)])
        # when
        farm.scale()
        # then
        assert farm.cache.status().resync_wanted
        farm.refresh()
        farm.scale()
        assert farm.cache.get_job(job_id(number)) is not None


def test_a_store_that_is_a_service_is_not_resynced_again_and_again() -> None:
    # given cache and queue that differ
    farm = ready(1)
    farm.store.lag = 60.0
    farm.new_jobs = type(farm.new_jobs)(farm.clock)
    farm.refresh(rebuild=True)
    # when
    farm.scale()
    # then
    assert not farm.cache.status().resync_wanted
    farm.clock.advance(601)
    farm.scale()
    assert farm.cache.status().resync_wanted
