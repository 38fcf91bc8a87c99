"""What requests need to be allowed, and what policies allow: IAM, as far as our policies go.

Sources: the service authorization reference (which action each request needs, and on what) and IAM's user guide on how
policies are evaluated. Only what our policies use of it is here; anything else in them is an error.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from tests.aws_servers import REGION
from tests.cloud import Request

Policy: TypeAlias = Mapping[str, Any]

ANY = ""
"""A resource that is not known from the request: what a policy names is taken to be right."""

ACCOUNT = "(?:[0-9]{12})"


class Need(NamedTuple):
    """An action on a resource, and what is known of the circumstances."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def needs(requests: Iterable[Request]) -> set[Need]:
    """Return all that requests need to be allowed."""
    return {need for request in requests for need in _OF[request.call.service](request)}


def allowed(policy: Policy, need: Need) -> bool:
    """Whether a policy allows something. No policy of ours denies anything."""
    return any(_grants(statement, need) for statement in policy["Statement"])


def granted(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield each action that a policy grants, after the name of its statement."""
    for statement in policy["Statement"]:
        for action in _listed(statement["Action"]):
            yield statement["Sid"], action


def used(policy: Policy, sid: str, action: str, needed: Iterable[Need]) -> bool:
    """Whether anything needs what a statement grants by an action."""
    (statement,) = (each for each in policy["Statement"] if each["Sid"] == sid)
    return any(need.action == action and _grants({**statement, "Action": action}, need) for need in needed)


def _grants(statement: Mapping[str, Any], need: Need) -> bool:
    assert statement["Effect"] == "Allow"
    return (
        need.action in _listed(statement["Action"])
        and any(_is_resource(pattern, need.resource) for pattern in _listed(statement["Resource"]))
        and all(
            _holds(operator, key, values, dict(need.context))
            for operator, condition in statement.get("Condition", {}).items()
            for key, values in condition.items()
        )
    )


def _is_resource(pattern: str, resource: str) -> bool:
    return resource == ANY or fnmatchcase(resource, pattern)


def _holds(operator: str, key: str, values: str | Sequence[str], context: Mapping[str, str]) -> bool:
    """Whether a condition holds. What cannot be known from a request is taken to hold."""
    if key not in context:
        assert key in _NOT_KNOWN or key.startswith(("ec2:ResourceTag/", "aws:ResourceTag/")), key
        return True
    assert operator in {"StringEquals", "StringLike", "ForAllValues:StringEquals", "ArnLike"}, operator
    return any(fnmatchcase(context[key], value) for value in _listed(values))


_NOT_KNOWN = frozenset(
    {
        "aws:ResourceAccount",
        "aws:SourceVpc",
        "aws:TagKeys",
        "ec2:CreateAction",
        "ec2:SourceInstanceARN",
        "iam:AWSServiceName",
        "iam:PassedToService",
        "s3:prefix",
    }
)


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


# --- what each service's requests need ---


def _dynamodb(request: Request) -> Iterator[Need]:
    asked = json.loads(request.body)
    table = f"arn:aws:dynamodb:{REGION}:*:table/"
    match request.call.operation:
        case "TransactWriteItems":
            for item in asked["TransactItems"]:
                ((kind, what),) = item.items()
                yield Need(f"dynamodb:{kind}Item", table + what["TableName"])
        case "BatchGetItem":
            for name in asked["RequestItems"]:
                yield Need("dynamodb:BatchGetItem", table + name)
        case "Query" if "IndexName" in asked:
            yield Need("dynamodb:Query", f"{table}{asked['TableName']}/index/{asked['IndexName']}")
        case "CreateTable":
            yield Need("dynamodb:CreateTable", table + asked["TableName"])
            yield Need("dynamodb:TagResource", table + asked["TableName"])
        case "ListTables":
            yield Need("dynamodb:ListTables", "*")
        case operation:
            arn = asked.get("ResourceArn")
            yield Need(f"dynamodb:{_DYNAMODB.get(operation, operation)}", arn or table + asked["TableName"])


_DYNAMODB = {"UpdateTimeToLive": "UpdateTimeToLive", "ListTagsOfResource": "ListTagsOfResource"}


def _sqs(request: Request) -> Iterator[Need]:
    asked = json.loads(request.body)
    operation = request.call.operation.removesuffix("Batch")
    if operation == "ListQueues":
        yield Need("sqs:ListQueues", "*")
        return
    name = asked.get("QueueName") or asked["QueueUrl"].rpartition("/")[2]
    yield Need(f"sqs:{operation}", f"arn:aws:sqs:{REGION}:*:{name}")
    if operation == "CreateQueue" and asked.get("tags"):
        yield Need("sqs:TagQueue", f"arn:aws:sqs:{REGION}:*:{name}")


def _s3(request: Request) -> Iterator[Need]:
    parts = urlsplit(request.path)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query, keep_blank_values=True)
    if key:
        yield Need(f"s3:{_of_object(request.method, query)}", f"arn:aws:s3:::{bucket}/{key}")
        return
    yield Need(f"s3:{_of_bucket(request.method, query)}", f"arn:aws:s3:::{bucket}" if bucket else "*")


def _of_object(method: str, query: Mapping[str, Any]) -> str:
    if "uploadId" in query and method in {"GET", "DELETE"}:
        return {"GET": "ListMultipartUploadParts", "DELETE": "AbortMultipartUpload"}[method]
    if method == "DELETE" and "versionId" in query:
        return "DeleteObjectVersion"
    return {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject", "DELETE": "DeleteObject"}[
        method
    ]


def _of_bucket(method: str, query: Mapping[str, Any]) -> str:
    for name, what in _SUBRESOURCES.items():
        if name in query:
            return what[method]
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "GET": "ListBucket", "HEAD": "ListBucket"}[method]


_SUBRESOURCES = {
    "uploads": {"GET": "ListBucketMultipartUploads"},
    "versions": {"GET": "ListBucketVersions"},
    "delete": {"POST": "DeleteObject"},
    "tagging": {"GET": "GetBucketTagging", "PUT": "PutBucketTagging"},
    "encryption": {"GET": "GetEncryptionConfiguration", "PUT": "PutEncryptionConfiguration"},
    "publicAccessBlock": {"GET": "GetBucketPublicAccessBlock", "PUT": "PutBucketPublicAccessBlock"},
    "ownershipControls": {"GET": "GetBucketOwnershipControls", "PUT": "PutBucketOwnershipControls"},
    "lifecycle": {"GET": "GetLifecycleConfiguration", "PUT": "PutLifecycleConfiguration"},
    "location": {"GET": "GetBucketLocation"},
}


def _query(prefix: str, resource: Callable[[Mapping[str, str]], str]) -> Callable[[Request], Iterator[Need]]:
    """Return what tells the needs of a service that takes forms."""

    def told(request: Request) -> Iterator[Need]:
        form = {name: values[0] for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()}
        yield Need(f"{prefix}:{request.call.operation}", resource(form), _tags(form))
        if any(name.startswith("TagSpecification") for name in form):
            yield Need("ec2:CreateTags", ANY, _tags(form))
        if any(name.startswith("Tags.member") for name in form) and request.call.operation.startswith("Create"):
            kind = "InstanceProfile" if "InstanceProfileName" in form else "Role"
            yield Need(f"{prefix}:Tag{kind}", resource(form), _tags(form))

    return told


_KEY = re.compile(r"(.*Tags?\.(?:member\.)?[0-9]+\.)Key\Z")


def _tags(form: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What tags a request gives, as conditions name them."""
    found = {
        (f"aws:RequestTag/{value}", form.get(f"{matched[1]}Value", ""))
        for name, value in form.items()
        if (matched := _KEY.match(name))
    }
    return tuple(sorted(found))


def _of_iam(form: Mapping[str, str]) -> str:
    if "InstanceProfileName" in form:
        return f"arn:aws:iam::*:instance-profile/{form['InstanceProfileName']}"
    return f"arn:aws:iam::*:role/{form['RoleName']}" if "RoleName" in form else "*"


def _target(prefix: str) -> Callable[[Request], Iterator[Need]]:
    return lambda request: iter([Need(f"{prefix}:{request.call.operation}", ANY)])


_OF: Mapping[str, Callable[[Request], Iterator[Need]]] = {
    "dynamodb": _dynamodb,
    "sqs": _sqs,
    "s3": _s3,
    "ec2": _query("ec2", lambda _: ANY),
    "iam": _query("iam", _of_iam),
    "sts": lambda _: iter([]),  # who one is may be asked by anybody
    "pricing": _target("pricing"),
    "ssm": _target("ssm"),
    "servicequotas": _target("servicequotas"),
}
