"""Scale and resume, with nodes that never come up."""

import pytest
from msgspec import structs

from nommerctl.domain.breaker import Breaker, resumed
from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import CheckIn, Launch
from nommerctl.domain.outcome import Change, Held, Notice, Outcome
from nommerctl.domain.times import micros
from nommerctl.passes.resume import resume
from nommerctl.passes.scale import nodes
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.passes.farm import FakeFarm

WHY = "3 nodes in a row never gave a heartbeat"
OPENING = Change("open breaker", "until 2026-01-01T09:32:00Z", f"{WHY} (order3-0 said: no ffmpeg)")
SENTENCE = (
    f"the breaker is open until 2026-01-01T09:32:00Z, no node is launched: {WHY} (order3-0 said: no ffmpeg);"
    " mend that, then run 'nommerctl resume'"
)


@pytest.fixture
def farm() -> FakeFarm:
    """Two jobs, and room for one node."""
    farm = FakeFarm(scale_settings=ScaleSettings(max_nodes=1, breaker_nodes=3))
    farm.ledger = WatchedLedger(farm.clock)
    farm.submit(1, 2)
    return farm


class WatchedLedger(FakeLedger):
    """A ledger whose breaker somebody else may switch `meanwhile`; `written` has what was written into it, in order."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.meanwhile: Breaker | None = None
        self.written: list[str] = []

    def switch(self, breaker: Breaker) -> None:
        if self.meanwhile is not None:
            super().switch(self.meanwhile)
        super().switch(breaker)

    def publish(self, text: str) -> None:
        self.written.append(text)
        super().publish(text)

    def journal(self, launch: Launch) -> None:
        self.written.append(launch.token)
        super().journal(launch)


def switched_meanwhile(farm: FakeFarm) -> None:
    assert isinstance(farm.ledger, WatchedLedger)
    farm.ledger.meanwhile = resumed(farm.ledger.overview().breaker, farm.clock() - 1)


def a_minute(farm: FakeFarm, *, dry_run: bool = False) -> Outcome:
    """Let a pass come, and the node that it launches end at once."""
    farm.refresh()
    outcome = farm.scale(dry_run=dry_run)
    fail(farm)
    farm.clock.advance(60)
    return outcome


def fail(farm: FakeFarm) -> None:
    for node in farm.fleet.instances:
        farm.fleet.kill(node)
        farm.fleet.instances[node] = structs.replace(farm.fleet.instances[node], failure="no ffmpeg")


def broken(farm: FakeFarm) -> Outcome:
    """Three nodes fail in a row; return the outcome of the pass that finds the third."""
    for _ in range(2):
        a_minute(farm)
    farm.refresh()
    farm.scale()
    fail(farm)
    return farm.scale()


def resumed_by_hand(farm: FakeFarm, *, dry_run: bool = False) -> Outcome:
    return resume(farm.reads, farm.performer(dry_run=dry_run), clock=farm.clock)


def test_three_nodes_in_a_row_that_never_came_up_open_it(farm: FakeFarm) -> None:
    outcome = broken(farm)
    assert [each.action for each in outcome.changed] == ["end", "open breaker"]
    assert OPENING in outcome.changed
    assert outcome.held[-1] == Held("breaker", SENTENCE, 1)
    assert outcome.plan is not None
    assert outcome.plan.launch == 0
    assert SENTENCE in outcome.plan.reasons
    assert outcome.notice == Notice(SENTENCE, until=farm.clock() + micros(1800))
    assert farm.ledger.decisions(1)[0].held[-1] == "breaker"


def test_a_dry_run_says_so_and_leaves_it_closed(farm: FakeFarm) -> None:
    for _ in range(2):
        a_minute(farm)
    farm.refresh()
    farm.scale()
    fail(farm)
    told = farm.scale(dry_run=True)
    assert farm.ledger.overview().breaker == Breaker()
    done = farm.scale()
    assert (told.changed, told.plan, told.held) == (done.changed, done.plan, done.held)
    assert OPENING in told.changed


def test_as_long_as_it_is_open_nothing_is_launched_and_nothing_is_changed(farm: FakeFarm) -> None:
    broken(farm)
    farm.scale_settings = structs.replace(farm.scale_settings, min_nodes=1)
    for _ in range(29):
        outcome = a_minute(farm)
        assert (outcome.changed, outcome.held[-1].by) == ((), "breaker")
    assert len(farm.fleet.requests) == 3
    assert len(farm.ledger.decisions(100)) == 4, "the hold is kept once"


def test_then_one_node_is_tried_and_when_it_fails_it_opens_again(farm: FakeFarm) -> None:
    farm.scale_settings = structs.replace(farm.scale_settings, max_nodes=2)
    for _ in range(3):
        a_minute(farm)
    farm.clock.advance(1800)
    tried = a_minute(farm)
    assert Change("launch", "1 node", "2 jobs for 0 slots: 2 left over") in tried.changed
    assert tried.held[-1].by == "breaker"
    failed = a_minute(farm)
    assert [each.action for each in failed.changed] == ["end", "open breaker"]
    assert failed.plan is not None
    assert failed.plan.launch == 0


def test_when_it_comes_up_the_rest_is_launched(farm: FakeFarm) -> None:
    broken(farm)
    farm.scale_settings = structs.replace(farm.scale_settings, max_nodes=2)
    farm.clock.advance(1800)
    farm.refresh()
    farm.scale()
    (node,) = farm.fleet.instances
    farm.ledger.check_in(CheckIn(node=node, launched=farm.clock(), at=farm.clock()))
    outcome = farm.scale()
    assert Change("close breaker", "for nodes come up", f"{node} came up") in outcome.changed
    assert [each.action for each in outcome.changed] == ["close breaker", "launch"]
    assert (outcome.held, outcome.notice) == ((), Notice())
    assert farm.ledger.overview().breaker == Breaker(number=2)


def test_an_order_without_an_answer_is_repeated_all_the_same(farm: FakeFarm) -> None:
    broken(farm)
    generation = farm.ledger.overview().generation
    order = Launch(token="lost", generation=generation, count=1, slots=1, ordered=farm.clock(), request="lost")
    farm.ledger.journal(order)
    outcome = farm.scale()
    assert [each.action for each in outcome.changed] == ["repeat order"]
    assert [held.by for held in outcome.held] == ["breaker"]


def test_a_pass_that_comes_too_late_does_not_open_what_a_person_closed(farm: FakeFarm) -> None:
    for _ in range(2):
        a_minute(farm)
    farm.refresh()
    farm.scale()
    fail(farm)
    switched_meanwhile(farm)
    outcome = farm.scale()
    assert [held.by for held in outcome.held][-1] == "changed meanwhile"
    assert [each.action for each in outcome.changed] == ["end"]


def test_resume_closes_it_says_what_it_was_and_nodes_are_launched_again(farm: FakeFarm) -> None:
    broken(farm)
    told = resumed_by_hand(farm, dry_run=True)
    done = resumed_by_hand(farm)
    assert told.changed == done.changed == (Change("close breaker", "open since 2026-01-01T09:02:00Z", OPENING.reason),)
    assert done.notice == Notice()
    outcome = a_minute(farm)
    assert (outcome.plan and outcome.plan.launch, outcome.notice) == (1, Notice())


def test_resume_has_nothing_to_do_where_it_is_closed(farm: FakeFarm) -> None:
    outcome = resumed_by_hand(farm)
    assert (outcome.changed, outcome.held, outcome.notice) == ((), (), Notice())


def test_resume_that_comes_together_with_another_leaves_it_to_that(farm: FakeFarm) -> None:
    broken(farm)
    switched_meanwhile(farm)
    outcome = resumed_by_hand(farm)
    assert [held.by for held in outcome.held] == ["changed meanwhile"]
    assert outcome.notice is None


# --- what nodes read, and leave


def test_settings_for_nodes_are_written_once_and_before_any_node_is_launched(farm: FakeFarm) -> None:
    farm.node_settings = '{"worker": {}}'
    farm.refresh()
    farm.scale(dry_run=True)
    assert farm.ledger.overview().node_settings == ""
    farm.scale()
    farm.scale()
    assert isinstance(farm.ledger, WatchedLedger)
    assert farm.ledger.written[0] == '{"worker": {}}'
    assert [text.startswith("order") for text in farm.ledger.written] == [False, True]


def test_a_node_is_known_with_its_boot_lag(farm: FakeFarm) -> None:
    farm.refresh()
    farm.scale()
    (node,) = farm.fleet.instances
    launched = farm.clock()
    farm.ledger.check_in(CheckIn(node=node, launched=launched, at=farm.clock.advance(42.5)))
    (known,) = nodes(farm.reads, farm.clock())
    assert known.check_in is not None
    assert known.check_in.lag == 42.5
