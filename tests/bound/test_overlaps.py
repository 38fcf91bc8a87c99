"""I2 where passes overlap, one by one: what the generated fleets found, or might have."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.adapters.aws.nodes import UNTEMPLATED
from tests.bound.farm import BoundFarm
from tests.bound.scenarios import GIVE, POOLS
from tests.bound.stepping import Turn
from tests.fakes.ec2 import EVER

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

    from nommerctl.domain.config_aws import AwsSettings

MINUTE = 60.0
HOUR = 60 * MINUTE


@pytest.fixture
def farm(client: "EC2Client", request: pytest.FixtureRequest) -> Iterator[BoundFarm]:
    """Two controllers with right clocks, eight jobs, at most three nodes, and EC2 at its slowest to show any."""
    given: dict[str, AwsSettings | tuple[float, ...]] = getattr(request, "param", {})
    with BoundFarm(client, **given).open() as farm:  # type: ignore[arg-type]
        farm.ec2.lag = 10 * MINUTE
        yield farm


@pytest.mark.parametrize("farm", [{"clocks_off": (-600.0, 0.0)}, {"clocks_off": (0.0, 600.0)}], indirect=True)
def test_a_new_node_that_is_not_shown_counts_though_a_clock_is_ten_minutes_off(farm: BoundFarm) -> None:
    first, second = farm.controllers
    farm.whole_pass(first)
    farm.time_passes(9 * MINUTE)
    farm.whole_pass(second)
    assert len(farm.ec2.running) == 3
    assert farm.ec2.violations == []


def test_a_node_that_one_look_shows_and_the_next_does_not_counts_all_the_time(farm: BoundFarm) -> None:
    first, second = farm.controllers
    farm.ec2.lag = 0
    farm.whole_pass(first)
    farm.whole_pass(second)
    for instance in farm.ec2.young:
        instance.missed = 1
    farm.time_passes(9 * MINUTE)
    farm.whole_pass(first)
    assert farm.ec2.counted("CreateFleet") == 1


def test_nodes_of_an_order_that_was_given_late_count_from_its_answer(farm: BoundFarm) -> None:
    # given an order that is given an hour after it was journalled, since its pass died
    first, second = farm.controllers
    farm.go_on(first, GIVE)
    farm.move(first, Turn.DIES)
    farm.time_passes(HOUR)
    farm.whole_pass(second)
    # when another pass comes, before they are shown
    farm.time_passes(5 * MINUTE)
    farm.whole_pass(first)
    assert len(farm.ec2.running) == 3
    assert farm.ec2.violations == []


@pytest.mark.parametrize("farm", [{"aws": UNTEMPLATED}], indirect=True)
def test_an_order_that_was_refused_counts_while_another_pass_may_be_giving_it(farm: BoundFarm) -> None:
    # given a pass that is about to give its order, and another that gave it and was refused
    first, second = farm.controllers
    farm.go_on(first, GIVE)
    farm.ec2.room |= dict.fromkeys(POOLS, 0)
    farm.whole_pass(second)
    assert farm.ledger.overview().unsettled is None
    # when there is room again
    farm.ec2.room |= dict.fromkeys(POOLS, EVER)
    farm.time_passes(MINUTE)
    farm.whole_pass(second)
    farm.go_on(first)
    # then the first order alone was filled
    assert len(farm.ec2.running) == 3
    assert farm.ec2.violations == []


@pytest.mark.parametrize("farm", [{"aws": UNTEMPLATED}], indirect=True)
def test_what_was_refused_and_never_comes_is_ordered_anew_in_the_end(farm: BoundFarm) -> None:
    first, second = farm.controllers
    farm.go_on(first, GIVE)
    farm.ec2.room |= dict.fromkeys(POOLS, 0)
    farm.whole_pass(second)
    farm.move(first, Turn.DIES)
    farm.ec2.room |= dict.fromkeys(POOLS, EVER)
    for _ in range(4):
        farm.time_passes(10 * MINUTE)
        farm.whole_pass(second)
    assert len(farm.ec2.running) == 3


@pytest.mark.parametrize("farm", [{"aws": UNTEMPLATED}], indirect=True)
def test_an_order_that_one_pass_alone_gave_and_was_refused_is_routed_around_at_once(farm: BoundFarm) -> None:
    first, _ = farm.controllers
    farm.ec2.room[POOLS[1]] = 0  # the first pool that is asked: spot
    farm.whole_pass(first)
    farm.time_passes(MINUTE)
    farm.whole_pass(first)
    assert farm.ec2.counted("RunInstances") == 2
    assert len(farm.ec2.running) == 3


def test_an_old_order_that_is_looked_up_counts_until_all_of_it_must_be_shown(farm: BoundFarm) -> None:
    # given an order that was given again just before it became too old for that, and whose answer was lost
    first, second = farm.controllers
    farm.go_on(first, GIVE)
    farm.move(first, Turn.DIES)
    farm.time_passes(6 * HOUR - MINUTE)
    farm.go_on(second, GIVE)
    farm.move(second, Turn.ANSWER_LOST)
    # when it is looked up, and nothing of it is shown yet
    farm.time_passes(2 * MINUTE)
    farm.whole_pass(second)
    assert farm.ledger.overview().unsettled is None
    farm.whole_pass(second)
    farm.time_passes(12 * MINUTE)
    farm.whole_pass(second)
    assert len(farm.ec2.running) == 3
    assert farm.ec2.violations == []


@pytest.mark.parametrize("farm", [{"aws": UNTEMPLATED}], indirect=True)
def test_an_order_whose_token_is_spent_counts_until_all_of_it_must_be_shown(farm: BoundFarm) -> None:
    # given an order that was given half an hour late, whose answer was lost, and one of whose nodes is no more
    first, second = farm.controllers
    farm.go_on(first, GIVE)
    farm.move(first, Turn.DIES)
    farm.time_passes(HOUR / 2)
    farm.go_on(second, GIVE)
    farm.move(second, Turn.ANSWER_LOST)
    farm.ec2.end(farm.ec2.running[0])
    # when passes come that see none of it
    for _ in range(3):
        farm.time_passes(MINUTE)
        farm.whole_pass(second)
    assert len(farm.ec2.running) == 2
    assert farm.ec2.violations == []


def test_an_order_that_was_settled_meanwhile_is_not_given_again(farm: BoundFarm) -> None:
    first, second = farm.controllers
    farm.go_on(first, GIVE)
    farm.go_on(second, ("repeat",))
    farm.go_on(first)
    farm.go_on(second)
    assert farm.ec2.counted("CreateFleet") == 1
