"""Side records that are damaged or gone, and items that say too little: what is made up for, and what is said of it."""

from functools import partial

import pytest

from nommerctl.adapters.aws.simpledb.job_store import KEPT_APART, SimpledbJobStore
from nommerctl.domain.copying import Fate, fate_of
from nommerctl.domain.job import JobId
from nommerctl.domain.moves import cancelled, submitted, told
from nommerctl.domain.states import JobState
from nommerctl.domain.times import micros
from nommerctl.errors import IllegalMoveError, UnreachableError
from tests.adapters.aws.simpledb.jobs.deployment import DAY, URL, Deployment, course
from tests.builders import make_job
from tests.simpledb.server import Cut
from tests.simpledb_jobs import OURS, SETTINGS

NOBODY = "e" * 50
"""A job whose item is written by hand."""

IN_BASE64 = "\ue000base64\ue001"
"""What marks what came in base64, inside of the adapter."""


def damaged(job: JobId) -> str:
    """What is said of a damaged side record."""
    return (
        f"job {job}: what nommerctl kept of it in domain '{OURS}' is damaged, so that it goes on as its item says: who"
        " had it in hand, its attempts and its history are lost"
    )


# --- damaged


@pytest.mark.parametrize(
    "damage",
    [{"r00": "{"}, {"parts": "9"}, {"version": "first"}, {"version": "7"}, {"fence": "soon"}, {"seal": "0"}],
    ids=str,
)
def test_a_damaged_record_is_said_once_and_written_anew_by_the_next_refresh(
    deployment: Deployment, damage: dict[str, str]
) -> None:
    job = deployment.begun()
    deployment.server.put(OURS, job, damage)

    for _ in range(3):
        assert deployment.refreshed(job).state is JobState.DOWNLOADING

    assert deployment.said == [damaged(job)]
    assert course(deployment.job(job)) == ["DOWNLOADING"]


@pytest.mark.parametrize("letters", [("a", "b"), ("i", "I")])
def test_a_record_that_can_be_read_but_is_not_as_it_was_written_is_damaged(
    deployment: Deployment, store: SimpledbJobStore, letters: tuple[str, str]
) -> None:
    job = deployment.submit()
    (piece,) = deployment.side_records[job]["r00"]
    at = piece.index('"source":"') + 12
    changed = letters[piece[at] == letters[0]]
    deployment.server.put(OURS, job, {"r00": f"{piece[:at]}{changed}{piece[at + 1 :]}"})

    assert [each.id for each in store.unfinished()] == [job]
    assert [each.id for each in store.unfinished()] == [job]

    assert deployment.said == [damaged(job)]


def test_a_record_of_which_only_pieces_are_left_is_damaged(deployment: Deployment) -> None:
    job = deployment.begun()
    deployment.server.delete(OURS, job, "version", "seal")

    deployment.refreshed(job)

    assert deployment.said == [damaged(job)]
    assert deployment.side_records[job].keys() >= {"version", "seal"}


def test_what_was_only_seen_is_no_damage(deployment: Deployment) -> None:
    job = deployment.produce(notify_url=URL)

    for _ in range(2):
        deployment.refreshed(job)

    assert set(deployment.side_records[job]) == {"seen"}
    assert deployment.said == []


# --- gone


@pytest.mark.parametrize("notify_url", [None, URL])
def test_a_version_rises_though_the_record_is_lost(
    deployment: Deployment, store: SimpledbJobStore, notify_url: str | None
) -> None:
    # given a job of ours that was told of and moved several times
    job = deployment.submit(notify_url=notify_url)
    store.transition(job, deployment.claim())
    store.transition(job, partial(told, seq=2))
    versions = [store.transition(job, deployment.advance()).version]

    # when the records are lost, as under another name of the farm, and old workers go on
    deployment.server.delete(OURS, job)
    for state in ("DOWNLOADING", "ENCODING", "UPLOADING"):
        deployment.writes(job, state)()
        versions.append(deployment.refreshed(job).version)
    versions.append(store.transition(job, deployment.abandon()).version)

    assert versions == sorted(set(versions))


def test_so_does_one_of_a_job_that_we_never_moved(deployment: Deployment) -> None:
    job = deployment.produce()
    versions = [deployment.job(job).version]
    for state in ("DOWNLOADING", "ENCODING", "FINISHED"):
        deployment.writes(job, state)()
        versions.append(deployment.job(job).version)

    assert versions == sorted(set(versions))
    assert deployment.side_records == {}


@pytest.mark.parametrize("notify_url", [None, URL])
@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_worker_whose_clock_is_off_or_leaves_out_microseconds_lets_it_rise_too(
    deployment: Deployment, hours: int, notify_url: str | None
) -> None:
    job = deployment.produce(notify_url=notify_url)
    versions = [deployment.refreshed(job).version]
    for state in ("DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"):
        deployment.write(job, state, at=deployment.clock() + micros(hours * 3600))
        versions.append(deployment.refreshed(job).version)

    assert versions == sorted(set(versions))


# --- no times


def test_a_job_without_times_is_as_old_as_its_first_refresh_says(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    deployment.server.put(SETTINGS.job_domain, NOBODY, {"unique_id": NOBODY})
    seen = deployment.clock()
    store.keep_seen(list(store.unfinished()))

    later = deployment.clock.advance(DAY)

    first, again = deployment.job(NOBODY), deployment.refreshed(NOBODY)
    assert (first.created, first.changed, first.version) == (seen, seen, again.version)
    assert fate_of(first, again) is Fate.SAME
    assert [job.id for job in store.silent(in_work_before=later, pending_before=later)] == [NOBODY]
    assert store.transition(NOBODY, deployment.abandon()).state is JobState.ABANDONED


def test_so_is_a_finished_one_which_nobody_is_told_of(deployment: Deployment, store: SimpledbJobStore) -> None:
    item = {"unique_id": NOBODY, "job_state": "FINISHED", "notify_url": URL}
    deployment.server.put(SETTINGS.job_domain, NOBODY, item)
    assert [job.id for job in store.finished_since(0)] == [NOBODY]
    store.keep_seen([])

    (found,) = store.finished_before(deployment.clock.advance(DAY))

    assert (found.changed, found.untold) == (deployment.clock() - micros(DAY), ())
    assert list(store.finished_untold()) == []


# --- what holds up nobody else


def test_an_item_without_anything_to_know_it_by_gets_no_record_of_a_move_that_cannot_be_made(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    deployment.server.put(SETTINGS.job_domain, NOBODY, {"dest_path": "s3://films/x.mp4", "notify_url": URL})
    good = deployment.produce(notify_url=URL)

    with pytest.raises(IllegalMoveError, match="has nothing to know it by: put it right"):
        store.transition(NOBODY, partial(cancelled, now=deployment.clock(), by="ops"))

    assert {job.id for job in store.keep_seen(list(store.unfinished()))} == {NOBODY, good}
    assert deployment.job(NOBODY).state is JobState.PENDING


def test_a_write_that_cannot_be_completed_is_said_and_the_others_are_kept(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    # given a submit that died before the item, and an item that somebody has made of nothing
    job = submitted(make_job(1, notify_url=URL), by="cli")
    deployment.cut_write(2, Cut.BEFORE)
    with pytest.raises(UnreachableError):
        store.submit([job])
    deployment.server.heal()
    deployment.server.put(SETTINGS.job_domain, job.id, {"colour": "red"})
    other = deployment.produce(notify_url=URL)

    store.keep_seen(list(store.unfinished()))

    assert deployment.said == [
        f"job {job.id}: its item in domain 'media_nommer' has nothing to know it by: put it right"
    ]
    assert "seen" in deployment.side_records[other]


def test_a_job_that_vanishes_while_its_many_changes_are_kept_is_passed_over(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job, other = deployment.produce(notify_url=URL), deployment.produce(notify_url=URL)
    for number in range(KEPT_APART):
        deployment.writes(job, "DOWNLOADING" if number % 2 else "ENCODING")()
        deployment.refreshed(job)
    deployment.writes(job, "UPLOADING")()
    jobs = list(store.unfinished())
    deployment.server.meanwhile("BatchPutAttributes", lambda: deployment.server.delete(SETTINGS.job_domain, job))

    assert {each.id for each in store.keep_seen(jobs)} == {job, other}

    assert "seen" in deployment.side_records[other]
    assert list(store.get([job])) == []


@pytest.mark.parametrize("text", ["", "not base64", "bm90IGJhc2U2NA==", "=", "= & <b>"])
def test_a_value_that_begins_as_what_the_adapter_marks_is_read_as_it_is(
    deployment: Deployment, store: SimpledbJobStore, text: str
) -> None:
    job = deployment.produce(job_state_details=f"{IN_BASE64}{text}")

    (found,) = store.unfinished()

    assert (found.id, found.details) == (job, f"{IN_BASE64}{text}")
