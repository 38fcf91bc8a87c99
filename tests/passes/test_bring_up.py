"""Bringing a farm up, in memory: what is missing is made, what differs is changed, and nothing else."""

import pytest
from msgspec import structs

from nommerctl.domain.outcome import Change, Failure, Outcome
from nommerctl.domain.stack import Found, Resource
from nommerctl.errors import SettingsError
from nommerctl.passes.bring_up import bring_up
from nommerctl.passes.means import AccountWrites
from nommerctl.passes.performing import DoerOf, RehearsalOf
from tests.fakes.clock import FakeClock
from tests.fakes.fleet import FakeFleet
from tests.fakes.stack import FakeStack
from tests.passes.farm import nothing

QUEUE = "AWS::SQS::Queue"
DEAD = Resource(logical="Dead", kind=QUEUE, name="films-dead", properties={"QueueName": "films-dead", "Kept": 14})
JOBS = Resource(
    logical="Jobs",
    kind=QUEUE,
    name="films",
    properties={"QueueName": "films", "Redrive": {"target": {"Fn::GetAtt": ["Dead", "Arn"]}, "most": 50}},
)
WANTED = (DEAD, JOBS)


@pytest.fixture
def stack() -> FakeStack:
    return FakeStack()


def brought_up(stack: FakeStack, *, dry_run: bool = False, wanted: tuple[Resource, ...] = WANTED) -> Outcome:
    writes = AccountWrites(stack, FakeFleet(FakeClock()))
    doing = RehearsalOf[AccountWrites](heed=nothing) if dry_run else DoerOf(writes, heed=nothing)
    return bring_up(stack, doing, wanted)


def test_everything_is_made_in_order_and_refers_to_what_was_made(stack: FakeStack) -> None:
    outcome = brought_up(stack)
    assert outcome.changed == (Change("create", "queue films-dead"), Change("create", "queue films"))
    assert stack.standing[QUEUE, "films"].properties["Redrive"] == {"target": "arn:films-dead", "most": 50}


def test_repeated_it_changes_nothing(stack: FakeStack) -> None:
    brought_up(stack)
    before = dict(stack.standing)
    assert brought_up(stack).changed == ()
    assert stack.standing == before


def test_a_half_made_farm_is_completed(stack: FakeStack) -> None:
    brought_up(stack)
    del stack.standing[QUEUE, "films"]
    assert brought_up(stack).changed == (Change("create", "queue films"),)


def test_what_turns_out_to_be_there_half_made_when_it_is_made_is_completed_at_once(stack: FakeStack) -> None:
    # given a queue that is made without an answer, and repeated: it is there by then, and lacks something
    create = stack.create

    def created_without_an_answer(resource: Resource) -> Found:
        stack.standing[QUEUE, resource.name] = Found(id="q", properties={"QueueName": resource.name}, farm="films")
        return create(resource)

    stack.create = created_without_an_answer  # type: ignore[method-assign]
    # when, then
    assert brought_up(stack, wanted=(DEAD,)).changed == (Change("create", "queue films-dead"),)
    assert stack.standing[QUEUE, "films-dead"].properties == DEAD.properties


def test_a_changed_setting_is_shown_as_a_diff_and_applied(stack: FakeStack) -> None:
    # given
    brought_up(stack)
    changed = structs.replace(DEAD, properties={"QueueName": "films-dead", "Kept": 4})
    # when
    outcome = brought_up(stack, wanted=(changed, JOBS))
    # then
    assert outcome.changed == (Change("update", "queue films-dead", "Kept: 14 -> 4"),)
    assert stack.standing[QUEUE, "films-dead"].properties["Kept"] == 4
    assert brought_up(stack, wanted=(changed, JOBS)).changed == ()


def test_what_nobody_wants_is_left_as_it_is(stack: FakeStack) -> None:
    brought_up(stack)
    there = stack.standing[QUEUE, "films-dead"]
    stack.standing[QUEUE, "films-dead"] = structs.replace(there, properties={**there.properties, "Policy": "own"})
    assert brought_up(stack).changed == ()


def test_a_dry_run_says_the_same_and_makes_nothing(stack: FakeStack) -> None:
    planned = brought_up(stack, dry_run=True)
    assert stack.standing == {}
    assert planned.dry_run
    assert planned.changed == brought_up(stack).changed


def test_what_cannot_be_made_keeps_only_those_from_being_made_that_need_it(stack: FakeStack) -> None:
    # given
    stack.broken.add("films-dead")
    alone = Resource(logical="Alone", kind=QUEUE, name="alone", properties={})
    # when
    outcome = brought_up(stack, wanted=(*WANTED, alone))
    # then
    assert outcome.failed == (
        Failure("create", "queue films-dead", "films-dead cannot be made"),
        Failure(
            "create",
            "queue films",
            "it needs Dead, which is not there: see above, and run 'nommerctl aws bootstrap' again",
        ),
    )
    assert outcome.changed == (Change("create", "queue alone"),)
    # and the next run goes on from there
    stack.broken.clear()
    assert len(brought_up(stack, wanted=(*WANTED, alone)).changed) == 2


def test_whoever_watches_is_told_of_each_step_before_it_is_done(stack: FakeStack) -> None:
    seen: list[tuple[str, int]] = []
    writes = AccountWrites(stack, FakeFleet(FakeClock()))
    doing = DoerOf(writes, heed=nothing, begins=lambda change: seen.append((change.target, len(stack.standing))))
    bring_up(stack, doing, WANTED)
    assert seen == [("queue films-dead", 0), ("queue films", 1)]


def test_what_is_another_farms_is_refused_before_anything_is_changed(stack: FakeStack) -> None:
    stack.standing[QUEUE, "films"] = Found(id="x", properties={}, farm="other")
    with pytest.raises(SettingsError, match="farm 'other'"):
        brought_up(stack)
    assert (QUEUE, "films-dead") not in stack.standing
