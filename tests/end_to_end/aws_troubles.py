"""What AWS answers on bad days, in the words of each service, and what a user is told then."""

from typing import NamedTuple

from tests.answering import Answer
from tests.cli import Result
from tests.cloud import Call, Cut, Fault, Reach, refusal


class Words(NamedTuple):
    """The code and the status by which a service says it."""

    code: str
    status: int = 400


def said(words: dict[str, Words], message: str = "refused by the test") -> dict[str, Answer]:
    """Return the answer of each service."""
    return {service: refusal(service, each.code, each.status, message) for service, each in words.items()}


THROTTLED = said(
    {
        "dynamodb": Words("ThrottlingException"),
        "sqs": Words("ThrottlingException"),
        "ec2": Words("RequestLimitExceeded", 503),
        "s3": Words("SlowDown", 503),
    }
)
BROKEN = said(
    {
        "dynamodb": Words("InternalServerError", 500),
        "sqs": Words("InternalFailure", 500),
        "ec2": Words("InternalError", 500),
        "s3": Words("InternalError", 500),
    }
)
DENIED = said(
    {
        "dynamodb": Words("AccessDeniedException"),
        "sqs": Words("AccessDeniedException"),
        "ec2": Words("UnauthorizedOperation", 403),
        "s3": Words("AccessDenied", 403),
    }
)
SKEWED = said(
    {
        "dynamodb": Words("InvalidSignatureException"),
        "sqs": Words("InvalidSignatureException"),
        "ec2": Words("AuthFailure", 401),
        "s3": Words("RequestTimeTooSkewed", 403),
    },
    "Signature expired: 20260101T080000Z is now earlier than 20260101T080500Z (20260101T081000Z - 5 min.)",
)
EXPIRED = said(
    {
        "dynamodb": Words("ExpiredTokenException"),
        "sqs": Words("ExpiredTokenException"),
        "ec2": Words("RequestExpired"),
        "s3": Words("ExpiredToken"),
    }
)


class Kind(NamedTuple):
    """A kind of bad day, and how commands exit on it."""

    fault: Fault
    reach: Reach
    code: int


KINDS = {
    "throttled": Kind(THROTTLED, Reach.OPERATION, 75),
    "broken": Kind(BROKEN, Reach.OPERATION, 69),
    "denied": Kind(DENIED, Reach.OPERATION, 77),
    "expired": Kind(EXPIRED, Reach.ALL, 77),
    "skewed": Kind(SKEWED, Reach.ALL, 77),
    "unreachable": Kind(Cut.BEFORE, Reach.ALL, 69),
}

_IN_IAM = {
    Call("sqs", "ChangeMessageVisibilityBatch"): ["sqs:ChangeMessageVisibility"],
    Call("sqs", "DeleteMessageBatch"): ["sqs:DeleteMessage"],
    Call("sqs", "SendMessageBatch"): ["sqs:SendMessage"],
    Call("dynamodb", "TransactWriteItems"): ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
    Call("s3", "HEAD"): ["s3:GetObject"],
    Call("s3", "GET"): ["s3:GetObject"],
    Call("s3", "GET uploads"): ["s3:ListBucketMultipartUploads"],
}


def assert_complained(result: Result, code: int, *calls: Call) -> None:
    """Fail unless the command exited so, with one sentence that names what one of the calls is in IAM."""
    assert result.code == code, result
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("nommerctl: "), sentence
    actions = [action for call in calls for action in _IN_IAM.get(call, [f"{call.service}:{call.operation}"])]
    assert any(action in sentence for action in actions), (actions, sentence)
