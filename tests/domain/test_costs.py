"""What nodes and jobs cost: by the hour, from the claim to the end of the lease, whatever came of it."""

from collections.abc import Callable

import msgspec
import pytest
from msgspec import structs

from nommerctl.domain.costs import attempt_cost, cost, job_cost, job_price, node_cost, slot_price
from nommerctl.domain.fleet import Heartbeat, Node
from nommerctl.domain.job import EncodingJob, waits_for_on_demand, wants_on_demand
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from tests.builders import make_job, make_lease
from tests.domain.actors import DAY, NOW, abandon, advance, cancel, claim, fail, finish, hand_back, job_in, renew, retry
from tests.fakes.clock import START

HOUR = 3600.0


def paid_job(state: JobState, *, attempt: int = 1) -> EncodingJob:
    """A job that was claimed half an hour ago at 2 dollars an hour, held for 90 s more, and cost 5 dollars before."""
    lease = make_lease("mine", since=NOW - micros(HOUR / 2), until=NOW + micros(90), usd_per_hour=2.0)
    return structs.replace(job_in(state, attempt=attempt), lease=lease, cost_usd=5.0)


def vanished(job: EncodingJob) -> EncodingJob:
    """The same, claimed two days ago by a worker whose lease ended after a quarter of an hour."""
    assert job.lease is not None
    since = NOW - micros(2 * DAY)
    return structs.replace(job, lease=structs.replace(job.lease, since=since, until=since + micros(HOUR / 4)))


@pytest.mark.parametrize("end", [finish, fail, hand_back, cancel])
def test_whatever_ends_an_attempt_its_time_is_added_to_the_cost(end: Callable[[EncodingJob], EncodingJob]) -> None:
    assert end(paid_job(JobState.UPLOADING)).cost_usd == 6.0


@pytest.mark.parametrize("end", [abandon, claim, cancel])
def test_a_worker_that_vanished_costs_until_its_lease_ended(end: Callable[[EncodingJob], EncodingJob]) -> None:
    assert end(vanished(paid_job(JobState.ENCODING))).cost_usd == 5.5


@pytest.mark.parametrize("end", [abandon, claim])
def test_so_does_one_that_vanished_in_the_last_attempt(end: Callable[[EncodingJob], EncodingJob]) -> None:
    ended = end(vanished(paid_job(JobState.ENCODING, attempt=3)))

    assert (ended.state, ended.cost_usd) == (JobState.ERROR, 5.5)


@pytest.mark.parametrize("move", [advance(JobState.UPLOADING), renew])
def test_what_does_not_end_an_attempt_adds_nothing(move: Callable[[EncodingJob], EncodingJob]) -> None:
    moved = move(paid_job(JobState.ENCODING))

    assert moved.cost_usd == 5.0
    assert moved.lease is not None
    assert (moved.lease.since, moved.lease.usd_per_hour) == (NOW - micros(HOUR / 2), 2.0)


def test_a_job_that_is_tried_again_has_cost_what_it_cost() -> None:
    assert retry(fail(paid_job(JobState.ENCODING))).cost_usd == 6.0


def test_an_attempt_without_a_price_adds_nothing() -> None:
    assert finish(job_in(JobState.UPLOADING)).cost_usd == 0.0
    assert attempt_cost(make_lease(usd_per_hour=2.0), NOW) == 0.0, "nor one whose beginning is not known"


def test_a_job_in_work_costs_more_by_the_hour_for_as_long_as_it_is_held() -> None:
    job = paid_job(JobState.ENCODING)

    assert (job_price(job, NOW), job_cost(job, NOW)) == (2.0, 6.0)
    assert job_price(job, NOW + micros(91)) == 0.0
    assert job_cost(job, NOW + micros(HOUR)) == job_cost(job, NOW + micros(2 * HOUR)) == 6.05


def test_time_that_runs_backwards_costs_nothing() -> None:
    assert cost(2.0, NOW, NOW - micros(HOUR)) == 0.0


def test_a_slot_costs_its_share_of_the_node() -> None:
    assert slot_price(0.1, 4) == 0.025
    assert slot_price(None, 4) == 0.0


@pytest.mark.parametrize(("alive", "expected"), [(True, 0.5), (False, 0.25)])
def test_a_node_costs_from_its_launch_and_a_dead_one_until_its_last_sign(*, alive: bool, expected: float) -> None:
    beat = Heartbeat(node="n", started=START, at=START + micros(HOUR / 2), slots=1, usd_per_hour=0.5)
    node = Node(id="n", alive=alive, launched=START, slots=1, beat=beat)

    assert node_cost(node, START + micros(HOUR)) == expected
    assert node_cost(structs.replace(node, beat=structs.replace(beat, usd_per_hour=None)), NOW) is None
    assert node_cost(structs.replace(node, beat=None), NOW) is None


def test_a_price_that_is_none_is_not_read() -> None:
    record = msgspec.json.encode(Heartbeat(node="n", started=START, at=START, slots=1, usd_per_hour=-1.0))

    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(record, type=Heartbeat)


# --- the market that a job asks for


@pytest.mark.parametrize(("interruptions", "wants"), [(0, False), (1, False), (2, True), (9, True)])
def test_a_job_that_was_interrupted_twice_asks_for_on_demand(*, interruptions: int, wants: bool) -> None:
    assert wants_on_demand(make_job(interruptions=interruptions)) is wants
    assert not wants_on_demand(make_job(interruptions=interruptions, state=JobState.ERROR))


def test_it_is_left_to_on_demand_nodes_for_ten_minutes() -> None:
    job = make_job(interruptions=2, changed=START)

    assert waits_for_on_demand(job, START)
    assert waits_for_on_demand(job, START + micros(599))
    assert not waits_for_on_demand(job, START + micros(600))
    assert not waits_for_on_demand(make_job(interruptions=1, changed=START), START)


def test_nor_for_ever_when_the_clock_has_gone_back() -> None:
    assert not waits_for_on_demand(make_job(interruptions=2, changed=START), START - micros(HOUR))
