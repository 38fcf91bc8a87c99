"""What the end-to-end tests on AWS share: a cloud, a farm in it, and looks at what is left there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nommerctl.adapters.aws.ledger import DynamoLedgerReads
from nommerctl.adapters.aws.names import changes_queue, dead_letters, new_jobs_queue
from nommerctl.domain.overview import Overview
from nommerctl.wiring import process
from tests.aws_farm import AwsFarm, aws_farm
from tests.cloud import Cloud

QUICK = {
    "SCALE_MAX_NODES": "3",
    "WORKER_LEASE": "3s",
    "WORKER_HEARTBEAT": "0.5s",
    "WORKER_IDLE_EXIT": "1s",
    "FFMPEG_THREADS": "1",
}
"""Settings by which a farm does in seconds what it does in minutes."""


@contextmanager
def farm_with_template(cloud: Cloud, folder: Path, **settings: str) -> Iterator[AwsFarm]:
    """Make a farm that launches its nodes of a launch template, quickly."""
    given = {**QUICK, "AWS_AMI": "", "AWS_LAUNCH_TEMPLATE": "nommerctl-nodes", **settings}
    with aws_farm(cloud, folder, **given) as farm:
        ec2 = farm.clients.ec2
        ec2.create_launch_template(LaunchTemplateName="nommerctl-nodes", LaunchTemplateData={"ImageId": "ami-03cf127a"})
        try:
            yield farm
        finally:
            ec2.delete_launch_template(LaunchTemplateName="nommerctl-nodes")


def messages(farm: AwsFarm) -> dict[str, int]:
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


def unfinished_uploads(farm: AwsFarm) -> list[str]:
    """The keys of uploads in the farm's bucket that were begun and neither completed nor ended."""
    found = farm.clients.s3().list_multipart_uploads(Bucket=farm.bucket).get("Uploads", [])
    return [upload["Key"] for upload in found]


def keys(farm: AwsFarm, prefix: str) -> list[str]:
    """The keys in the farm's bucket that begin so, in order."""
    found = farm.clients.s3().list_objects_v2(Bucket=farm.bucket, Prefix=prefix).get("Contents", [])
    return sorted(each["Key"] for each in found)


def ledger(farm: AwsFarm) -> Overview:
    """What the ledger knows of the farm."""
    return DynamoLedgerReads(farm.clients, farm.name, process.clock, lambda _: None).overview()
