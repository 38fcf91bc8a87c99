"""What is decided when the clock went ahead, or back, since a record was written: nothing that lives is given up."""

import pytest
from msgspec import structs

from nommerctl.domain import moves
from nommerctl.domain.conditions import silent
from nommerctl.domain.config import ScaleSettings
from nommerctl.domain.fleet import Depth, Heartbeat, Node
from nommerctl.domain.job import EncodingJob, lease_live
from nommerctl.domain.limits import AttemptLimits
from nommerctl.domain.overview import Overview
from nommerctl.domain.scaling import FarmView, decide
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import IllegalMoveError
from tests.builders import make_job, make_lease
from tests.fakes.clock import START

DAY = micros(24 * 3600)
LENGTH = 90.0
RESPITE = 45.0
LAUNCHED = START - micros(300)
LIMITS = AttemptLimits(max_attempts=3, max_interruptions=10)


def held(renewed: Instant = START, *, attempt: int = 1) -> EncodingJob:
    """A job in hand whose lease was last renewed at an instant."""
    lease = make_lease("mine", until=renewed + micros(LENGTH), seconds=LENGTH)
    return make_job(state=JobState.ENCODING, lease=lease, attempt=attempt, changed=renewed)


def take(job: EncodingJob, now: Instant) -> EncodingJob:
    """What another worker makes of it."""
    lease = make_lease("theirs", owner="node-2", until=now + micros(LENGTH), seconds=LENGTH)
    return moves.taken(job, lease=lease, now=now, limits=LIMITS, respite=RESPITE)


def renew(job: EncodingJob, now: Instant) -> EncodingJob:
    return moves.renewed(job, lease_id="mine", until=now + micros(LENGTH), progress=None)


# --- leases


def test_a_lease_that_was_renewed_at_an_instant_still_to_come_is_not_live() -> None:
    assert lease_live(held(START), START)
    assert not lease_live(held(START + DAY), START)


def test_two_clocks_that_differ_a_little_make_no_lease_impossible() -> None:
    assert lease_live(held(START + micros(60)), START)


def test_a_lease_of_unknown_length_is_live_until_it_ends() -> None:
    assert lease_live(make_job(state=JobState.ENCODING, lease=make_lease(until=START + DAY)), START)


# --- taking a job over


def test_a_job_that_waits_is_claimed_at_once() -> None:
    job = take(make_job(), START)
    assert (job.state, job.attempt) == (JobState.DOWNLOADING, 1)


@pytest.mark.parametrize("now", [START + micros(LENGTH), START + DAY, START - DAY])
def test_a_job_in_hand_is_first_given_a_last_call_which_is_no_change_of_state(now: Instant) -> None:
    called = take(held(), now)

    call = make_lease("mine", until=START + micros(LENGTH), seconds=LENGTH, last_call=now + micros(RESPITE))
    assert called == structs.replace(held(), lease=call)


@pytest.mark.parametrize("now", [START + micros(LENGTH), START + DAY, START - DAY])
def test_while_the_call_lasts_nobody_claims_and_afterwards_whoever_comes(now: Instant) -> None:
    called = take(held(), now)

    with pytest.raises(IllegalMoveError, match="node-1 has a last call"):
        take(called, now + micros(RESPITE) - 1)
    claimed = take(called, now + micros(RESPITE))
    assert (claimed.state, claimed.attempt, claimed.node) == (JobState.DOWNLOADING, 2, "node-2")
    assert claimed.lease is not None
    assert claimed.lease.last_call == 0


@pytest.mark.parametrize("now", [START + DAY, START - DAY])
def test_a_holder_that_renews_during_the_call_keeps_the_job(now: Instant) -> None:
    kept = renew(take(held(), now), now + micros(20))

    with pytest.raises(IllegalMoveError, match="it is held by node-1"):
        take(kept, now + micros(RESPITE))


def test_a_step_on_ends_the_call_too() -> None:
    called = take(held(), START + DAY)
    step = moves.advanced(
        called, lease_id="mine", to=JobState.UPLOADING, until=START + DAY + micros(LENGTH), now=START + DAY
    )
    assert step.lease is not None
    assert step.lease.last_call == 0


def test_a_clock_that_jumped_there_and_back_costs_no_live_job() -> None:
    there = take(held(), START + DAY)
    back = renew(there, START + micros(20))

    with pytest.raises(IllegalMoveError, match="it is held by node-1"):
        take(back, START + micros(60))


def test_a_call_that_lasts_for_a_day_since_the_clock_went_back_is_made_again() -> None:
    called = take(held(START), START + DAY)

    again = take(called, START + micros(LENGTH))

    assert again.lease is not None
    assert again.lease.last_call == START + micros(LENGTH + RESPITE)


def test_a_job_whose_attempts_are_used_up_is_given_up_after_its_last_call() -> None:
    called = take(held(attempt=3), START + DAY)
    assert called.state is JobState.ENCODING
    assert take(called, START + DAY + micros(RESPITE)).state is JobState.ERROR


# --- nodes


def node(beat: Instant | None, *, launched: Instant = LAUNCHED, marked: Instant | None = None) -> Node:
    heartbeat = None if beat is None else Heartbeat(node="a", started=launched, at=beat, slots=1)
    return Node(id="a", alive=True, launched=launched, slots=1, beat=heartbeat, marked=marked)


def plan(one: Node, now: Instant = START, *, cache_age: float = 10.0) -> tuple[list[str], list[str]]:
    """Which nodes scale marks, and which it ends."""
    view = FarmView(
        jobs={},
        new_jobs=Depth(),
        changes=Depth(),
        nodes=(one,),
        ledger=Overview(),
        cache_age=cache_age,
        cache_max_age=900.0,
    )
    made = decide(view, ScaleSettings(), now)
    return [each.reason for each in made.mark], [each.reason for each in made.end]


def test_a_heartbeat_from_the_future_is_silence() -> None:
    assert silent(node(START + DAY), now=START, limits=ScaleSettings())
    assert not silent(node(START + micros(60)), now=START, limits=ScaleSettings())
    assert plan(node(START + DAY)) == (["its last sign is dated 24 h after now"], [])


def test_a_launch_in_the_future_is_silence() -> None:
    assert plan(node(None, launched=START + DAY)) == (["its last sign is dated 24 h after now"], [])


def test_a_marked_node_has_time_for_a_heartbeat_before_it_is_ended() -> None:
    assert plan(node(START - DAY, marked=START - micros(29))) == ([], [])
    assert plan(node(START - DAY, marked=START - micros(30))) == ([], ["no heartbeat for 24 h"])


def test_a_mark_from_the_future_keeps_no_silent_node() -> None:
    assert plan(node(START - DAY, marked=START + DAY)) == ([], ["no heartbeat for 24 h"])


def test_a_refresh_in_the_future_is_no_knowledge() -> None:
    view = FarmView(
        jobs={JobState.PENDING: 3},
        new_jobs=Depth(visible=3),
        changes=Depth(),
        nodes=(),
        ledger=Overview(),
        cache_age=-24 * 3600.0,
        cache_max_age=900.0,
    )
    made = decide(view, ScaleSettings(), START)
    assert made.launch == 0
    assert made.reasons == (
        "the last refresh is dated 24 h after now, for the clock went back: run `nommerctl refresh` first",
    )
    assert decide(structs.replace(view, cache_age=-30.0), ScaleSettings(), START).launch > 0
