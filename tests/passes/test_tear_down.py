"""Taking a farm down, in memory: its nodes are ended, its parts deleted, and nothing else is touched."""

from typing import TYPE_CHECKING

import pytest

from nommerctl.domain.fleet import Instance
from nommerctl.domain.outcome import Change, Failure, Held, Outcome
from nommerctl.domain.stack import Found
from nommerctl.errors import UsageError
from nommerctl.passes.means import AccountReads, AccountWrites
from nommerctl.passes.performing import DoerOf, RehearsalOf
from nommerctl.passes.tear_down import tear_down
from tests.builders import make_job
from tests.fakes.clock import FakeClock
from tests.fakes.fleet import FakeFleet
from tests.fakes.job_store import FakeJobStore
from tests.fakes.stack import FakeStack
from tests.passes.farm import nothing

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = (
    ("AWS::DynamoDB::Table", "nommerctl-films-jobs"),
    ("AWS::EC2::SecurityGroup", "sg-1"),
    ("AWS::EC2::LaunchTemplate", "nommerctl-films"),
    ("AWS::SQS::Queue", "nommerctl-films-new-jobs"),
)


class Account:
    """An account with a farm that has two nodes; one of another is beside them."""

    def __init__(self) -> None:
        self.stack = FakeStack()
        self.fleet = FakeFleet(FakeClock())
        self.store = FakeJobStore()
        self.pause: Callable[[], None] = nothing
        for part in PARTS:
            self.stack.standing[part] = Found(id=part[1], properties={}, farm="films")
        for node in ("i-1", "i-2"):
            self.fleet.instances[node] = Instance(node, alive=True, launched=0)
        self.fleet.instances["i-foreign"] = Instance("i-foreign", alive=True, launched=0, ours=False)

    def torn_down(self, *, dry_run: bool = False, force: bool = False) -> Outcome:
        writes = AccountWrites(self.stack, self.fleet)
        doing = RehearsalOf[AccountWrites](heed=nothing) if dry_run else DoerOf(writes, heed=nothing)
        reads = AccountReads(self.stack, self.fleet, self.store)
        return tear_down(reads, doing, force=force, pause=self.pause)


@pytest.fixture
def account() -> Account:
    return Account()


def test_template_nodes_and_the_rest_go_in_that_order(account: Account) -> None:
    outcome = account.torn_down()
    assert outcome.changed == (
        Change("delete", "launch template nommerctl-films"),
        Change("end", "node i-1"),
        Change("end", "node i-2"),
        Change("delete", "queue nommerctl-films-new-jobs"),
        Change("delete", "table nommerctl-films-jobs"),
        Change("delete", "security group sg-1"),
    )
    assert outcome.facts == {"left": 0}
    assert set(account.fleet.instances) == {"i-foreign"}
    assert account.stack.standing == {}


def test_again_there_is_nothing_to_do(account: Account) -> None:
    account.torn_down()
    again = account.torn_down()
    assert (again.changed, again.facts) == ((), {"left": 0})


def test_a_dry_run_lists_the_same_and_does_nothing(account: Account) -> None:
    planned = account.torn_down(dry_run=True)
    assert len(account.stack.standing) == 4
    assert len(account.fleet.instances) == 3
    assert planned.facts == {}
    assert planned.changed == account.torn_down().changed


def test_unfinished_jobs_are_not_lost_unless_that_is_forced(account: Account) -> None:
    account.store.submit([make_job()])
    with pytest.raises(UsageError, match=r"1 job of this farm is unfinished: .*--force"):
        account.torn_down()
    assert len(account.stack.standing) == 4
    assert account.torn_down(force=True).facts == {"left": 0}


def test_a_node_that_ends_slowly_is_waited_for(account: Account) -> None:
    # given a node that goes on being shown
    lingering = account.fleet.instances["i-2"]
    waits = 0
    ended = account.fleet.end_instances

    def pause() -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            ended(["i-2"])

    account.fleet.end_instances = lambda nodes: ended([node for node in nodes if node != lingering.id])  # type: ignore[method-assign]
    account.pause = pause
    # when, then
    assert account.torn_down().facts == {"left": 0}
    assert waits == 3


def test_a_node_that_somebody_stopped_is_ended_for_its_disk_costs(account: Account) -> None:
    account.fleet.instances["i-2"] = Instance("i-2", alive=False, launched=0, gone=True, stopped=True)
    account.fleet.instances["i-3"] = Instance("i-3", alive=False, launched=0, gone=True)
    outcome = account.torn_down()
    assert [change.target for change in outcome.changed if change.action == "end"] == ["node i-1", "node i-2"]
    assert set(account.fleet.instances) == {"i-3", "i-foreign"}
    assert outcome.facts == {"left": 0}


def test_what_cloudformation_made_is_left_to_it(account: Account) -> None:
    part = ("AWS::SQS::Queue", "nommerctl-films-new-jobs")
    account.stack.standing[part] = Found(id="q", properties={}, farm="films", made_by="films-stack")
    outcome = account.torn_down()
    sentence = "queue nommerctl-films-new-jobs was made by the CloudFormation stack films-stack: delete it there"
    assert outcome.held == (Held("CloudFormation", sentence),)
    assert outcome.facts == {"left": 1}
    assert set(account.stack.standing) == {part}


def test_what_cannot_be_deleted_keeps_none_of_the_others(account: Account) -> None:
    account.stack.broken.add("nommerctl-films-jobs")
    outcome = account.torn_down()
    sentence = "nommerctl-films-jobs cannot be deleted"
    assert outcome.failed == (Failure("delete", "table nommerctl-films-jobs", sentence),)
    assert outcome.facts == {"left": 1}
    account.stack.broken.clear()
    assert account.torn_down().facts == {"left": 0}
