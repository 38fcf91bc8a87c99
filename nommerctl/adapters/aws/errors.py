"""What AWS and the way to it refuse, as the project's own errors: translated once, here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
)
from botocore.parsers import ResponseParserError

from nommerctl.domain.text import shown
from nommerctl.errors import NommerctlError, PermissionDeniedError, SettingsError, TryAgainError, UnreachableError

_DENIED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AccessFailure",
        "AllAccessDisabled",
        "AuthorizationError",
        "AuthorizationFailure",
        "UnauthorizedOperation",
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_INVALID_CREDENTIALS = frozenset(
    {
        "AuthMissingFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_OR_SKEWED = {"AuthFailure": "are not valid", "RequestExpired": "have expired"}
"""What EC2 answers to credentials of which that is true, and to a clock that is off as well."""

_SKEWED = ("RequestTimeTooSkewed", "RequestInTheFuture")
_SKEW_WORDS = ("signature expired", "signature not yet current", "request time too skewed")
_THROTTLED = frozenset(
    {
        "503",  # S3 asks to slow down so where an answer has no body
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_MISSING = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "NoSuchBucket",
        "NoSuchDomain",
    }
)
_BUSY = "ServiceUnavailable"
"""By which SimpleDB says that it is asked too much (Developer Guide, "API Error Codes")."""

_SERVER_ERROR = 500

_NONSENSE = (ResponseParserError, UnicodeDecodeError, KeyError)
"""What an answer raises that is none of AWS's: botocore where it reads it, and we where we take from it."""


def code_of(error: ClientError) -> str:
    """Return AWS's word for what is wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """Return AWS's sentence about it."""
    return str(error.response.get("Error", {}).get("Message", ""))


def status_of(error: ClientError) -> int:
    """Return the HTTP status of the answer, 0 if it is not known."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def calling(action: str, what: str) -> Iterator[None]:
    """Translate what a call raises in here, and a KeyError from its answer, as a lack of what must be in it.

    `action` is its name in IAM, such as `sqs:SendMessage`; `what` is what it is about, as a sentence names it, such as
    `queue 'x'`.

    Raises:
        PermissionDeniedError: the credentials lack the permission, are not valid (any more), or none are found.
        SettingsError: what it is about is not there, or no region is named.
        TryAgainError: AWS throttles.
        UnreachableError: AWS cannot be reached, fails, or answers what nobody expects.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translated(error, action, what) from error
    except _NONSENSE as error:
        why = f"it lacks {shown(str(error))}" if isinstance(error, KeyError) else "it cannot be read"
        msg = (
            f"what came in answer to {action} on {what} is not what AWS answers ({why}): see what stands in between, a"
            " proxy or the endpoint that AWS_ENDPOINT_URL names"
        )
        raise UnreachableError(msg) from error


def translated(error: ClientError | BotoCoreError, action: str, what: str) -> NommerctlError:
    """Return the project's error for one of botocore's; see `calling`."""
    if isinstance(error, ClientError):
        return _answered(error, action, what)
    return _unanswered(error, action, what)


def _answered(error: ClientError, action: str, what: str) -> NommerctlError:
    kind, sentence = _judged(error, action, what)
    return kind(sentence)


def _judged(error: ClientError, action: str, what: str) -> tuple[type[NommerctlError], str]:
    code, said, refused = code_of(error), shown(message_of(error)), f"AWS refuses {action} on {what}"
    skewed = code in _SKEWED or any(words in said.lower() for words in _SKEW_WORDS)
    missing = code in _MISSING or code.endswith((".NotFound", ".NotFoundException", ".Malformed"))
    failed = status_of(error) >= _SERVER_ERROR
    busy = code in _THROTTLED or (code == _BUSY and action.startswith("sdb:"))
    off = f"the clock of this machine is off{_their_time(error)}"
    unsure = f"{refused}: the credentials {_OR_SKEWED.get(code)}, or {off} ({code})"
    found: tuple[tuple[bool, type[NommerctlError], str], ...] = (
        (skewed, PermissionDeniedError, f"{refused}: {off}: set it"),
        (code in _OR_SKEWED, PermissionDeniedError, unsure),
        (code in _EXPIRED, PermissionDeniedError, f"{refused}: the credentials have expired: renew them"),
        (code in _INVALID_CREDENTIALS, PermissionDeniedError, f"{refused}: the credentials are not valid ({code})"),
        (code in _DENIED, PermissionDeniedError, f"{refused}: the credentials lack the permission for it"),
        (
            missing,
            SettingsError,
            f"{what} is not there in this account and region ({action}: {code}){_remedy(action, what)}",
        ),
        (busy, TryAgainError, f"AWS throttles {action} on {what} ({code}): the next run tries again"),
        (failed, UnreachableError, f"AWS failed at {action} on {what} ({code})"),
        (True, UnreachableError, f"AWS answered {action} on {what} with {code}: {said}"),
    )
    return next((kind, sentence) for applies, kind, sentence in found if applies)


def _remedy(action: str, what: str) -> str:
    """What to do where a table, a queue or a domain is not there: the farm's own, or one that the settings name."""
    ours = "'nommerctl-" in what
    if action.startswith(("dynamodb:", "sqs:")) and ours:
        return ": run 'nommerctl aws bootstrap', or put farm.name or aws.region right"
    if action.startswith("sqs:"):
        return ": put simpledb.new_jobs_queue, simpledb.changes_queue or aws.region right"
    if action.startswith("sdb:") and ours:
        return ": put farm.name or aws.region right"
    if action.startswith("sdb:"):
        return ": put simpledb.job_domain, simpledb.heartbeat_domain or aws.region right"
    return ""


def _their_time(error: ClientError) -> str:
    headers: dict[str, Any] = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    date = headers.get("date")
    return f" (AWS says that it is {shown(str(date))})" if date else ""


def _unanswered(error: BotoCoreError, action: str, what: str) -> NommerctlError:
    match error:
        case NoRegionError():
            return SettingsError("no AWS region is named: set aws.region, or AWS_REGION")
        case ProfileNotFound() | ConfigNotFound():
            return SettingsError(f"aws.profile: {shown(str(error))}")
        case ConfigParseError():
            return SettingsError(f"the settings of AWS's own tools cannot be read: {shown(str(error))}")
        case NoCredentialsError():
            return PermissionDeniedError(
                f"no AWS credentials are found for {action}: set aws.profile or AWS_PROFILE, or run 'aws configure'"
            )
        case PartialCredentialsError() | CredentialRetrievalError() | SSOError():
            return PermissionDeniedError(f"the AWS credentials cannot be used for {action}: {shown(str(error))}")
        case _:
            return UnreachableError(f"AWS cannot be reached for {action} on {what}: {shown(str(error))}")
