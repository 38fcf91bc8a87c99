"""A farm in a real account: what it may cost at most, how it is made, and how all of it is taken down again."""

import base64
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.imds import NodeIdentity
from nommerctl.adapters.aws.names import FARM_TAG, changes_queue, dead_letters, jobs_table, ledger_table, new_jobs_queue
from nommerctl.adapters.aws.prices import hourly_price, listed_prices
from nommerctl.adapters.aws.resources import create_queues, create_tables
from nommerctl.wiring import process
from tests.cli import Cli

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import RequestLaunchTemplateDataTypeDef
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

_SURROUNDINGS = dict(os.environ)
"""As they are before tests change them: credentials and region are of whoever runs this."""

MOST_DOLLARS = 0.05
"""Above this nothing is begun."""

MINUTES = 15
"""After which the instance ends itself, whatever has become of the test."""

DISK_GB = 8
REQUESTS, DOLLARS_A_REQUEST = 2_000, 5e-6
"""More than are made, each at the price of the dearest kind (S3's PUT)."""

GONE_WITHIN = 180.0
"""Seconds until lists show what was deleted no more; SQS takes a minute, and so may an instance."""

PREFIX = "NOMMERCTL_TEST_AWS"
_VARIABLES = ("AWS_", "HOME")


def given(name: str, default: str = "") -> str:
    """Return a variable of this test."""
    return _SURROUNDINGS.get(f"{PREFIX}_{name}", default)


def use_the_account(patch: pytest.MonkeyPatch) -> None:
    """Let this test reach the account that tests are kept apart from; skip unless somebody asked for just that."""
    if _SURROUNDINGS.get(PREFIX) != "1" or not given("AMI"):
        pytest.skip(f"it costs money: set {PREFIX}=1, {PREFIX}_AMI, and credentials (see the README)")
    patch.delenv("AWS_ENDPOINT_URL")
    for name, value in _SURROUNDINGS.items():
        if name.startswith(_VARIABLES):
            patch.setenv(name, value)


def most_dollars(clients: Clients) -> float:
    """Return what the test costs at most: one instance until it ends itself, and all requests."""
    region, kind = clients.ec2.meta.region_name, instance_type()
    node = NodeIdentity(
        instance="", instance_type=kind, zone=region, region=region, market="on-demand", public_ipv4=True
    )
    price = given("PRICE")
    an_hour = hourly_price(
        clients,
        node,
        listed=listed_prices([f"{kind}={price}"] if price else []),
        disk_gb=DISK_GB,
        now=process.clock(),
        log=print,
    )
    if an_hour is None:
        pytest.fail(f"nothing was begun: set {PREFIX}_PRICE to the dollars that {kind} costs in an hour")
    return an_hour * MINUTES / 60 + REQUESTS * DOLLARS_A_REQUEST


def instance_type() -> str:
    return given("INSTANCE_TYPE", "t3.nano")


@dataclass
class AccountFarm:
    """The command line in its own process, on a farm that is this test's alone."""

    name: str
    cli: Cli
    clients: Clients

    @property
    def bucket(self) -> str:
        return f"nommerctl-{self.name}"

    @property
    def template(self) -> str:
        return f"nommerctl-{self.name}"

    def put(self, key: str, path: Path) -> str:
        """Upload a file to the farm's bucket and return its URI."""
        self.clients.s3().put_object(Bucket=self.bucket, Key=key, Body=path.read_bytes())
        return f"s3://{self.bucket}/{key}"

    def instances(self) -> list[str]:
        """The instances of the farm that are not ended, by its tag."""
        states = ["pending", "running", "stopping", "stopped", "shutting-down"]
        found = self.clients.ec2.describe_instances(
            Filters=[
                {"Name": f"tag:{FARM_TAG}", "Values": [self.name]},
                {"Name": "instance-state-name", "Values": states},
            ]
        )
        return [each["InstanceId"] for group in found["Reservations"] for each in group["Instances"]]


@contextmanager
def account_farm(folder: Path) -> Iterator[AccountFarm]:
    """Make a farm, if it costs little enough, and take it down again, whatever happens."""
    clients = Clients()
    estimate = most_dollars(clients)
    if estimate > MOST_DOLLARS:
        pytest.fail(f"nothing was begun: it may cost {estimate:.3f} $, which is more than {MOST_DOLLARS} $")
    name = f"smoke-{token_hex(4)}"
    settings = {
        "BACKEND": "aws",
        "FARM_NAME": name,
        "AWS_LAUNCH_TEMPLATE": f"nommerctl-{name}",
        "AWS_INSTANCE_TYPES": instance_type(),
        "AWS_SUBNETS": given("SUBNET"),
        "AWS_MARKET": "on-demand",
        "SCALE_MAX_NODES": "1",
        "NOTIFY_ALLOW_PRIVATE": "127.0.0.0/8",
        "WORKER_HEARTBEAT": "2s",
        "WORKER_LEASE": "10s",
    }
    python = (sys.executable, "-m", "nommerctl")
    farm = AccountFarm(name, Cli(folder / "state", cwd=folder, executable=python, settings=settings), clients)
    try:
        _make(farm)
        yield farm
    finally:
        _take_down(farm)
        clients.close()


def _make(farm: AccountFarm) -> None:
    create_tables(farm.clients.dynamodb, farm.name)
    create_queues(farm.clients.sqs, farm.name)
    s3 = farm.clients.s3()
    region = s3.meta.region_name
    if region == "us-east-1":
        s3.create_bucket(Bucket=farm.bucket)
    else:
        s3.create_bucket(Bucket=farm.bucket, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item]
    ends_itself = f"#!/bin/sh\nshutdown -h +{MINUTES}\n"
    template: RequestLaunchTemplateDataTypeDef = {
        "ImageId": given("AMI"),
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpTokens": "required"},
        "UserData": base64.b64encode(ends_itself.encode()).decode(),
    }
    if given("SECURITY_GROUP"):
        template["SecurityGroupIds"] = [given("SECURITY_GROUP")]
    if given("INSTANCE_PROFILE"):
        template["IamInstanceProfile"] = {"Name": given("INSTANCE_PROFILE")}
    farm.clients.ec2.create_launch_template(LaunchTemplateName=farm.template, LaunchTemplateData=template)


def _take_down(farm: AccountFarm) -> None:
    """Delete all, again and again until nothing is left; fail if that does not come about, and say what is left."""
    deadline = time.monotonic() + GONE_WITHIN
    _delete(farm)
    while left := _left(farm):
        assert time.monotonic() < deadline, f"delete these by hand, they are all of farm {farm.name}: {left}"
        time.sleep(2)
        _delete(farm)


def _delete(farm: AccountFarm) -> None:
    """Delete each part, whatever becomes of the others: it may never have been made, or be gone already."""
    dynamodb, sqs, ec2 = farm.clients.dynamodb, farm.clients.sqs, farm.clients.ec2
    steps: list[Callable[[], object]] = [
        lambda: ec2.terminate_instances(InstanceIds=farm.instances()),
        lambda: ec2.delete_launch_template(LaunchTemplateName=farm.template),
        *(
            partial(dynamodb.delete_table, TableName=table)
            for table in (jobs_table(farm.name), ledger_table(farm.name))
        ),
        *(partial(_delete_queue, sqs, queue) for queue in (new_jobs_queue(farm.name), changes_queue(farm.name))),
        lambda: _delete_bucket(farm.clients.s3(), farm.bucket),
    ]
    for step in steps:
        with suppress(ClientError, BotoCoreError):
            step()


def _delete_queue(sqs: "SQSClient", queue: str) -> None:
    for name in (queue, dead_letters(queue)):
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def _delete_bucket(s3: "S3Client", bucket: str) -> None:
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for each in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=each["Key"])
    s3.delete_bucket(Bucket=bucket)


def _left(farm: AccountFarm) -> list[str]:
    """What there still is of the farm, by its tag or its name."""
    dynamodb, sqs, ec2, s3 = farm.clients.dynamodb, farm.clients.sqs, farm.clients.ec2, farm.clients.s3()
    ours = f"nommerctl-{farm.name}"
    templates = ec2.describe_launch_templates(Filters=[{"Name": "launch-template-name", "Values": [ours]}])
    tables = (name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"])
    return [
        *farm.instances(),
        *(template["LaunchTemplateName"] for template in templates["LaunchTemplates"]),
        *(name for name in tables if name.startswith(ours)),
        *sqs.list_queues(QueueNamePrefix=ours).get("QueueUrls", []),
        *(bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"] == farm.bucket),
    ]
