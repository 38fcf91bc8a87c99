"""Outputs of a job that was taken over: whatever an earlier turn still does, it places nothing any more."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.awsrequest import AWSPreparedRequest

from nommerctl.adapters.aws.clients import Clients
from nommerctl.errors import LeaseLostError, TransferError
from tests.adapters.aws.buckets import Bucket, at_first, clients_of, encode, made, permit, refusal
from tests.adapters.local.folders import names
from tests.aws_servers import CREDENTIALS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clients(moto_url: str) -> Iterator[Clients]:
    clients = clients_of(moto_url)
    yield clients
    clients.close()


@pytest.fixture
def bucket(clients: Clients, tmp_path: Path) -> Iterator[Bucket]:
    with made(clients, tmp_path / "scratch") as bucket:
        yield bucket


class StopError(Exception):
    """Stops an output where it is, its upload unfinished."""


def place_while(bucket: Bucket, dest: str, tag: str, meanwhile: Callable[[], None]) -> None:
    """Upload an output, do something when all of it is uploaded, and do not place it."""

    def stop() -> None:
        meanwhile()
        raise StopError

    with bucket.storage.output(dest, tag) as output:
        encode(output, b"not to be placed")
        with pytest.raises(StopError):
            output.place(stop)


def succeed(bucket: Bucket, dest: str, tag: str = "job-10-lease") -> None:
    with bucket.storage.output(dest, tag) as output:
        encode(output, b"of the successor")
        output.place(permit)


@pytest.mark.parametrize(
    ("operation", "steps_before"),
    [("CreateMultipartUpload", 0), ("UploadPart", 0), ("UploadPart", 1), ("CompleteMultipartUpload", 0)],
)
def test_a_turn_that_is_succeeded_at_any_step_places_nothing(bucket: Bucket, operation: str, steps_before: int) -> None:
    # given a turn that is stopped before a step, and goes on when its successor has placed its own output
    dest = bucket.put("a.mp4", b"old")
    succeeded: list[bool] = []
    steps = iter([False] * steps_before + [True])

    def be_succeeded(_: AWSPreparedRequest) -> None:
        if next(steps, False):
            succeeded.append(True)
            succeed(bucket, dest)

    def permit_unless_succeeded() -> None:
        if succeeded:
            msg = "the job is another worker's now"
            raise LeaseLostError(msg)

    # when
    with bucket.storage.output(dest, "job-9-lease") as output:
        encode(output)
        with bucket.answering(operation, be_succeeded), pytest.raises((LeaseLostError, TransferError)):
            output.place(permit_unless_succeeded)
    # then
    assert succeeded
    assert (bucket.content("a.mp4"), bucket.left_behind()) == (b"of the successor", [])


def test_an_attempt_ends_what_earlier_ones_still_upload(bucket: Bucket) -> None:
    dest = bucket.uri("a.mp4")
    left: list[str] = []

    def look_when_succeeded() -> None:
        with bucket.storage.output(dest, "job-10-lease"):
            left.extend(bucket.left_behind())

    place_while(bucket, dest, "job-9-lease", look_when_succeeded)
    assert left == [".nommerctl-job-10-lease.part"]
    assert bucket.left_behind() == []


def test_an_attempt_that_comes_late_leaves_alone_what_its_successor_uploads(bucket: Bucket) -> None:
    dest = bucket.uri("a.mp4")

    def come_late() -> None:
        with bucket.storage.output(dest, "job-9-lease"):
            pass

    with bucket.storage.output(dest, "job-10-lease") as successor:
        encode(successor)
        successor.place(come_late)
    assert bucket.content("a.mp4") == b"encoded"


def test_what_another_job_uploads_to_the_same_place_is_left_alone(bucket: Bucket) -> None:
    dest = bucket.uri("a.mp4")
    with bucket.storage.output(dest, "job-1") as output:
        encode(output)
        output.place(lambda: succeed(bucket, dest, "other-2"))
    assert bucket.content("a.mp4") == b"encoded"


def test_what_others_upload_by_other_means_is_left_alone(bucket: Bucket) -> None:
    theirs = bucket.s3.create_multipart_upload(Bucket=bucket.name, Key="a.mp4")["UploadId"]
    bucket.s3.upload_part(Bucket=bucket.name, Key="a.mp4", UploadId=theirs, PartNumber=1, Body=b"theirs")
    succeed(bucket, bucket.uri("a.mp4"))
    assert bucket.unfinished() == ["a.mp4"]


def test_what_the_job_uploads_to_a_place_whose_name_only_begins_so_is_left_alone(bucket: Bucket) -> None:
    with bucket.storage.output(bucket.uri("a.mp4.mp4"), "job-1") as output:
        encode(output)
        output.place(lambda: succeed(bucket, bucket.uri("a.mp4")))
    assert bucket.keys() == ["a.mp4", "a.mp4.mp4"]


def test_an_upload_that_is_over_meanwhile_does_not_trouble_its_successor(bucket: Bucket) -> None:
    dest = bucket.uri("a.mp4")
    over = refusal(404, "NoSuchUpload")

    def be_succeeded() -> None:
        with bucket.answering("ListParts", at_first(over)):
            succeed(bucket, dest)

    place_while(bucket, dest, "job-9-lease", be_succeeded)
    assert bucket.content("a.mp4") == b"of the successor"


def test_an_attempt_that_cannot_end_what_earlier_ones_upload_does_not_begin(bucket: Bucket) -> None:
    dest = bucket.uri("a.mp4")

    def be_succeeded() -> None:
        denied = refusal(403, "AccessDenied", "Access Denied")
        with bucket.answering("ListParts", denied), pytest.raises(TransferError, match="s3:ListMultipartUploadParts"):
            succeed(bucket, dest)
        with bucket.answering("AbortMultipartUpload", denied), pytest.raises(TransferError, match="s3:Abort"):
            succeed(bucket, dest)

    place_while(bucket, dest, "job-9-lease", be_succeeded)


def test_what_earlier_attempts_left_on_this_machine_is_removed(bucket: Bucket) -> None:
    bucket.scratch.mkdir()
    for name in ("job-9-lease", "job-11-lease", "other-1-lease"):
        (bucket.scratch / f".nommerctl-{name}.part").touch()
    with bucket.storage.output(bucket.uri("a.mp4"), "job-10-lease") as output:
        encode(output)
    assert names(bucket.scratch) == [".nommerctl-job-11-lease.part", ".nommerctl-other-1-lease.part"]


KILLED = """
import sys, time
from pathlib import Path
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.s3 import S3Storage

def wait():
    print("uploaded", flush=True)
    time.sleep(60)

with S3Storage(Clients(), Path(sys.argv[2])).output(sys.argv[1], "job-1") as output:
    output.path.write_bytes(b"half")
    output.place(wait)
"""


def test_what_a_killed_worker_left_is_removed_by_the_next_attempt(bucket: Bucket, moto_url: str) -> None:
    dest = bucket.put("a.mp4", b"old")
    command = [sys.executable, "-c", KILLED, dest, str(bucket.scratch)]
    environment = os.environ | CREDENTIALS | {"AWS_ENDPOINT_URL": moto_url}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        worker.send_signal(signal.SIGKILL)
    assert bucket.left_behind() == ["a.mp4", ".nommerctl-job-1.part"]
    assert bucket.content("a.mp4") == b"old"
    succeed(bucket, dest, "job-2")
    assert (bucket.content("a.mp4"), bucket.left_behind()) == (b"of the successor", [])
