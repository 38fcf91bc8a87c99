"""A farm on AWS, as the command line has it, on servers of this machine."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from msgspec import structs

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.adapters.aws.ledger import DynamoLedger
from nommerctl.adapters.aws.names import FARM_TAG, changes_queue, dead_letters, new_jobs_queue
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.resources import create_queues, create_tables
from nommerctl.adapters.aws.sqs import SqsQueue
from nommerctl.domain.job import EncodePass, EncodingJob
from nommerctl.domain.moves import submitted
from nommerctl.domain.times import Instant
from nommerctl.wiring import process
from tests.cli import Cli, InProcessCli
from tests.cloud import Cloud

AMI = "ami-12c6146b"
"""One that moto knows."""

REGION: Final = "eu-central-1"


@dataclass
class AwsFarm:
    """The command line in this process (`here`) and in its own (`cli`), and a way to look at what it stands on."""

    name: str
    cloud: Cloud
    here: InProcessCli
    cli: Cli
    clients: Clients

    @property
    def bucket(self) -> str:
        """The bucket of sources and outputs."""
        return f"media-{self.name}"

    @property
    def store(self) -> DynamoJobStore:
        """The jobs themselves, past the command line."""
        return DynamoJobStore(self.clients, self.name, time.sleep)

    @property
    def ledger(self) -> DynamoLedger:
        """The ledger itself."""
        return DynamoLedger(self.clients, self.name, process.clock, time.sleep)

    @property
    def new_jobs(self) -> SqsQueue:
        """The queue of new jobs itself."""
        return self.queue(new_jobs_queue(self.name))

    @property
    def changes(self) -> SqsQueue:
        """The queue of changes itself."""
        return self.queue(changes_queue(self.name))

    @property
    def dead(self) -> SqsQueue:
        """The dead letters of the queue of new jobs, as a queue."""
        return self.queue(dead_letters(new_jobs_queue(self.name)))

    def queue(self, name: str) -> SqsQueue:
        """Return a queue by its name."""
        return SqsQueue(self.clients, name, QueueUrls(self.clients, self.here.cwd / "urls.json", remember=False))

    def other(self, name: str, **settings: str) -> InProcessCli:
        """Return the command line of another controller of the same farm, which has a state folder of its own."""
        return replace(
            self.here, state_dir=self.here.cwd / f"state-{name}", settings={**self.here.settings, **settings}
        )

    def put(self, key: str, content: bytes) -> str:
        """Upload an object to the farm's bucket and return its URI."""
        self.clients.s3().put_object(Bucket=self.bucket, Key=key, Body=content)
        return f"s3://{self.bucket}/{key}"

    def stored(self, *, at: Instant | None = None, notify_url: str | None = None, **fields: Any) -> EncodingJob:  # noqa: ANN401 - fields of the record
        """Store a new job, with no message about it; by default it was submitted now, and waits."""
        now = process.clock() if at is None else at
        job_id = token_hex(25)
        new = EncodingJob(
            id=job_id,
            source=f"s3://{self.bucket}/film.mov",
            dest=f"s3://{self.bucket}/{job_id}.mp4",
            created=now,
            changed=now,
            preset="audio-m4a",
            options=(EncodePass(outfile_options=(("vn", None), ("acodec", "aac"))),),
            notify_url=notify_url,
        )
        (stored,) = self.store.submit([submitted(new, by="test")])
        return self.store.transition(stored, lambda job: _with(job, fields)) if fields else stored

    def submitted(self) -> EncodingJob:
        """Store a job and send the messages about it, as `submit` does."""
        job = self.stored()
        self.new_jobs.send([job.id])
        self.changes.send([job.id])
        return job

    def state(self, job: EncodingJob) -> str:
        """The state of a job by the store."""
        return self.store.get([job.id])[job.id].state.value

    def instances(self) -> set[str]:
        """The nodes that EC2 has running."""
        shown = self.clients.ec2.describe_instances(Filters=[{"Name": f"tag:{FARM_TAG}", "Values": [self.name]}])
        return {
            each["InstanceId"]
            for reservation in shown["Reservations"]
            for each in reservation["Instances"]
            if each["State"]["Name"] in {"pending", "running"}
        }

    def end_instances(self) -> None:
        """End all nodes: those of other farms run from the same image, by which nodes are known."""
        if nodes := self.instances():
            self.clients.ec2.terminate_instances(InstanceIds=sorted(nodes))

    def queued(self) -> set[str]:
        """The ids in the queue of new jobs, which stay there."""
        messages = self.new_jobs.receive(1000, 30)
        self.new_jobs.extend(messages, 0)
        return {message.body for message in messages}

    def launched(self) -> str:
        """Launch a node that nobody ordered, and return its id."""
        (launched,) = self.clients.ec2.run_instances(ImageId=AMI, MinCount=1, MaxCount=1)["Instances"]
        self.clients.ec2.create_tags(Resources=[launched["InstanceId"]], Tags=[{"Key": FARM_TAG, "Value": self.name}])
        return launched["InstanceId"]


def _with(job: EncodingJob, fields: dict[str, Any]) -> EncodingJob:
    return structs.replace(job, **fields)


@contextmanager
def aws_farm(cloud: Cloud, clients: Clients, folder: Path, models: Path, **settings: str) -> Iterator[AwsFarm]:
    """Make tables, queues and a bucket; the environment has to name the cloud.

    `models` is where the copy of AWS's models that the first farm makes is kept for the others: it takes its time.
    """
    name = f"t{token_hex(6)}"
    create_tables(clients.dynamodb, name)
    create_queues(clients.sqs, name)
    clients.s3().create_bucket(Bucket=f"media-{name}", CreateBucketConfiguration={"LocationConstraint": REGION})
    given = {"BACKEND": "aws", "FARM_NAME": name, "AWS_AMI": AMI, "AWS_INSTANCE_TYPES": "c7i.large"}
    given |= {"NOTIFY_ALLOW_PRIVATE": "127.0.0.0/8", **settings}
    python = (sys.executable, "-m", "nommerctl")
    farm = AwsFarm(
        name,
        cloud,
        here=InProcessCli(folder / "state", cwd=folder, executable=python, settings=given),
        cli=Cli(folder / "state", cwd=folder, executable=python, settings=given),
        clients=clients,
    )
    copy = folder / "state" / "aws" / "models"
    if models.exists():
        shutil.copytree(models, copy)
    try:
        yield farm
    finally:
        cloud.heal()
        farm.end_instances()
        if copy.exists() and not models.exists():
            shutil.copytree(copy, models)
