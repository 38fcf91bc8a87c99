"""A farm of backend simpledb, as the command line has it, on servers of this machine; and who else is on it."""

import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.coded_queue import CodedQueue
from nommerctl.adapters.aws.outbox import Outbox
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.adapters.aws.simpledb.ledger import SimpledbLedger
from nommerctl.adapters.aws.simpledb.zones import OldZone
from nommerctl.adapters.aws.sqs import SqsQueue
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.domain.job import JobId
from nommerctl.domain.times import Instant
from nommerctl.wiring import process
from tests import aws_servers
from tests.aws_farm import AMI, REGION
from tests.cli import Cli, InProcessCli
from tests.cloud import Cloud
from tests.simpledb.server import SimpleDB

OLD_AMI = "ami-1e749f67"
"""Another one that moto knows: that of media-nommer's workers."""


@contextmanager
def clients_of_simpledb(url: str) -> Iterator[Clients]:
    """Clients that speak to a SimpleDB server, whatever the environment is later."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (aws_servers.CREDENTIALS | {"AWS_ENDPOINT_URL": url}).items():
            patch.setenv(name, value)
        clients = Clients()
        assert {each.meta.endpoint_url for each in (clients.sdb, clients.sqs)} == {url}  # made now
    yield clients
    clients.close()


@dataclass
class SimpledbFarm:
    """The command line in this process (`here`) and in its own (`cli`), what it stands on, and media-nommer itself.

    `sdb` are clients of the SimpleDB server, `clients` of all other services.
    """

    name: str
    settings: SimpledbSettings
    cloud: Cloud
    server: SimpleDB
    here: InProcessCli
    cli: Cli
    clients: Clients
    sdb: Clients

    @property
    def bucket(self) -> str:
        """The bucket of sources and outputs."""
        return f"media-{self.name}"

    @property
    def store(self) -> SimpledbJobStore:
        """The jobs themselves, past the command line."""
        return SimpledbJobStore(self.sdb, self.name, self.settings, process.clock, print)

    @property
    def ledger(self) -> SimpledbLedger:
        """The ledger itself."""
        return SimpledbLedger(self.sdb, self.name, self.settings, process.clock, slots=1, sleep=time.sleep)

    @property
    def new_jobs(self) -> CodedQueue:
        """The queue of new jobs itself."""
        return CodedQueue(self.clients, self.settings.new_jobs_queue, self._urls, Outbox())

    @property
    def changes(self) -> CodedQueue:
        """The queue of changes itself."""
        return CodedQueue(self.clients, self.settings.changes_queue, self._urls, Outbox())

    @property
    def _urls(self) -> QueueUrls:
        return QueueUrls(self.clients, self.here.cwd / "urls.json", remember=False)

    # --- what media-nommer does, by its own wire format

    def item(self, job_id: JobId) -> dict[str, str]:
        """A job's item as it stands; one value each."""
        found = self.server.items(self.settings.job_domain)[job_id]
        return {name: value for name, (value,) in found.items()}

    def produced(self, *, announced: bool = True, **attributes: str) -> JobId:
        """A producer adds a job and a message about it, unless a worker has taken that already."""
        job_id, now = token_hex(25), self.local()
        item = {
            "unique_id": job_id,
            "source_path": f"s3://{self.bucket}/film.mov",
            "dest_path": f"s3://{self.bucket}/{job_id}.mp4",
            "nommer": "media_nommer.ec2nommerd.nommers.ffmpeg.FFmpegNommer",
            "job_options": '[{"outfile_options": [["vn", null], ["acodec", "aac"]]}]',
            "job_state": "PENDING",
            "creation_dtime": now,
            "last_modified_dtime": now,
        }
        self.server.put(self.settings.job_domain, job_id, item | attributes)
        if announced:
            self._sent(self.settings.new_jobs_queue, job_id)
        return job_id

    def moved(self, job_id: JobId, state: str, details: str = "", at: Instant | None = None) -> None:
        """An old worker changes the state of a job, whatever it is now, and says so."""
        changed = {"job_state": state, "job_state_details": details, "last_modified_dtime": self.local(at)}
        self.server.put(self.settings.job_domain, job_id, changed)
        self._sent(self.settings.changes_queue, job_id)

    def beat(self, node: str, active: int, at: Instant | None = None, **attributes: str) -> None:
        """An old worker gives a heartbeat."""
        row = {"id": node, "active_jobs": str(active), "last_report_dtime": self.local(at), "state": "ACTIVE"}
        self.server.put(self.settings.heartbeat_domain, node, row | attributes)

    def launched(self) -> str:
        """Launch an old worker's instance, without any tag, and return its id."""
        (launched,) = self.clients.ec2.run_instances(ImageId=OLD_AMI, MinCount=1, MaxCount=1)["Instances"]
        return launched["InstanceId"]

    def local(self, at: Instant | None = None) -> str:
        """The time as the old hosts write it."""
        return OldZone(self.settings.old_zone).text(process.clock() if at is None else at)

    def _sent(self, queue: str, job_id: JobId) -> None:
        SqsQueue(self.clients, queue, self._urls).send([b64encode(job_id.encode()).decode()])


@contextmanager
def simpledb_farm(
    cloud: Cloud, server: SimpleDB, clients: Clients, sdb: Clients, folder: Path
) -> Iterator[SimpledbFarm]:
    """Make what media-nommer had; the environment has to name the cloud and the SimpleDB server."""
    name = f"t{token_hex(6)}"
    settings = SimpledbSettings(new_jobs_queue=f"old-{name}", changes_queue=f"old-{name}-jstate", ami=OLD_AMI)
    server.clear()
    for domain in (settings.job_domain, settings.heartbeat_domain):
        sdb.sdb.create_domain(DomainName=domain)
    for queue in (settings.new_jobs_queue, settings.changes_queue):
        clients.sqs.create_queue(QueueName=queue)
    clients.s3().create_bucket(Bucket=f"media-{name}", CreateBucketConfiguration={"LocationConstraint": REGION})
    given = {
        "BACKEND": "simpledb",
        "FARM_NAME": name,
        "AWS_AMI": AMI,
        "AWS_INSTANCE_TYPES": "c7i.large",
        "SIMPLEDB_NEW_JOBS_QUEUE": settings.new_jobs_queue,
        "SIMPLEDB_CHANGES_QUEUE": settings.changes_queue,
        "SIMPLEDB_AMI": OLD_AMI,
    }
    python = (sys.executable, "-m", "nommerctl")
    farm = SimpledbFarm(
        name,
        settings,
        cloud,
        server,
        here=InProcessCli(folder / "state", cwd=folder, executable=python, settings=given),
        cli=Cli(folder / "state", cwd=folder, executable=python, settings=given),
        clients=clients,
        sdb=sdb,
    )
    try:
        yield farm
    finally:
        cloud.heal()
        _end_all(clients)


def _end_all(clients: Clients) -> None:
    """End what runs from the two images: it would count for the next farm."""
    shown = clients.ec2.describe_instances(Filters=[{"Name": "image-id", "Values": [AMI, OLD_AMI]}])
    running = [
        each["InstanceId"]
        for reservation in shown["Reservations"]
        for each in reservation["Instances"]
        if each["State"]["Name"] != "terminated"
    ]
    if running:
        clients.ec2.terminate_instances(InstanceIds=running)
