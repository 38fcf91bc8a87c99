"""Buckets of a moto server, and what a test makes S3 answer instead of it."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.s3 import S3Storage
from nommerctl.ports import Output, Storage
from tests.aws_servers import CREDENTIALS

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

Reply: TypeAlias = Callable[[AWSPreparedRequest], AWSResponse]
"""What is answered instead of S3."""

Answer: TypeAlias = Callable[[AWSPreparedRequest], AWSResponse | None]
"""The same; None sends the request after all."""

_NUMBERS = count(1)


def clients_of(url: str) -> Clients:
    """Return clients of a server, whatever the environment of the test that uses them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": url}).items():
            patch.setenv(name, value)
        clients = Clients()
        clients.s3()
    return clients


@dataclass
class Bucket:
    """A bucket of its own for each test. `asked` are the operations since it was made."""

    clients: Clients
    scratch: Path
    name: str = field(default_factory=lambda: f"films-{next(_NUMBERS)}")
    asked: list[str] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def s3(self) -> "S3Client":
        return self.clients.s3()

    @property
    def storage(self) -> Storage:
        return S3Storage(self.clients, self.scratch)

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def put(self, key: str, content: bytes = b"film") -> str:
        self.s3.put_object(Bucket=self.name, Key=key, Body=content)
        return self.uri(key)

    def content(self, key: str) -> bytes:
        with self.s3.get_object(Bucket=self.name, Key=key)["Body"] as body:
            return body.read()

    def keys(self) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def unfinished(self) -> list[str]:
        found = self.s3.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return [upload["Key"] for upload in found]

    def left_behind(self) -> list[str]:
        """What is neither an object nor was there before: unfinished uploads and local files."""
        files = [path.name for path in self.scratch.iterdir()] if self.scratch.exists() else []
        return self.unfinished() + files

    @contextmanager
    def answering(self, operation: str, answer: Answer) -> Iterator[None]:
        """Have requests for an operation answered by the test."""
        self.answers[operation] = answer
        try:
            yield
        finally:
            del self.answers[operation]

    def reply(self, request: AWSPreparedRequest, event_name: str, **_: object) -> Any:  # noqa: ANN401 - as stubs have it
        operation = event_name.rpartition(".")[2]
        self.asked.append(operation)
        answered = self.answers[operation](request) if operation in self.answers else None
        if answered is None and operation == "CompleteMultipartUpload":
            return _completed(request)
        return answered


@contextmanager
def made(clients: Clients, scratch: Path) -> Iterator[Bucket]:
    """Make a bucket whose requests a test can see and answer."""
    bucket = Bucket(clients, scratch)
    bucket.s3.create_bucket(Bucket=bucket.name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    events = bucket.s3.meta.events
    events.register("before-send.s3", bucket.reply)
    try:
        yield bucket
    finally:
        events.unregister("before-send.s3", bucket.reply)


def _completed(request: AWSPreparedRequest) -> AWSResponse:
    """What S3 answers: moto fails where the upload is over, instead of saying so."""
    answered = URLLib3Session().send(request)
    return refusal(404, "NoSuchUpload")(request) if answered.status_code == 500 else answered


def encode(output: Output, content: bytes = b"encoded") -> None:
    output.path.write_bytes(content)


def permit() -> None:
    """The lease is still held."""


# --- answers ---------------------------------------------------------------------------------------------------------


def refusal(status: int, code: str, message: str = "no", **headers: str) -> Reply:
    """S3's answer to what it refuses; to a HEAD it has no body."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return answer(status, body, **headers)


def answer(status: int, body: bytes, **headers: str) -> Reply:
    """An answer; `x_amz_bucket_region='x'` is a header of it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def answered(request: AWSPreparedRequest) -> AWSResponse:
        raw = HTTPResponse(io.BytesIO(b"" if request.method == "HEAD" else body), named, preload_content=False)
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(named), raw)

    return answered


def at_first(*answers: Answer) -> Answer:
    """Give these answers to the first requests, and let the others through."""
    left = list(answers)
    return lambda request: left.pop(0)(request) if left else None


def effect_without_reply(error: Exception) -> Reply:
    """The request does what it should, and the connection breaks off before the answer."""

    def lost(request: AWSPreparedRequest) -> AWSResponse:
        URLLib3Session().send(request)
        raise error

    return lost
