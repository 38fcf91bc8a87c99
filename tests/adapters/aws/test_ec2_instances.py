"""Which instances of EC2 are nodes of the farm, and how they are ended."""

import pytest
from msgspec import structs

from nommerctl.domain.fleet import Instance, Pool
from nommerctl.errors import NodeLivesOnError, PermissionDeniedError, TryAgainError, UnreachableError
from tests.adapters.aws.nodes import TEMPLATED, Nodes
from tests.fakes.clock import START
from tests.fakes.ec2 import Fault
from tests.fakes.ec2_wire import Refused

POOL = Pool("c7i.large", "subnet-a", "spot")
TAGS = {"nommerctl:farm": "farm"}


def test_instances_with_the_tag_of_the_farm_are_its_nodes(nodes: Nodes) -> None:
    nodes.ec2.launch(POOL, tags={"nommerctl:farm": "another"})
    nodes.ec2.launch(POOL)
    ours = nodes.ec2.launch(POOL, tags=TAGS)
    assert nodes.fleet.get_instances() == [Instance(ours.id, alive=True, launched=START)]
    assert nodes.ec2.counted("DescribeInstances") == 1


def test_instances_of_the_image_count_each_once_and_are_ours_if_they_have_the_tag(nodes: Nodes) -> None:
    nodes.ec2.launch(POOL, image="ami-2")
    expected = {
        nodes.ec2.launch(POOL, image="ami-1").id: False,
        nodes.ec2.launch(POOL, image="ami-1", tags={"Name": "media-nommer"}).id: False,
        nodes.ec2.launch(POOL, image="ami-1", tags=TAGS).id: True,
        nodes.ec2.launch(POOL, image="ami-2", tags=TAGS).id: True,
    }
    known = nodes.by(structs.replace(TEMPLATED, ami="ami-1"))
    assert [(each.id, each.ours) for each in known.fleet.get_instances()] == list(expected.items())
    assert nodes.ec2.counted("DescribeInstances") == 2


def test_instances_of_media_nommers_image_count_beside_those_of_our_own_and_are_left_alone(nodes: Nodes) -> None:
    old, new = (nodes.ec2.launch(POOL, image=image).id for image in ("ami-old", "ami-1"))
    ours = nodes.ec2.launch(POOL, image="ami-1", tags=TAGS).id
    known = nodes.by(structs.replace(TEMPLATED, ami="ami-1"), old_image="ami-old")
    assert [(each.id, each.ours) for each in known.fleet.get_instances()] == [(old, False), (new, False), (ours, True)]
    assert nodes.ec2.counted("DescribeInstances") == 2


def test_instances_of_the_image_that_are_another_farms_do_not_count(nodes: Nodes) -> None:
    nodes.ec2.launch(POOL, image="ami-1", tags={"nommerctl:farm": "another"})
    ours = nodes.ec2.launch(POOL, image="ami-1", tags=TAGS)
    known = nodes.by(structs.replace(TEMPLATED, ami="ami-1"))
    assert [each.id for each in known.fleet.get_instances()] == [ours.id]


def test_what_starts_and_what_runs_is_alive_and_what_ends_or_stands_still_is_gone(nodes: Nodes) -> None:
    runs, ends, stands = (nodes.ec2.launch(POOL, tags=TAGS) for _ in range(3))
    nodes.clock.advance(60)
    starts = nodes.ec2.launch(POOL, tags=TAGS)
    stands.stopped = True
    nodes.ec2.end(ends.id)
    for state in ("shutting-down", "terminated"):
        assert ends.state(nodes.clock()) == state
        assert {each.id: (each.alive, each.gone) for each in nodes.fleet.get_instances()} == {
            runs.id: (True, False),
            starts.id: (True, False),
            ends.id: (False, True),
            stands.id: (False, True),
        }
        assert [each.id for each in nodes.fleet.get_instances() if each.stopped] == [stands.id]
        nodes.clock.advance(60)


def test_an_instance_that_ec2_takes_back_is_told_from_one_that_ends_otherwise(nodes: Nodes) -> None:
    reasons = ("Server.SpotInstanceTermination", "Server.SpotInstanceShutdown", "Client.InstanceInitiatedShutdown", "")
    ended = {nodes.ec2.launch(POOL, tags=TAGS).id: reason for reason in reasons}
    for node, reason in ended.items():
        nodes.ec2.end(node)
        nodes.ec2.instances[node].reason = reason
    assert [each.taken_back for each in nodes.fleet.get_instances()] == [True, True, False, False]


def test_a_look_takes_a_request_for_a_thousand_nodes(nodes: Nodes) -> None:
    for count, requests in ((1000, 1), (1001, 3)):
        while len(nodes.ec2.instances) < count:
            nodes.ec2.launch(POOL, tags=TAGS)
        assert len(nodes.fleet.get_instances()) == count
        assert nodes.ec2.counted("DescribeInstances") == requests


def test_half_of_the_pages_are_no_answer(nodes: Nodes) -> None:
    for _ in range(1001):
        nodes.ec2.launch(POOL, tags=TAGS)
    nodes.ec2.fail("DescribeInstances", None, Fault.FAILED)
    with pytest.raises(UnreachableError):
        nodes.fleet.get_instances()


def test_an_answer_without_a_list_of_instances_is_no_empty_farm(nodes: Nodes) -> None:
    nodes.ec2.answers["DescribeInstances"] = b"<Welcome/>"
    with pytest.raises(UnreachableError, match="something else than instances"):
        nodes.fleet.get_instances()


@pytest.mark.parametrize("describes", [1, 2, 3])
def test_a_new_node_may_be_shown_some_looks_later(nodes: Nodes, describes: int) -> None:
    nodes.ec2.lag_describes = describes
    (node,) = nodes.spawn().nodes
    looks = [nodes.alive for _ in range(describes + 1)]
    assert looks == [[]] * describes + [[node]]


def test_the_fleet_says_how_long_a_new_node_may_not_be_shown(nodes: Nodes) -> None:
    assert nodes.fleet.lag == 600.0


def test_nodes_are_ended_and_others_are_not(nodes: Nodes) -> None:
    first, second, third = nodes.spawn(3).nodes
    nodes.fleet.end_instances([first, third])
    assert nodes.ec2.running == [second]
    assert nodes.ec2.counted("TerminateInstances") == 1


def test_nodes_are_ended_a_hundred_at_a_time(nodes: Nodes) -> None:
    nodes.fleet.end_instances(nodes.spawn(101).nodes)
    assert nodes.ec2.running == []
    assert nodes.ec2.counted("TerminateInstances") == 2


def test_what_has_ended_is_not_ended_again(nodes: Nodes) -> None:
    ended = nodes.spawn().nodes
    nodes.fleet.end_instances(ended)
    nodes.fleet.end_instances(ended)
    assert nodes.ec2.counted("TerminateInstances") == 1


def test_instances_that_are_nodes_by_their_image_only_are_never_ended(nodes: Nodes) -> None:
    foreign, other_farm = nodes.ec2.launch(POOL), nodes.ec2.launch(POOL, tags={"nommerctl:farm": "another"})
    (ours,) = nodes.spawn().nodes
    with pytest.raises(NodeLivesOnError) as refused:
        nodes.fleet.end_instances([foreign.id, ours, other_farm.id])
    assert str(refused.value) == (
        f"these instances lack the tag nommerctl:farm = farm, so they are not ended: {foreign.id}, {other_farm.id}"
    )
    assert nodes.ec2.running == [foreign.id, other_farm.id]


def test_a_node_that_is_protected_keeps_none_of_the_others(nodes: Nodes) -> None:
    spawned = nodes.spawn(5).nodes
    for node in (spawned[1], spawned[3]):
        said = f"The instance '{node}' may not be terminated. Modify its 'disableApiTermination' attribute."
        nodes.ec2.objections[node] = Refused(said, code="OperationNotPermitted")
    with pytest.raises(NodeLivesOnError) as refused:
        nodes.fleet.end_instances(spawned)
    assert str(refused.value) == (
        f"these nodes are protected from termination, take that away in EC2 first: {spawned[1]}, {spawned[3]}"
    )
    assert nodes.ec2.running == [spawned[1], spawned[3]]


@pytest.mark.parametrize("says_which", [True, False])
def test_a_node_that_vanishes_meanwhile_keeps_none_of_the_others(nodes: Nodes, *, says_which: bool) -> None:
    spawned = nodes.spawn(4).nodes
    vanished = spawned[2]
    said = f"The instance ID '{vanished}' does not exist" if says_which else "An instance ID does not exist"
    nodes.ec2.objections[vanished] = Refused(said, code="InvalidInstanceID.NotFound")
    nodes.fleet.end_instances(spawned)
    assert nodes.ec2.running == [vanished]


@pytest.mark.parametrize("operation", ["DescribeInstances", "TerminateInstances"])
@pytest.mark.parametrize("fault", list(Fault))
def test_a_call_that_goes_wrong_is_said_and_may_be_made_again(nodes: Nodes, operation: str, fault: Fault) -> None:
    spawned = nodes.spawn(2).nodes
    nodes.ec2.fail(operation, fault)
    with pytest.raises(TryAgainError if fault is Fault.THROTTLED else UnreachableError):
        nodes.fleet.end_instances(spawned)
    nodes.fleet.end_instances(spawned)
    assert nodes.ec2.running == []


@pytest.mark.parametrize("operation", ["DescribeInstances", "TerminateInstances"])
def test_a_permission_that_is_missing_is_named(nodes: Nodes, operation: str) -> None:
    spawned = nodes.spawn().nodes
    nodes.ec2.refusals[operation] = Refused("You may not.", code="UnauthorizedOperation", status=403)
    with pytest.raises(PermissionDeniedError, match=f"AWS refuses ec2:{operation} on the nodes of farm 'farm'"):
        nodes.fleet.end_instances(spawned)


def test_why_a_node_did_not_come_up_is_read_from_its_tag_when_it_has_gone_too(nodes: Nodes) -> None:
    failed = nodes.ec2.launch(POOL, tags={**TAGS, "nommerctl:failure": "pip: no such wheel"})
    nodes.ec2.end(failed.id)
    assert [(each.gone, each.failure) for each in nodes.fleet.get_instances()] == [(True, "pip: no such wheel")]
