import pytest

from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.job import EncodingJob, Lease
from nommerctl.domain.old_workers import jobs_in_hand, left_to_old_workers
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from tests.builders import job_id, make_job, make_lease
from tests.fakes.clock import START


def beat(active: int, *, ago: float = 0.0, takes_leases: bool = False) -> Heartbeat:
    at = START - micros(ago)
    return Heartbeat(node=f"i-{active}", started=at, at=at, slots=2, active=active, takes_leases=takes_leases)


def test_what_counts_is_what_old_workers_said_lately() -> None:
    beats = [beat(1), beat(2, ago=180), beat(4, ago=180.000001), beat(8, ago=-599), beat(16, ago=-601)]

    assert jobs_in_hand(beats, silent_after=180, now=START) == 1 + 2 + 8


def test_workers_that_take_leases_name_their_jobs_themselves() -> None:
    assert jobs_in_hand([beat(3, takes_leases=True)], silent_after=180, now=START) == 0


def held(number: int, changed: Instant) -> EncodingJob:
    """A job that an old worker has in hand."""
    lease = Lease(id="", owner="an old worker", until=changed)
    return make_job(number, changed=changed, state=JobState.ENCODING, lease=lease)


STALE = [held(1, START + 1), held(2, START + 3), held(3, START + 2), held(4, START + 3)]


@pytest.mark.parametrize(
    ("in_hand", "others", "left"),
    [
        (0, 0, []),
        (1, 0, [2]),
        (2, 0, [2, 4]),
        (3, 0, [2, 3, 4]),
        (9, 0, [1, 2, 3, 4]),
        (3, 2, [2]),
        (2, 2, []),
        (1, 5, []),
    ],
)
def test_so_many_are_left_to_them_those_that_changed_last(in_hand: int, others: int, left: list[int]) -> None:
    found = left_to_old_workers(STALE, others=others, in_hand=in_hand)

    assert sorted(found) == [job_id(number) for number in left]


def test_a_job_that_was_held_by_a_lease_or_waits_is_none_of_theirs() -> None:
    leased = make_job(5, changed=START + 9, state=JobState.ENCODING, lease=make_lease())

    assert left_to_old_workers([make_job(6, changed=START + 9), leased], others=0, in_hand=9) == frozenset()
