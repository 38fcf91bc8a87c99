from nommerctl.domain.config import CacheSettings
from nommerctl.domain.fleet import Depth
from nommerctl.domain.states import JobState
from nommerctl.passes.status import status
from tests.passes.farm import FakeFarm


def test_what_a_person_asks_first() -> None:
    # given three jobs, of which one is finished, and nodes for the others
    farm = FakeFarm()
    done, *_ = farm.submit(1, 2, 3)
    farm.refresh()
    farm.scale()
    farm.work_off(done)
    farm.clock.advance(30)
    farm.refresh()
    farm.clock.advance(5)
    # when
    found = status(farm.reads, CacheSettings(), farm.clock())
    # then
    counts = {state: count for state, count in found.view.jobs.items() if count}
    assert counts == {JobState.PENDING: 2, JobState.FINISHED: 1}
    assert found.view.cache_age == 5
    assert found.view.new_jobs.total == 2
    assert len(found.view.nodes) == 3
    assert found.view.ledger.decision is not None
    assert found.view.ledger.decision.launch == 3
    assert found.changes == 0
    assert found.dead == 0


def test_dead_letters_are_counted() -> None:
    farm = FakeFarm()
    farm.submit(1)
    while farm.new_jobs.depth() != Depth():
        farm.new_jobs.receive(1, 0)
    assert status(farm.reads, CacheSettings(), farm.clock()).dead == 1


def test_a_farm_that_was_never_used() -> None:
    farm = FakeFarm()
    found = status(farm.reads, CacheSettings(), farm.clock())
    assert (found.view.cache_age, found.view.ledger.decision, found.dead) == (None, None, 0)
    assert set(found.view.jobs.values()) == {0}
