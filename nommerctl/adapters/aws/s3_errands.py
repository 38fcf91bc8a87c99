"""What S3 is asked to do with one object, and what it refuses, as a sentence about that object."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as NoConnectionError

from nommerctl.adapters.aws.errors import code_of, message_of, status_of, translated
from nommerctl.domain.s3_uris import S3Place, s3_place
from nommerctl.domain.text import shown
from nommerctl.errors import NommerctlError, TransferError, TransferInterruptedError, TryAgainError

READ, WRITTEN = "read", "written"

DENIED = frozenset({"403", "AccessDenied", "AllAccessDisabled"})
NO_SUCH_KEY = frozenset({"404", "NoSuchKey"})

_ELSEWHERE = frozenset(
    {
        "301",
        "307",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "PermanentRedirect",
        "TemporaryRedirect",
    }
)
"""What S3 answers for a bucket of another region, where botocore could not find the way there."""

_BUSY = frozenset({"503", "RequestLimitExceeded", "ServiceUnavailable", "SlowDown", "ThrottlingException"})

_TOO_SLOW = "RequestTimeout"
"""What S3 answers, with 400, where it got no more of a request."""

_SERVER_ERROR, _NOT_IMPLEMENTED = 500, 501

_REASONS = {
    "EntityTooLarge": "it is larger than S3 takes",
    "InvalidObjectState": "it is archived: restore it first",
    "NoSuchUpload": "others ended its upload: a worker that took the job over, or a rule of the bucket",
    "PreconditionFailed": "it changed while it was fetched: submit it again when it is complete",
}

_NAMED_ACTION = re.compile(r"not authorized to perform: ([A-Za-z0-9-]+:[A-Za-z0-9]+)")
"""S3 says of some refusals which permission is missing: that of a key of KMS may be meant."""


class Errand(NamedTuple):
    """What is to be done: `uri` is to be READ or WRITTEN. `kind` is the error that a refusal is.

    Where that is a UsageError, what is wrong with the account or the way to it keeps the kind that it has elsewhere.
    """

    uri: str
    to_be: str
    kind: type[NommerctlError]

    @property
    def place(self) -> S3Place:
        """Bucket and key."""
        return s3_place(self.uri)

    def failure(self, reason: str) -> NommerctlError:
        """Return the error for a reason that was found otherwise."""
        return self.kind(f"'{shown(self.uri)}' cannot be {self.to_be}: {reason}")

    def interruption(self, reason: str) -> NommerctlError:
        """Return the error for a reason that will pass, at work."""
        return TransferInterruptedError(f"'{shown(self.uri)}' cannot be {self.to_be}: {reason}")

    @contextmanager
    def asking(self, action: str) -> Iterator[None]:
        """Translate what a call raises in here; `action` is its name in IAM."""
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise self.refusal(error, action) from error

    def refusal(self, error: ClientError | BotoCoreError, action: str) -> NommerctlError:
        """Return the project's error for one of botocore's."""
        general = translated(error, action, f"'{shown(self.uri)}'")
        passes = self.kind is TransferError and (isinstance(general, TryAgainError) or _will_pass(error))
        if isinstance(error, ClientError):
            if passes and code_of(error) in _BUSY:
                return self.interruption(f"S3 asks to slow down ({code_of(error)})")
            if not passes and (reason := self._reason(error, action)) is not None:
                return self.failure(reason)
        if self.kind is not TransferError:
            return general
        return TransferInterruptedError(str(general)) if passes else TransferError(str(general))

    def _reason(self, error: ClientError, action: str) -> str | None:
        """Return S3's reason in our words, None where it has nothing to do with this object."""
        code = code_of(error)
        found = (
            (code == "NoSuchBucket", f"there is no bucket '{self.place.bucket}'"),
            (code in NO_SUCH_KEY, "there is no such object"),
            (code in DENIED, self._denied(error, action)),
            (code in _ELSEWHERE, f"its bucket is in another region{_region(error)}, which does not answer to this one"),
            (code.startswith("KMS."), f"the key that encrypts it cannot be used ({code})"),
            (code in _REASONS, _REASONS.get(code)),
        )
        return next((reason for applies, reason in found if applies), None)

    def _denied(self, error: ClientError, action: str) -> str:
        named = _NAMED_ACTION.search(message_of(error))
        missing = named[1] if named else action
        if self.to_be == READ and missing == action:
            return (
                f"AWS refuses {action}: these credentials lack the permission, or there is no such object (which S3 "
                "says only to who has s3:ListBucket)"
            )
        return f"AWS refuses {missing}: it must be allowed to these credentials, by the policy of the bucket too"


def _will_pass(error: ClientError | BotoCoreError) -> bool:
    """Whether it is trouble of S3 or of the way to it, whatever is asked; botocore has tried it again by then."""
    if isinstance(error, ClientError):
        status = status_of(error)
        return code_of(error) in _BUSY | {_TOO_SLOW} or (status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED)
    return isinstance(error, HTTPClientError | NoConnectionError | IncompleteReadError)


def _region(error: ClientError) -> str:
    metadata = error.response.get("ResponseMetadata", {})
    headers: dict[str, str] = dict(metadata.get("HTTPHeaders", {}))
    region = headers.get("x-amz-bucket-region", "")
    return f" ({shown(region)})" if region else ""
