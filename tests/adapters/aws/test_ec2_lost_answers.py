"""Orders whose answer was lost, repeated by whoever comes next: nothing is launched twice."""

import pytest
from msgspec import structs

from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.fleet import Spawned
from nommerctl.errors import PermissionDeniedError, TryAgainError, UnreachableError
from tests.adapters.aws.nodes import TEMPLATED, UNTEMPLATED, Nodes
from tests.fakes.ec2 import Fault, ec2_client
from tests.fakes.ec2_wire import Refused

HOUR = 3600.0

BOTH = pytest.mark.parametrize("settings", [TEMPLATED, UNTEMPLATED], ids=["CreateFleet", "RunInstances"])


def operation_of(settings: AwsSettings) -> str:
    return "CreateFleet" if settings.launch_template else "RunInstances"


@BOTH
@pytest.mark.parametrize("fault", list(Fault))
def test_an_order_that_went_wrong_is_given_again_and_launches_once(
    nodes: Nodes, settings: AwsSettings, fault: Fault
) -> None:
    farm = nodes.by(settings)
    order = farm.order(3)
    nodes.ec2.fail(operation_of(settings), fault)
    with pytest.raises(TryAgainError if fault is Fault.THROTTLED else UnreachableError):
        farm.fleet.spawn_instances(order)
    spawned = farm.fleet.spawn_instances(order)
    assert list(spawned.nodes) == nodes.ec2.running
    assert len(spawned.nodes) == 3


@BOTH
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.THROTTLED])
def test_the_client_tries_again_by_itself_with_the_same_token(
    nodes: Nodes, settings: AwsSettings, fault: Fault
) -> None:
    nodes.ec2.fail(operation_of(settings), fault)
    with nodes.ec2.behind(ec2_client(attempts=2)) as client:
        spawned = Nodes(nodes.ec2, client, nodes.clock, settings).spawn(2)
    assert list(spawned.nodes) == nodes.ec2.running
    assert len(spawned.nodes) == 2
    assert nodes.ec2.counted(operation_of(settings)) == 2


@BOTH
def test_an_order_is_repeated_byte_for_byte_whatever_the_settings_have_become(
    nodes: Nodes, settings: AwsSettings
) -> None:
    order = nodes.by(settings).order(2)
    nodes.ec2.fail(operation_of(settings), Fault.LOST)
    with pytest.raises(UnreachableError):
        nodes.fleet.spawn_instances(order)
    changed = nodes.by(structs.replace(TEMPLATED, launch_template="another", instance_types=("c6i.large",)))
    assert len(changed.fleet.spawn_instances(order).nodes) == 2
    assert nodes.ec2.calls[0] == nodes.ec2.calls[1]


@BOTH
def test_an_old_order_is_looked_up_by_its_tag_and_not_given_again(nodes: Nodes, settings: AwsSettings) -> None:
    farm = nodes.by(settings)
    order = farm.order(3)
    nodes.ec2.fail(operation_of(settings), Fault.LOST)
    with pytest.raises(UnreachableError):
        farm.fleet.spawn_instances(order)
    farm.spawn(1, "b2")
    nodes.ec2.forget_tokens()
    nodes.clock.advance(6 * HOUR)
    assert len(farm.fleet.spawn_instances(order).nodes) == 3
    assert len(nodes.ec2.running) == 4


def test_an_old_order_that_never_was_given_came_to_nothing(nodes: Nodes) -> None:
    order = nodes.order(3)
    nodes.clock.advance(6 * HOUR)
    assert nodes.fleet.spawn_instances(order) == Spawned(certain=False)
    assert nodes.ec2.running == []


def test_a_token_that_was_used_for_something_else_is_looked_up_once_that_is_sure(nodes: Nodes) -> None:
    nodes.spawn(1)
    other = nodes.order(2)
    with pytest.raises(TryAgainError, match="the next run looks again"):
        nodes.fleet.spawn_instances(other)
    nodes.clock.advance(1200)
    assert nodes.fleet.spawn_instances(other) == Spawned(tuple(nodes.ec2.running), certain=False)
    assert len(nodes.ec2.running) == 1


def test_an_order_whose_instance_was_ended_meanwhile_is_settled_with_it(nodes: Nodes) -> None:
    farm = nodes.by(UNTEMPLATED)
    order = farm.order(2)
    spawned = farm.fleet.spawn_instances(order)
    nodes.ec2.end(spawned.nodes[0])
    assert farm.fleet.spawn_instances(order) == spawned


def test_what_is_not_all_shown_yet_is_not_taken_for_all(nodes: Nodes) -> None:
    farm = nodes.by(UNTEMPLATED)
    order = farm.order(2)
    nodes.ec2.lag = 300
    first, _ = farm.fleet.spawn_instances(order).nodes
    nodes.ec2.instances[first].shown_from = 0
    nodes.ec2.end(first)
    with pytest.raises(TryAgainError):
        farm.fleet.spawn_instances(order)
    nodes.clock.advance(300)
    assert len(farm.fleet.spawn_instances(order).nodes) == 2


def test_a_refusal_of_who_asks_says_nothing_of_what_another_try_did(nodes: Nodes) -> None:
    order = nodes.order(2)
    nodes.ec2.lag = 120
    nodes.ec2.fail("CreateFleet", Fault.LOST)
    with pytest.raises(UnreachableError):
        nodes.fleet.spawn_instances(order)
    nodes.ec2.refusals["CreateFleet"] = Refused("Renew them.", code="RequestExpired")
    with pytest.raises(PermissionDeniedError, match="expired"):
        nodes.fleet.spawn_instances(order)
    nodes.clock.advance(120)
    assert nodes.fleet.spawn_instances(order) == Spawned(tuple(nodes.ec2.running))
    assert len(nodes.ec2.running) == 2


def test_a_refusal_of_who_asks_settles_the_order_once_nothing_can_have_come_of_it(nodes: Nodes) -> None:
    order = nodes.order(2)
    nodes.ec2.refusals["CreateFleet"] = Refused("You may not.", code="UnauthorizedOperation", status=403)
    nodes.clock.advance(1200)
    spawned = nodes.fleet.spawn_instances(order)
    assert spawned == Spawned(fault=spawned.fault, certain=False)
    assert isinstance(spawned.fault, PermissionDeniedError)


def test_an_answer_that_says_nothing_is_not_taken_for_nothing_launched(nodes: Nodes) -> None:
    order = nodes.order(2)
    nodes.ec2.lag = 60
    nodes.fleet.spawn_instances(order)
    nodes.ec2.answers["CreateFleet"] = b"<CreateFleetResponse><fleetId>fleet-1</fleetId></CreateFleetResponse>"
    with pytest.raises(TryAgainError, match="neither what came of order a1 nor why nothing did"):
        nodes.fleet.spawn_instances(order)
    nodes.clock.advance(60)
    assert nodes.fleet.spawn_instances(order) == Spawned(tuple(nodes.ec2.running))


def test_a_clock_ten_minutes_ahead_does_not_make_a_new_order_an_old_one(nodes: Nodes) -> None:
    order = nodes.order(2)
    nodes.ec2.lag = 900
    nodes.ec2.fail("CreateFleet", Fault.LOST)
    with pytest.raises(UnreachableError):
        nodes.fleet.spawn_instances(order)
    nodes.clock.advance(600)
    nodes.ec2.refusals["CreateFleet"] = Refused("You may not.", code="UnauthorizedOperation", status=403)
    with pytest.raises(PermissionDeniedError):
        nodes.fleet.spawn_instances(order)
