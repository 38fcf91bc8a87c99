"""Keys of AWS and passwords in what old programs wrote: they stay where they are, and get into nothing of ours."""

import pytest

from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.domain.job import JobId
from nommerctl.domain.states import JobState
from tests.adapters.aws.simpledb.jobs.deployment import URL, Deployment, course
from tests.simpledb.server import Cut

PHRASE = "hunter2"
SOURCE, DEST = f"s3://AKIAKEY:{PHRASE}@films/in.mov", f"s3://AKIAKEY:{PHRASE}@films/out.mp4"
LISTENER = f"https://me:{PHRASE}@films.example/told"


def with_keys(deployment: Deployment) -> JobId:
    """An old producer stores a job with keys in its URIs, and a password in that of its listener."""
    return deployment.produce(notify_url=LISTENER, source_path=SOURCE, dest_path=DEST)


def test_no_record_of_ours_has_them_and_the_job_goes_on_as_it_was_given(
    deployment: Deployment, store: SimpledbJobStore
) -> None:
    job = with_keys(deployment)
    deployment.refreshed(job)
    moves = [deployment.claim(), deployment.advance(), deployment.advance(JobState.UPLOADING), deployment.finish()]

    for move in moves:
        moved = store.transition(job, move)
        assert deployment.job(job) == moved
        assert (moved.source, moved.dest, moved.notify_url) == (SOURCE, DEST, LISTENER)
        assert PHRASE not in str(deployment.side_records)

    assert course(deployment.job(job)) == ["PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"]
    assert [each.id for each in store.finished_untold()] == [job]


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
def test_a_first_step_whose_answer_was_lost_is_known_again(
    deployment: Deployment, store: SimpledbJobStore, cut: Cut
) -> None:
    job = with_keys(deployment)
    deployment.refreshed(job)
    deployment.cut_write(1, cut, times=1)

    moved = store.transition(job, deployment.claim())

    assert (moved.attempt, deployment.job(job)) == (1, moved)
    assert deployment.said == []


def test_where_they_are_dropped_no_job_has_them(deployment: Deployment) -> None:
    job = with_keys(deployment)
    deployment.store().transition(job, deployment.claim())

    deployment.strip_credentials = True

    for found in (deployment.job(job), *deployment.store().unfinished(), deployment.job(with_keys(deployment))):
        assert (found.source, found.dest) == ("s3://films/in.mov", "s3://films/out.mp4")
    moved = deployment.store().transition(job, deployment.advance())
    assert moved.source == "s3://films/in.mov"
    assert deployment.item(job)["source_path"] == SOURCE  # the item itself is left as old programs wrote it


def test_they_are_masked_in_what_old_programs_say_of_a_job(deployment: Deployment) -> None:
    job = deployment.produce(notify_url=URL)
    deployment.write(job, "ERROR", f"cannot fetch {SOURCE}")
    deployment.refreshed(job)
    deployment.clock.advance(1)
    deployment.write(job, "DOWNLOADING", f"fetching {SOURCE} again")

    found = deployment.refreshed(job)

    said = ["cannot fetch s3://***@films/in.mov", "fetching s3://***@films/in.mov again"]
    assert [entry.details for entry in found.history] == said
    assert found.details == said[-1]
    assert PHRASE not in str(deployment.side_records)
