"""A farm whose clock jumps a day between its passes: what lives is kept, what is dead is handed on, in due time."""

from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.states import JobState
from tests.passes.farm import FakeFarm

DAY = 24 * 3600.0


def with_a_node(farm: FakeFarm) -> str:
    """Launch one node for a job, which gives a first heartbeat."""
    farm.refresh()
    farm.scale()
    (node,) = farm.fleet.instances
    beat(farm, node)
    return node


def beat(farm: FakeFarm, node: str) -> None:
    farm.ledger.beat(Heartbeat(node=node, started=farm.clock(), at=farm.clock(), slots=1))


def states(farm: FakeFarm) -> set[JobState]:
    return {job.state for job in farm.store.jobs.values()}


def received(farm: FakeFarm) -> list[str]:
    return [message.body for message in farm.new_jobs.receive(100, 90)]


def test_what_was_submitted_in_the_future_is_done_now() -> None:
    farm = FakeFarm()
    farm.refresh()
    farm.clock.advance(DAY)
    (job,) = farm.submit(1)
    farm.refresh()
    farm.clock.advance(-DAY)

    held = farm.scale()
    assert held.held[0].reason.startswith("the last refresh is dated 24 h after now")
    assert farm.fleet.instances == {}
    farm.refresh()
    farm.scale()

    assert len(farm.fleet.instances) == 1
    assert received(farm) == [job.id]


def test_a_resync_in_the_future_keeps_no_resync_back() -> None:
    farm = FakeFarm()
    farm.clock.advance(DAY)
    farm.refresh()
    farm.clock.advance(-DAY)

    assert farm.refresh().changed[0].reason == "the clock went back since the last one"
    assert farm.refresh().changed == ()


def test_a_message_that_is_gone_is_sent_anew_whatever_the_job_is_dated() -> None:
    farm = FakeFarm()
    farm.clock.advance(DAY)
    (job,) = farm.submit(1)
    received(farm)
    farm.new_jobs.delete(farm.new_jobs.receive(1, 0))
    farm.clock.advance(-DAY)
    for message in farm.new_jobs.receive(1, 0):
        farm.new_jobs.delete([message])
    assert farm.new_jobs.depth().total == 0

    farm.refresh(rebuild=True)
    farm.clock.advance(3700)
    farm.refresh(rebuild=True)

    assert received(farm) == [job.id]


def claimed_by(farm: FakeFarm, node: str) -> EncodingJob:
    (job,) = farm.store.jobs.values()
    return farm.claim(job, owner=node)


def test_no_job_is_abandoned_whose_node_lives_however_late_it_is() -> None:
    farm = FakeFarm()
    farm.submit(1)
    claimed_by(farm, with_a_node(farm))

    farm.clock.advance(2 * DAY)
    assert farm.abandon().changed == ()
    assert farm.abandon(dry_run=True).changed == ()

    assert states(farm) == {JobState.DOWNLOADING}


def test_a_job_whose_node_is_gone_is_abandoned_as_ever() -> None:
    for gone in ("killed", "ended"):
        farm = FakeFarm()
        farm.submit(1)
        node = with_a_node(farm)
        claimed_by(farm, node)
        if gone == "killed":
            farm.fleet.kill(node)
        else:
            farm.fleet.end_instances([node])

        farm.clock.advance(2 * DAY)
        farm.abandon()

        assert states(farm) == {JobState.ABANDONED}


def test_no_node_is_ended_that_beats_by_the_clock_as_it_is_now() -> None:
    farm = FakeFarm()
    farm.submit(1)
    node = with_a_node(farm)
    for jump in (DAY, -DAY, -DAY, DAY):
        farm.clock.advance(jump)
        farm.refresh()
        for _ in range(3):  # passes in quick succession, as by hand
            farm.scale()
            farm.clock.advance(1)
        assert node in farm.fleet.instances
        farm.clock.advance(20)
        beat(farm, node)
        farm.clock.advance(40)
        farm.refresh()
        assert [change for change in farm.scale().changed if change.target == node] == []
    assert node in farm.fleet.instances


def test_a_node_that_is_silent_since_the_future_is_ended() -> None:
    farm = FakeFarm()
    farm.submit(1)
    farm.clock.advance(DAY)
    node = with_a_node(farm)
    farm.clock.advance(-DAY)
    farm.refresh()
    farm.scale()
    farm.clock.advance(60)
    farm.scale()
    assert node not in farm.fleet.instances
