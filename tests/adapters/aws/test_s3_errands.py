"""What S3 refuses, as one sentence about the object: the kinds that are hard to provoke."""

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from nommerctl.adapters.aws.s3_errands import READ, WRITTEN, Errand
from nommerctl.errors import (
    NommerctlError,
    PermissionDeniedError,
    TransferError,
    TransferInterruptedError,
    TryAgainError,
    UnreachableError,
)
from nommerctl.errors import UsageError as Usage

URI = "s3://films/a.mp4"


def said(code: str, status: int = 400) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "HostId": "", "RequestId": "", "RetryAttempts": 0}
    response: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": metadata}
    return ClientError(response, "PutObject")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("EntityTooLarge", "it is larger than S3 takes"),
        ("NoSuchUpload", "others ended its upload: a worker that took the job over, or a rule of the bucket"),
        ("KMS.DisabledException", "the key that encrypts it cannot be used (KMS.DisabledException)"),
        (
            "IllegalLocationConstraintException",
            "its bucket is in another region, which does not answer to this one",
        ),
        (
            "AccessDenied",
            "AWS refuses s3:PutObject: it must be allowed to these credentials, by the policy of the bucket too",
        ),
    ],
)
def test_at_work_a_refusal_is_a_failed_transfer_with_its_reason(code: str, why: str) -> None:
    refused = Errand(URI, WRITTEN, TransferError).refusal(said(code), "s3:PutObject")
    assert type(refused) is TransferError
    assert str(refused) == f"'{URI}' cannot be written: {why}"


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (
            said("SlowDown", 503),
            TryAgainError,
            "AWS throttles s3:GetObject on '{}' (SlowDown): the next run tries again",
        ),
        (said("InternalError", 500), UnreachableError, "AWS failed at s3:GetObject on '{}' (InternalError)"),
        (
            said("InvalidAccessKeyId", 403),
            PermissionDeniedError,
            "AWS refuses s3:GetObject on '{}': the credentials are not valid (InvalidAccessKeyId)",
        ),
        (
            ReadTimeoutError(endpoint_url="https://s3"),
            UnreachableError,
            "AWS cannot be reached for s3:GetObject on '{}': Read timeout on endpoint URL: \"https://s3\"",
        ),
        (said("NoSuchBucket", 404), Usage, "'{}' cannot be read: there is no bucket 'films'"),
    ],
)
def test_at_a_check_what_is_no_fault_of_the_object_keeps_its_kind(
    error: ClientError, kind: type[NommerctlError], sentence: str
) -> None:
    refused = Errand(URI, READ, Usage).refusal(error, "s3:GetObject")
    assert type(refused) is kind
    assert str(refused) == sentence.format(URI)


def test_at_work_that_is_a_failed_transfer_too() -> None:
    refused = Errand(URI, READ, TransferError).refusal(said("InvalidAccessKeyId", 403), "s3:GetObject")
    assert type(refused) is TransferError
    assert str(refused) == f"AWS refuses s3:GetObject on '{URI}': the credentials are not valid (InvalidAccessKeyId)"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (said("SlowDown", 503), "'{}' cannot be read: S3 asks to slow down (SlowDown)"),
        (said("503", 503), "'{}' cannot be read: S3 asks to slow down (503)"),
        (said("InternalError", 500), "AWS failed at s3:GetObject on '{}' (InternalError)"),
        (said("502", 502), "AWS failed at s3:GetObject on '{}' (502)"),
        (said("KMS.InternalException", 500), "AWS failed at s3:GetObject on '{}' (KMS.InternalException)"),
        (said("RequestTimeout"), "AWS answered s3:GetObject on '{}' with RequestTimeout: no"),
        (
            ReadTimeoutError(endpoint_url="https://s3"),
            "AWS cannot be reached for s3:GetObject on '{}': Read timeout on endpoint URL: \"https://s3\"",
        ),
        (
            EndpointConnectionError(endpoint_url="https://s3"),
            "AWS cannot be reached for s3:GetObject on '{}': Could not connect to the endpoint URL: \"https://s3\"",
        ),
    ],
)
def test_at_work_trouble_that_will_pass_is_an_interruption(error: ClientError | BotoCoreError, sentence: str) -> None:
    refused = Errand(URI, READ, TransferError).refusal(error, "s3:GetObject")
    assert type(refused) is TransferInterruptedError
    assert str(refused) == sentence.format(URI)


@pytest.mark.parametrize(
    "error",
    [
        said("AccessDenied", 403),
        said("NoSuchBucket", 404),
        said("NoSuchKey", 404),
        said("ExpiredToken"),
        said("NotImplemented", 501),
        NoCredentialsError(),
    ],
)
def test_what_will_not_pass_by_itself_is_none(error: ClientError | BotoCoreError) -> None:
    assert type(Errand(URI, READ, TransferError).refusal(error, "s3:GetObject")) is TransferError
