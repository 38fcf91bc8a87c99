"""An example of what each move of a job changes, and of when it may not be made."""

from collections.abc import Callable

import pytest
from msgspec import structs

from nommerctl.domain import moves
from nommerctl.domain.job import EncodingJob, HistoryEntry, Progress
from nommerctl.domain.limits import AbandonAfter
from nommerctl.domain.states import JobState
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import IllegalMoveError, LeaseLostError
from tests.builders import make_job, make_lease
from tests.domain.actors import (
    DAY,
    LEASE,
    MEDIA,
    NOW,
    SILENCE,
    abandon,
    advance,
    cancel,
    claim,
    fail,
    finish,
    hand_back,
    job_in,
    renew,
    retry,
)
from tests.fakes.clock import START

# --- submit


def test_a_submitted_job_waits_and_is_queued_at_once() -> None:
    job = moves.submitted(make_job(7), by="submit")

    assert (job.state, job.queued_at) == (JobState.PENDING, job.created)
    assert job.history == (HistoryEntry(seq=1, state=JobState.PENDING, at=job.created, by="submit"),)
    assert claim(job).state is JobState.DOWNLOADING


# --- claim


def test_a_claim_begins_an_attempt_under_a_new_lease() -> None:
    job = structs.replace(job_in(JobState.ENCODING), progress=Progress(fraction=0.7))

    claimed = claim(job)

    assert (claimed.attempt, claimed.progress, claimed.changed) == (2, None, NOW)
    assert claimed.lease == make_lease("new", owner="node-2", until=NOW + micros(90))
    assert claimed.history[-1] == HistoryEntry(seq=5, state=JobState.DOWNLOADING, at=NOW, by="node-2")
    assert claimed.node == "node-2"


def test_i3_a_live_lease_keeps_others_out_to_its_last_moment() -> None:
    job = job_in(JobState.ENCODING)

    with pytest.raises(IllegalMoveError, match="it is held by node-1"):
        claim(job, now=LEASE.until - 1)
    assert claim(job, now=LEASE.until).state is JobState.DOWNLOADING


def test_i4_a_job_whose_workers_vanish_is_given_up_with_the_reason() -> None:
    given_up = claim(job_in(JobState.UPLOADING, attempt=5, interruptions=2))

    assert given_up.state is JobState.ERROR
    assert given_up.lease is None
    assert given_up.details == "given up after 3 attempts: the worker of the last one (node-1) vanished in UPLOADING"
    assert given_up.history[-1].details == given_up.details


def test_a_job_in_the_hands_of_a_worker_without_leases_is_nobody_elses_until_abandon_gives_it_up() -> None:
    held = structs.replace(job_in(JobState.ENCODING), lease=make_lease("", owner="an old worker", until=NOW))
    later = NOW + micros(DAY + 1)

    with pytest.raises(IllegalMoveError, match="it is held by an old worker"):
        claim(held, now=later)
    with pytest.raises(IllegalMoveError):
        moves.requeued(held, now=later)
    with pytest.raises(LeaseLostError):
        renew(held)
    assert abandon(held, now=later).state is JobState.ABANDONED
    assert claim(retry(abandon(held, now=later))).state is JobState.DOWNLOADING


def test_interruptions_are_no_attempts() -> None:
    assert claim(job_in(JobState.UPLOADING, attempt=5, interruptions=3)).attempt == 6


# --- the holder


@pytest.mark.parametrize("move", [advance(JobState.UPLOADING), finish, fail, hand_back, renew])
def test_i3_without_the_lease_nothing_can_be_written(move: Callable[[EncodingJob], EncodingJob]) -> None:
    for lease in (make_lease("of another"), None):
        with pytest.raises(LeaseLostError, match="no longer held under this lease"):
            move(structs.replace(job_in(JobState.ENCODING), lease=lease))


def test_a_heartbeat_is_no_change_of_state() -> None:
    job = job_in(JobState.ENCODING)

    renewed = renew(job)

    assert renewed == structs.replace(
        job, lease=structs.replace(LEASE, until=NOW + micros(90)), progress=Progress(fraction=0.5)
    )


def test_a_heartbeat_without_news_keeps_the_progress() -> None:
    job = moves.renewed(renew(job_in(JobState.ENCODING)), lease_id="mine", until=NOW, progress=None)

    assert job.progress == Progress(fraction=0.5)


def test_each_step_renews_the_lease() -> None:
    job = advance(JobState.ENCODING)(job_in(JobState.DOWNLOADING))

    assert job.lease == structs.replace(LEASE, until=NOW + micros(90))
    assert job.history[-1] == HistoryEntry(seq=5, state=JobState.ENCODING, at=NOW, by="node-1")


def test_a_finished_job_keeps_what_was_made_and_is_held_by_nobody() -> None:
    job = finish(job_in(JobState.UPLOADING))

    assert (job.media, job.command, job.log) == (MEDIA, "ffmpeg -i in.mov out.mp4", "frame=300")
    assert (job.lease, job.progress, job.details) == (None, Progress(fraction=1.0), None)
    assert job.node == "node-1"


def test_a_failed_job_says_why() -> None:
    job = fail(job_in(JobState.ENCODING))

    assert (job.details, job.command, job.log, job.lease) == ("no such codec", "ffmpeg -i in.mov", "Error", None)
    assert job.history[-1].details == "no such codec"


def test_of_long_details_the_end_is_kept_whole_characters_only() -> None:
    job = fail(job_in(JobState.ENCODING), details="lost" + "€" * 1365 + "!")

    assert job.details == "€" * 1365 + "!"
    assert len(job.details.encode()) == 4096


@pytest.mark.parametrize(("state", "end"), [(JobState.UPLOADING, finish), (JobState.ENCODING, fail)])
def test_of_a_long_log_the_end_is_kept(state: JobState, end: Callable[..., EncodingJob]) -> None:
    job = end(job_in(state), log="first line\n" + "x" * 4087 + "last line")

    assert job.log == "x" * 4087 + "last line"


def test_a_worker_that_has_to_go_hands_back_without_costing_an_attempt() -> None:
    job = structs.replace(job_in(JobState.ENCODING), progress=Progress(fraction=0.7))

    back = hand_back(job)

    assert (back.state, back.attempt, back.interruptions) == (JobState.PENDING, 1, 1)
    assert (back.lease, back.progress, back.queued_at, back.details) == (None, None, NOW, "SIGTERM")


def test_a_job_handed_back_too_often_is_an_error() -> None:
    assert hand_back(job_in(JobState.ENCODING, attempt=10, interruptions=9)).state is JobState.PENDING

    job = hand_back(job_in(JobState.ENCODING, attempt=11, interruptions=10))

    assert (job.state, job.lease) == (JobState.ERROR, None)
    assert job.details == "given up after 11 interruptions, the last one: SIGTERM"


# --- abandon, cancel, retry


@pytest.mark.parametrize(
    ("state", "silent_since", "allowed"),
    [(JobState.PENDING, START, 14 * DAY), (JobState.ENCODING, LEASE.until, DAY)],
)
def test_a_job_is_abandoned_when_its_last_sign_of_life_is_too_old(
    state: JobState, silent_since: Instant, allowed: float
) -> None:
    job = job_in(state)
    still_allowed = silent_since + micros(allowed)

    assert not moves.stale(job, now=still_allowed, after=SILENCE)
    with pytest.raises(IllegalMoveError, match="shows life"):
        abandon(job, now=still_allowed)
    assert moves.stale(job, now=still_allowed + 1, after=SILENCE)
    assert abandon(job, now=still_allowed + 1).state is JobState.ABANDONED


def test_i3_a_job_with_a_live_lease_is_never_abandoned() -> None:
    job = structs.replace(job_in(JobState.ENCODING), lease=structs.replace(LEASE, until=NOW + 1))

    assert not moves.stale(job, now=NOW, after=AbandonAfter(in_work=0, pending=0))
    with pytest.raises(IllegalMoveError, match="shows life"):
        abandon(job)


def test_an_abandoned_job_says_how_long_it_was_silent() -> None:
    job = abandon(job_in(JobState.ENCODING))

    assert job.details == "no sign of life for 30 d in ENCODING"
    assert (job.lease, job.history[-1].by) == (None, "abandon")


def test_cancel_takes_a_job_from_the_worker_that_has_it() -> None:
    job = cancel(structs.replace(job_in(JobState.ENCODING), lease=structs.replace(LEASE, until=NOW + 1)))

    assert (job.state, job.lease, job.details) == (JobState.ABANDONED, None, "cancelled by operator")
    with pytest.raises(LeaseLostError):
        renew(job)


def test_a_retried_job_has_all_its_attempts_before_it() -> None:
    failed = fail(job_in(JobState.ENCODING, attempt=3, interruptions=2))

    job = retry(failed)

    assert (job.attempt, job.interruptions, job.queued_at) == (0, 0, NOW)
    assert (job.details, job.media, job.command, job.log, job.progress) == (None, None, None, None, None)
    assert [entry.state for entry in job.history] == [JobState.ENCODING, JobState.ERROR, JobState.PENDING]


# --- messages and listeners


@pytest.mark.parametrize("state", JobState)
def test_a_message_is_sent_again_only_for_what_can_be_claimed(state: JobState) -> None:
    job = job_in(state)

    if job.finished:
        with pytest.raises(IllegalMoveError, match="needs no message"):
            moves.requeued(job, now=NOW)
    else:
        assert moves.requeued(job, now=NOW) == structs.replace(job, queued_at=NOW)


def test_a_job_in_hand_needs_no_message() -> None:
    with pytest.raises(IllegalMoveError, match="needs no message"):
        moves.requeued(job_in(JobState.ENCODING), now=LEASE.until - 1)


def test_what_was_told_stays_told() -> None:
    job = moves.told(job_in(JobState.ENCODING), seq=4)

    assert job.told == 4
    assert moves.told(job, seq=2) == job


def test_the_history_keeps_the_last_fifty_changes() -> None:
    job = job_in(JobState.ERROR)
    for _ in range(30):
        job = cancel(retry(job))

    assert [entry.seq for entry in job.history] == list(range(15, 65))


def test_history_entries_that_were_not_told_are_kept_beyond_the_last_fifty() -> None:
    job = moves.submitted(make_job(notify_url="http://listener.example/"), by="me")
    for _ in range(40):
        job = moves.retried(moves.cancelled(job, now=START, by="me"), now=START, by="me")
    assert [entry.seq for entry in job.untold] == list(range(1, 82))
    told_of_all = moves.retried(moves.cancelled(moves.told(job, seq=81), now=START, by="me"), now=START, by="me")
    assert len(told_of_all.history) == 50
