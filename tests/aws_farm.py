"""A farm on AWS, as the command line has it, on servers of this machine."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.resources import create_queues, create_tables
from nommerctl.domain.job import EncodingJob
from tests.aws_servers import CREDENTIALS
from tests.cli import Cli, InProcessCli
from tests.cloud import Cloud

AMI = "ami-12c6146b"
"""One that moto knows."""


@dataclass
class AwsFarm:
    """The command line in this process (`here`) and in its own (`cli`), and a way to look at what it stands on."""

    name: str
    cloud: Cloud
    here: InProcessCli
    cli: Cli
    clients: Clients

    def job(self, job_id: str) -> dict[str, object]:
        """What `show` says of a job."""
        document: dict[str, object] = self.here.run("show", job_id, "--json").json
        return document

    def put(self, key: str, path: Path) -> str:
        """Upload a file to the farm's bucket and return its URI."""
        self.clients.s3().put_object(Bucket=self.bucket, Key=key, Body=path.read_bytes())
        return f"s3://{self.bucket}/{key}"

    @property
    def bucket(self) -> str:
        return f"media-{self.name}"


@contextmanager
def aws_farm(cloud: Cloud, folder: Path, **settings: str) -> Iterator[AwsFarm]:
    """Make tables, queues and a bucket, and end with what was asked of them; the environment has to name the cloud."""
    name = f"t{token_hex(6)}"
    clients = Clients()
    create_tables(clients.dynamodb, name)
    create_queues(clients.sqs, name)
    clients.s3().create_bucket(Bucket=f"media-{name}", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    given = {"BACKEND": "aws", "FARM_NAME": name, "AWS_AMI": AMI, "AWS_INSTANCE_TYPES": "c7i.large", **settings}
    python = (sys.executable, "-m", "nommerctl")
    farm = AwsFarm(
        name,
        cloud,
        here=InProcessCli(folder / "state", cwd=folder, executable=python, settings=given),
        cli=Cli(folder / "state", cwd=folder, executable=python, settings=given),
        clients=clients,
    )
    try:
        yield farm
    finally:
        clients.close()


__all__ = ["CREDENTIALS", "AwsFarm", "EncodingJob", "aws_farm", "json"]
