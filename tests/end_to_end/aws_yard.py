"""What the end-to-end tests on AWS share: a cloud, a farm in it, and looks at what is left there."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs

import pytest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ledger import DynamoLedgerReads
from nommerctl.adapters.aws.names import changes_queue, dead_letters, new_jobs_queue
from nommerctl.domain.overview import Overview
from nommerctl.wiring import process
from tests.aws_farm import AwsFarm
from tests.clips import SECONDS, ffmpeg
from tests.web import Web
from tests.worker.nomming import probed

QUICK = {
    "SCALE_MAX_NODES": "3",
    "WORKER_LEASE": "3s",
    "WORKER_HEARTBEAT": "0.5s",
    "WORKER_IDLE_EXIT": "1s",
    "FFMPEG_THREADS": "1",
}
"""Settings by which a farm does in seconds what it does in minutes."""


class Site(Protocol):
    """Where a farm is."""

    name: str
    clients: Clients

    @property
    def bucket(self) -> str: ...


@contextmanager
def farm_with_template(farm: AwsFarm, **settings: str) -> Iterator[AwsFarm]:
    """Have a farm launch its nodes of a launch template, quickly; on the nodes there is a metadata service."""
    farm.here.settings |= {**QUICK, "AWS_AMI": "", "AWS_LAUNCH_TEMPLATE": farm.name, **settings}
    ec2 = farm.clients.ec2
    ec2.create_launch_template(LaunchTemplateName=farm.name, LaunchTemplateData={"ImageId": "ami-03cf127a"})
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_EC2_METADATA_DISABLED")
        try:
            yield farm
        finally:
            ec2.delete_launch_template(LaunchTemplateName=farm.name)


def messages(farm: Site) -> dict[str, int]:
    """How many messages each queue of the farm holds, in whatever state; those that hold none are left out."""
    sqs = farm.clients.sqs
    found: dict[str, int] = {}
    for name in (new_jobs_queue(farm.name), changes_queue(farm.name)):
        for queue in (name, dead_letters(name)):
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            total = sum(int(counts[each]) for each in counts if each.startswith("ApproximateNumberOf"))
            found |= {queue: total} if total else {}
    return found


def unfinished_uploads(farm: Site) -> list[str]:
    """The keys of uploads in the farm's bucket that were begun and neither completed nor ended."""
    found = farm.clients.s3().list_multipart_uploads(Bucket=farm.bucket).get("Uploads", [])
    return [upload["Key"] for upload in found]


def keys(farm: Site, prefix: str) -> list[str]:
    """The keys in the farm's bucket that begin so, in order."""
    found = farm.clients.s3().list_objects_v2(Bucket=farm.bucket, Prefix=prefix).get("Contents", [])
    return sorted(each["Key"] for each in found)


def ledger(farm: Site) -> Overview:
    """What the ledger knows of the farm."""
    return DynamoLedgerReads(farm.clients, farm.name, process.clock, lambda _: None).overview()


def outputs_are_whole(farm: Site, names: Sequence[str], path: Path) -> None:
    """Every output is there, decodes to its end and lasts as long as its source; `path` is for a copy."""
    assert keys(farm, "out/") == [f"out/{name}" for name in names]
    for name in names:
        path.write_bytes(farm.clients.s3().get_object(Bucket=farm.bucket, Key=f"out/{name}")["Body"].read())
        _decode(path)
        assert probed(path).seconds == pytest.approx(SECONDS, abs=0.1)


def _decode(path: Path) -> None:
    """Decode a file to its end; any complaint of ffmpeg's is an error."""
    command = [str(ffmpeg()), "-nostdin", "-loglevel", "error", "-xerror", "-i", str(path), "-f", "null", "-"]
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""


def everything_was_told_once(documents: Sequence[Mapping[str, Any]], listener: Web) -> None:
    """Each change of each job was told, once and in order; `documents` is what `show` says of the jobs."""
    told: dict[str, list[str]] = {document["id"]: [] for document in documents}
    for asked in listener.asked:
        form = parse_qs(asked.body.decode())
        told[form["unique_id"][0]] += form["job_state"]
    assert told == {job["id"]: [entry["state"] for entry in job["history"]] for job in documents}
    assert all(states[0] == "PENDING" and states[-1] == "FINISHED" for states in told.values())
