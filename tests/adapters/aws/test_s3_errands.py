"""What S3 refuses, as one sentence about the object: the kinds that are hard to provoke."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from nommerctl.adapters.aws.s3_errands import READ, WRITTEN, Errand
from nommerctl.errors import NommerctlError, PermissionDeniedError, TransferError, TryAgainError, UnreachableError
from nommerctl.errors import UsageError as Usage

URI = "s3://films/a.mp4"


def said(code: str, status: int = 400) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "HostId": "", "RequestId": "", "RetryAttempts": 0}
    response: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": metadata}
    return ClientError(response, "PutObject")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("SlowDown", "S3 asks to slow down (SlowDown): retry the job later"),
        ("503", "S3 asks to slow down (503): retry the job later"),
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
    refused = Errand(URI, READ, TransferError).refusal(said("InternalError", 500), "s3:GetObject")
    assert type(refused) is TransferError
    assert str(refused) == f"AWS failed at s3:GetObject on '{URI}' (InternalError)"
