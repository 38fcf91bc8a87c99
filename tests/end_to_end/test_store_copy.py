"""Leaving one backend for another by the command line, from SQLite to DynamoDB and SQS and back."""

import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.ledger import SqliteLedger
from nommerctl.domain.fleet import Heartbeat
from nommerctl.domain.job import EncodingJob
from nommerctl.domain.limits import AttemptLimits
from nommerctl.domain.moves import cancelled, claimed, requeued, submitted
from nommerctl.domain.times import micros
from nommerctl.wiring import process
from tests.aws_farm import AwsFarm
from tests.builders import job_id, make_job, make_lease
from tests.cli import Cli, eventually
from tests.cloud import Cut, Reach, refusal

pytestmark = pytest.mark.slow

TO_AWS = ("store", "copy", "--from", "local", "--to", "aws")


@contextmanager
def database_of(cli: Cli) -> Iterator[Database]:
    cli.state_dir.mkdir(mode=0o700, exist_ok=True)
    database = Database(cli.state_dir / "farm.db")
    yield database
    database.close()


def store_here(cli: Cli, *numbers: int) -> list[EncodingJob]:
    """Store jobs in the farm on this machine: every third is finished, and every fifth in work."""
    now = process.clock()
    with database_of(cli) as database:
        store = SqliteJobStore(database)
        new = [submitted(make_job(number, created=now + number, changed=now + number), by="me") for number in numbers]
        for job in store.submit(new):
            if int(job.id, 16) % 3 == 0:
                store.transition(job, partial(cancelled, now=now, by="somebody"))
            elif int(job.id, 16) % 5 == 0:
                lease = make_lease(until=now + micros(1), since=now)
                store.transition(job, partial(claimed, lease=lease, now=now, limits=AttemptLimits()))
        return sorted((*store.unfinished(), *store.finished_since(0)), key=lambda job: job.id)


def in_aws(aws: AwsFarm, jobs: list[EncodingJob]) -> list[EncodingJob]:
    """Return what the farm on AWS has of jobs, as they were in a place that had no versions and leases."""
    found = aws.store.get([job.id for job in jobs]).values()
    return sorted((structs.replace(job, version=0) for job in found), key=lambda job: job.id)


def without_place(jobs: list[EncodingJob]) -> list[EncodingJob]:
    return [structs.replace(job, version=0, lease=None) for job in jobs]


def test_from_this_machine_to_aws_in_three_commands(aws: AwsFarm) -> None:
    jobs = store_here(aws.here, *range(1, 31))

    planned = aws.here.run(*TO_AWS, "--dry-run")
    assert planned.stdout.count("[dry run] copy ") == 30
    assert in_aws(aws, jobs) == []

    copied = aws.here.run(*TO_AWS, "--json").json
    assert (copied["agree"], copied["from"]["jobs"], len(copied["changed"])) == (True, 30, 30)
    assert copied["from"]["sha256"] == copied["to"]["sha256"]
    assert in_aws(aws, jobs) == without_place(jobs)
    assert aws.queued() == {job.id for job in jobs if not job.finished}

    again = aws.here.run(*TO_AWS).stdout
    assert again == (
        "store copy from local to aws:\n"
        "  there already  30 jobs\n"
        f"  local  30 jobs, SHA-256 {copied['from']['sha256']}\n"
        f"  aws    30 jobs, SHA-256 {copied['to']['sha256']}\n"
        "store copy: both hold the same\n"
    )


def test_the_farm_on_aws_goes_on_with_them_and_its_cache_takes_what_is_there(aws: AwsFarm) -> None:
    # given a cache of this machine that holds the jobs as they were here, after many writes
    jobs = store_here(aws.here, 1, 2, 3)
    with database_of(aws.here) as database:
        for at in range(5):
            SqliteJobStore(database).transition(jobs[0], partial(requeued, now=process.clock() + at))
    aws.here.run("refresh", env={"NOMMERCTL_BACKEND": "local"})
    aws.here.run(*TO_AWS)
    # when the job is cancelled in the new place
    aws.here.run("cancel", job_id(1))
    # then the cache says so
    aws.here.run("refresh")
    states = {job["id"]: job["state"] for job in aws.here.run("list", "--json").json["jobs"]}
    assert states == {jobs[0].id: "ABANDONED", jobs[1].id: "PENDING", jobs[2].id: "ABANDONED"}


def test_from_aws_to_this_machine_although_its_cache_knows_jobs_that_are_not_here_yet(aws: AwsFarm) -> None:
    job = aws.submitted()
    aws.here.run("refresh")
    copied = aws.here.run("store", "copy", "--from", "aws", "--to", "local", "--json").json
    assert (copied["agree"], copied["to"]["jobs"]) == (True, 1)
    with database_of(aws.here) as database:
        assert SqliteJobStore(database).get([job.id])[job.id].version == job.version + 1


def test_a_job_too_large_for_the_destination_fails_and_the_others_are_copied(aws: AwsFarm) -> None:
    jobs = store_here(aws.here, 1, 2)
    with database_of(aws.here) as database:
        SqliteJobStore(database).submit([make_job(7, source="/" + "x" * 300_000)])
    done = aws.here.run(*TO_AWS, code=3)
    assert f"failed to copy {job_id(7)}: the record of job {job_id(7)} takes " in done.stdout
    assert "  local  3 jobs" in done.stdout
    assert "  aws    2 jobs" in done.stdout
    assert done.stdout.endswith("they do not hold the same\n")
    assert in_aws(aws, jobs) == without_place(jobs)


def test_it_refuses_while_a_worker_lives(here: Cli) -> None:
    with database_of(here) as database:
        now = process.clock()
        SqliteLedger(database, process.clock).beat(Heartbeat(node="node-1", started=now, at=now, slots=1))
    here.settings["FARM_NAME"] = "moving"
    for more in ((), ("--dry-run",)):
        refused = here.run(*TO_AWS, *more, code=2)
        assert refused.stdout == ""
        assert refused.stderr.startswith("nommerctl: nodes of backend local still work: the last heartbeat came from")


@pytest.mark.parametrize("verb", ["refresh", "scale", "abandon", "prune", "store-copy"])
def test_it_waits_for_no_pass_that_runs(here: Cli, verb: str) -> None:
    here.run("refresh")
    with (here.state_dir / "locks" / f"{verb}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = here.run(*TO_AWS, code=75).stderr
    assert said == f"nommerctl: another {verb} is running: stop cron, and copy when that has ended\n"


def test_what_is_not_two_backends_is_refused(here: Cli) -> None:
    one = here.run("store", "copy", "--from", "local", "--to", "local", code=2).stderr
    assert one == "nommerctl: --from and --to both name local: give two backends\n"
    none = here.run("store", "copy", "--from", "\x1b", "--to", "local", code=2).stderr
    assert none.startswith("nommerctl: --from '\\x1b' is no backend: give one of local, aws")


def test_aws_that_is_away_ends_it_with_nothing_changed(here: Cli) -> None:
    # as every test has it that does not ask for a cloud
    store_here(here, 1)
    away = here.run(*TO_AWS, code=None, env={"AWS_REGION": "eu-central-1"})
    assert away.code in {69, 77}
    assert away.stdout == ""


def test_aws_that_fails_on_the_way_leaves_what_was_copied_and_the_same_command_goes_on(aws: AwsFarm) -> None:
    store_here(aws.here, *range(1, 151))
    # when DynamoDB fails from the messages about the first hundred on
    away = {"dynamodb": refusal("dynamodb", "InternalServerError", 500)}
    with aws.cloud.trouble(away, Reach.ALL, served=10) as trouble:
        broken = aws.here.run(*TO_AWS, code=69)
    assert trouble.met
    assert broken.stderr.startswith("nommerctl: AWS failed at ")
    assert broken.stdout == "store copy: 100 changes made before it ended: the same command goes on from there\n"
    assert aws.here.run(*TO_AWS, "--json").json["facts"]["same"] == 100


def test_a_dry_run_leaves_no_trace_and_waits_for_no_pass(aws: AwsFarm) -> None:
    from_aws = ("store", "copy", "--from", "aws", "--to", "local", "--dry-run")
    (aws.here.state_dir / "locks").mkdir(mode=0o700, parents=True)
    before = there(aws.here)
    assert aws.here.run(*from_aws).stdout == "store copy: 0 changes to make\n"
    assert there(aws.here) == before
    with (aws.here.state_dir / "locks" / "refresh.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        aws.here.run(*from_aws)


def there(cli: Cli) -> set[Path]:
    """What is in the state folder, but for the copy of AWS's models that a test brings along."""
    return {path for path in cli.state_dir.rglob("*") if "models" not in path.parts}


@pytest.mark.slow
@pytest.mark.parametrize("served", [0, 1, 2, 3, 5, 9, 14, 17, 20])
def test_killed_at_any_request_and_run_again_all_is_there_and_queued(aws: AwsFarm, served: int) -> None:
    # given 150 jobs, and AWS that does what the copy asks for, but answers no more after some requests
    jobs = store_here(aws.cli, *range(1, 151))
    with aws.cloud.trouble(Cut.NEVER, Reach.ALL, served=served) as trouble, aws.cli.start(*TO_AWS) as copying:
        eventually(lambda: trouble.met, every=0.02)
        copying.send_signal(signal.SIGKILL)
        copying.communicate()
    assert copying.returncode == -signal.SIGKILL

    again = aws.here.run(*TO_AWS, "--json").json

    assert again["agree"]
    assert in_aws(aws, jobs) == without_place(jobs)
    assert aws.queued() == {job.id for job in jobs if not job.finished}
    assert aws.here.run(*TO_AWS, "--json").json["changed"] == []


def test_a_machine_that_never_had_a_farm_of_its_own_has_nothing_to_copy(aws: AwsFarm) -> None:
    aws.submitted()
    aws.here.run("refresh")  # so that the cache knows a job, of the farm on AWS

    copied = aws.here.run(*TO_AWS, "--json").json

    assert (copied["agree"], copied["from"]["jobs"], copied["changed"]) == (True, 0, [])
