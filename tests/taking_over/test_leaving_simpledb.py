"""Leaving SimpleDB for a farm on AWS, with whatever media-nommer and nommerctl made of its jobs."""

import pytest

from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.adapters.aws.names import new_jobs_queue
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.resources import create_queues, create_tables
from nommerctl.adapters.aws.sqs import SqsQueue
from nommerctl.domain.states import JobState
from tests.taking_over.takeover import HOUR, Takeover

TO_AWS = ("store", "copy", "--from", "simpledb", "--to", "aws")
OLD_ZONE = "Europe/Berlin"


@pytest.fixture
def takeover(takeover: Takeover) -> Takeover:
    for cli in (takeover.farm.here, takeover.farm.cli):
        cli.settings["SIMPLEDB_OLD_ZONE"] = OLD_ZONE
    create_tables(takeover.farm.clients.dynamodb, takeover.farm.name)
    create_queues(takeover.farm.clients.sqs, takeover.farm.name)
    return takeover


@pytest.mark.slow
def test_all_jobs_go_with_their_history_and_the_farm_goes_on_there(takeover: Takeover) -> None:
    producer, worker = takeover.producer(OLD_ZONE), takeover.worker(OLD_ZONE)
    waits, done, lost, new, bad = (producer.submit(f"s3://films/{name}.mov") for name in "abcde")
    takeover.minute()
    for job in (done, lost):
        worker.set_state(job, "ENCODING")
        takeover.minute()
    worker.set_state(done, "FINISHED", "Job complete")
    producer.put(bad, job_options="none")
    takeover.minute()
    takeover.farm.here.run("cancel", new)
    worker.beat(active=1)

    # given an old worker that lives
    refused = takeover.farm.here.run(*TO_AWS, code=2)
    assert worker.instance in refused.stderr
    # when all are gone
    worker.beat(state="TERMINATED")
    takeover.clock.advance(HOUR)
    planned = takeover.farm.here.run(*TO_AWS, "--dry-run")
    assert planned.stdout.count("[dry run] copy ") == 5
    copied = takeover.farm.here.run(*TO_AWS, "--json").json
    again = takeover.farm.here.run(*TO_AWS, "--json").json
    # then
    for said in (copied, again):
        assert (said["agree"], said["from"]["jobs"], said["to"]["jobs"]) == (True, 5, 5)
        assert said["from"]["sha256"] == said["to"]["sha256"]
    assert (len(copied["changed"]), again["changed"]) == (5, [])
    jobs = DynamoJobStore(takeover.farm.clients, takeover.farm.name, lambda _: None).get([waits, done, lost, new, bad])
    assert {job_id: job.state for job_id, job in jobs.items()} == {
        waits: JobState.PENDING,
        done: JobState.FINISHED,
        lost: JobState.ENCODING,
        new: JobState.ABANDONED,
        bad: JobState.PENDING,
    }
    assert jobs[lost].lease is None, "nobody there has it in hand"
    assert jobs[bad].fault == "its job_options are no JSON"
    assert [entry.by for entry in jobs[done].history] == ["media-nommer"]
    assert set(queued(takeover)) == {waits, lost, bad}


@pytest.mark.slow
def test_a_job_with_keys_of_aws_in_it_goes_without_them_or_not_at_all(takeover: Takeover) -> None:
    here = takeover.farm.here
    job = takeover.producer(OLD_ZONE).submit("s3://AKIAKEY:hunter2@films/a.mov")
    takeover.clock.advance(HOUR)

    refused = here.run(*TO_AWS, code=3)
    assert f"failed to copy {job}: its source or destination has keys in it" in refused.stdout
    here.settings["STORAGE_STRIP_CREDENTIALS"] = "true"
    copied = here.run(*TO_AWS, "--json").json

    assert (copied["agree"], copied["to"]["jobs"]) == (True, 1)
    jobs = DynamoJobStore(takeover.farm.clients, takeover.farm.name, lambda _: None).get([job])
    assert jobs[job].source == "s3://films/a.mov"


def queued(takeover: Takeover) -> list[str]:
    farm = takeover.farm
    urls = QueueUrls(farm.clients, farm.here.cwd / "urls-aws.json", remember=False)
    return [message.body for message in SqsQueue(farm.clients, new_jobs_queue(farm.name), urls).receive(100, 30)]
