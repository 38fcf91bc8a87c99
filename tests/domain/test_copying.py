"""What becomes of a job that is copied into another store, and how both stores are compared."""

from typing import Any

import pytest
from msgspec import structs

from nommerctl.domain.copying import Fate, Sums, detached, fate_of, taken_over
from nommerctl.domain.job import EncodingJob, HistoryEntry, Progress
from nommerctl.domain.moves import submitted
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.errors import IllegalMoveError
from tests.builders import make_job, make_lease
from tests.fakes.clock import START

LISTENER = "https://listener.example/"


def job_with(*by: str, first: int = 1, **fields: Any) -> EncodingJob:  # noqa: ANN401 - any field of the record
    """A job with an entry of its history by each of these."""
    history = tuple(
        HistoryEntry(seq=seq, state=JobState.PENDING, at=START + seq, by=who) for seq, who in enumerate(by, start=first)
    )
    return make_job(1, history=history, **fields)


TOLD: dict[str, Any] = {"notify_url": LISTENER, "told": 1}


@pytest.mark.parametrize(
    ("job", "there", "fate"),
    [
        (job_with("a"), None, Fate.NEW),
        (job_with("a"), job_with("a"), Fate.SAME),
        (job_with("a", version=9), job_with("a", version=3), Fate.SAME),
        (job_with("a", "b"), job_with("a"), Fate.BEHIND),
        (job_with("a"), job_with(), Fate.BEHIND),
        (job_with("a"), job_with("a", "b"), Fate.AHEAD),
        (job_with("a", "b"), job_with("a", "c"), Fate.CONFLICT),
        (job_with("a", "b"), job_with("a", "c", "d"), Fate.CONFLICT),
        (job_with("a"), structs.replace(job_with("a"), created=START), Fate.CONFLICT),
        (job_with("a", **TOLD), job_with("a", notify_url=LISTENER), Fate.BEHIND),
        (job_with("a", notify_url=LISTENER), job_with("a", **TOLD), Fate.AHEAD),
        (job_with("a", queued_at=START), job_with("a"), Fate.BEHIND),
        (job_with("a"), job_with("a", queued_at=START), Fate.AHEAD),
        (job_with("a", progress=Progress(fraction=0.5)), job_with("a"), Fate.BEHIND),
    ],
)
def test_the_longer_history_decides_if_it_goes_on_from_the_other(
    job: EncodingJob, there: EncodingJob | None, fate: Fate
) -> None:
    assert fate_of(job, there) is fate


def test_of_a_long_history_the_last_entries_are_kept_and_still_tell_which_goes_on() -> None:
    old = job_with("a", "b", "c")
    assert fate_of(job_with("b", "c", "d", first=2), old) is Fate.BEHIND
    assert fate_of(old, job_with("b", "c", "d", first=2)) is Fate.AHEAD
    assert fate_of(job_with("x", "y", first=7), old) is Fate.CONFLICT  # they do not meet: nobody knows


def test_a_job_in_work_leaves_its_lease_and_keeps_what_the_attempt_cost() -> None:
    lease = make_lease(since=START, until=START + micros(1800), usd_per_hour=0.5)
    job = job_with("a", state=JobState.ENCODING, lease=lease, cost_usd=1.0)
    assert detached(job) == structs.replace(job, lease=None, cost_usd=1.25)
    assert fate_of(job, detached(job)) is Fate.SAME


def test_what_either_told_the_listener_is_not_told_again() -> None:
    there = job_with("a", **TOLD, version=4)
    after = taken_over(there, job=job_with("a", "b", notify_url=LISTENER, version=9))
    assert (len(after.history), after.told, after.version) == (2, 1, 9)


def test_a_job_that_went_on_meanwhile_is_not_taken_over() -> None:
    with pytest.raises(IllegalMoveError, match="changed meanwhile"):
        taken_over(job_with("a", "b", "c"), job=job_with("a", "b"))


def test_one_that_was_taken_over_already_is_left_as_it_is() -> None:
    there = job_with("a", version=4)
    assert taken_over(there, job=job_with("a", version=9)) is there


def test_the_digest_goes_by_records_and_not_by_their_order_version_or_lease() -> None:
    jobs = [submitted(make_job(number), by="somebody") for number in range(3)]
    here, again, other = Sums(), Sums(), Sums()
    for job in jobs:
        here.add(job, structs.replace(job, version=7, lease=make_lease()))
    for job in reversed(jobs):
        again.add(job, job)
    for job in jobs:
        other.add(job, structs.replace(job, details="other") if job is jobs[1] else job)

    assert here.sides()[0] == here.sides()[1] == again.sides()[0]
    assert here.differing() == []
    assert (other.sides()[0], other.differing()) == (here.sides()[0], [jobs[1].id])
    assert other.sides()[1].sha256 != here.sides()[0].sha256


def test_a_job_that_is_missing_is_not_counted() -> None:
    sums = Sums()
    sums.add(make_job(1), None)
    assert [side.jobs for side in sums.sides()] == [1, 0]
    assert sums.differing() == [make_job(1).id]
