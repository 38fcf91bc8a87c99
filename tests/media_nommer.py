"""The programs of media-nommer as their deployments know them: its producer, its feederd's listener, its workers.

They do what was measured of the original ones, with all that was wrong with them: every write is unconditional, times
are local and have no zone, a worker deletes its message before it has done anything, and reads an item only if it has
ten attributes that it knows.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from nommerctl.domain.times import Instant

if TYPE_CHECKING:
    from types_boto3_sdb.client import SimpleDBClient
    from types_boto3_sqs.client import SQSClient

JOBS = "media_nommer"
HEARTBEATS = "media_nommer_ec2nommer_state"
NEW_JOBS = "media_nommer"
CHANGES = "media_nommer_jstate"

FFMPEG = "media_nommer.ec2nommerd.nommers.ffmpeg.FFmpegNommer"
ATTRIBUTES = frozenset(
    {
        *("unique_id", "source_path", "dest_path", "nommer", "job_options", "job_state", "job_state_details"),
        *("notify_url", "creation_dtime", "last_modified_dtime"),
    }
)
OPTIONS: Sequence[dict[str, Any]] = ({"outfile_options": [["threads", 0], ["vcodec", "libx264"], ["an", None]]},)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


def local_time(at: Instant, zone: str) -> str:
    """An instant as a host in this zone writes it: `datetime.now()` with its microseconds, and no zone."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone)).strftime(_FORMAT)


@dataclass
class OldHost:
    """A machine of the old deployment, whose clock shows the time of its zone."""

    sdb: "SimpleDBClient"
    sqs: "SQSClient"
    clock: Callable[[], Instant]
    zone: str = "UTC"
    jobs: str = JOBS
    heartbeats: str = HEARTBEATS
    new_jobs: str = NEW_JOBS
    changes: str = CHANGES

    def now(self) -> str:
        """What its clock shows."""
        return local_time(self.clock(), self.zone)

    def install(self) -> None:
        """Make domains and queues, as the old programs did when they were first started."""
        for domain in (self.jobs, self.heartbeats):
            self.sdb.create_domain(DomainName=domain)
        for queue in (self.new_jobs, self.changes):
            self.sqs.create_queue(QueueName=queue)

    def send(self, queue: str, job_id: str) -> None:
        """Send the id of a job: its base64, 68 characters, and no attributes."""
        self.send_raw(queue, b64encode(job_id.encode()).decode())

    def send_raw(self, queue: str, body: str) -> None:
        """Send a message whose body is just this."""
        self.sqs.send_message(QueueUrl=self._url(queue), MessageBody=body)

    def pop(self, queue: str) -> str | None:
        """Take an id off a queue: the message is gone before anybody has done anything about it."""
        url = self._url(queue)
        for message in self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1).get("Messages", []):
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return b64decode(message["Body"], validate=True).decode()
        return None

    def put(self, job_id: str, **attributes: str) -> None:
        """Write attributes of a job's item over what they were, whatever that was."""
        self.sdb.put_attributes(
            DomainName=self.jobs,
            ItemName=job_id,
            Attributes=[{"Name": name, "Value": value, "Replace": True} for name, value in attributes.items()],
        )

    def load(self, job_id: str) -> dict[str, str]:
        """Read a job as the old code does, which goes to pieces over what it does not know."""
        found = self.sdb.get_attributes(DomainName=self.jobs, ItemName=job_id, ConsistentRead=True)["Attributes"]
        item = {each["Name"]: each["Value"] for each in found}
        assert len(item) == len(found), "an attribute with two values"
        assert item.keys() <= ATTRIBUTES, "the old code raises over an attribute that it does not know"
        for name in ("creation_dtime", "last_modified_dtime"):
            datetime.strptime(item[name], _FORMAT)  # noqa: DTZ007 - that is what is wrong with it
        json.loads(item["job_options"])
        return item

    def _url(self, queue: str) -> str:
        return self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]


@dataclass
class OldProducer(OldHost):
    """Whoever submits jobs: media-nommer's web API, or a script that does what it did."""

    def submit(
        self,
        source: str = "s3://films/in/film.mov",
        dest: str = "s3://films/out/film.mp4",
        *,
        notify_url: str | None = None,
        options: Sequence[dict[str, Any]] = OPTIONS,
        queued: bool = True,
        **attributes: str,
    ) -> str:
        """Store a job and send its message; return its id."""
        job_id = token_hex(25)
        now = self.now()
        item = {
            "unique_id": job_id,
            "source_path": source,
            "dest_path": dest,
            "nommer": FFMPEG,
            "job_options": json.dumps(options),
            "job_state": "PENDING",
            "creation_dtime": now,
            "last_modified_dtime": now,
            **({} if notify_url is None else {"notify_url": notify_url}),
            **attributes,
        }
        self.put(job_id, **item)
        if queued:
            self.send(self.new_jobs, job_id)
        return job_id


@dataclass
class OldWorker(OldHost):
    """An EC2 instance with media-nommer's ec2nommerd, played step by step."""

    instance: str = field(default_factory=lambda: f"i-{token_hex(8)}0")

    def beat(self, active: int = 0, *, state: str = "ACTIVE") -> None:
        """Write its heartbeat."""
        item = {"id": self.instance, "active_jobs": str(active), "last_report_dtime": self.now(), "state": state}
        self.sdb.put_attributes(
            DomainName=self.heartbeats,
            ItemName=self.instance,
            Attributes=[{"Name": name, "Value": value, "Replace": True} for name, value in item.items()],
        )

    def take(self) -> str | None:
        """Take the next job off the queue, load it and begin with it; None if there is none."""
        job_id = self.pop(self.new_jobs)
        if job_id is not None:
            self.load(job_id)
            self.set_state(job_id, "DOWNLOADING")
        return job_id

    def set_state(self, job_id: str, state: str, details: str | None = None) -> None:
        """Write a state over whatever the item says, then announce it."""
        written = {} if details is None else {"job_state_details": details[-1023:]}
        self.put(job_id, job_state=state, last_modified_dtime=self.now(), **written)
        self.send(self.changes, job_id)
