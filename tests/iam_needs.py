"""What requests need to be allowed.

Source: the Service Authorization Reference, which says for each action what it is granted upon, and on which others it
depends. Only the requests that this project makes are here; another one is an error.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.aws_servers import REGION
from tests.cloud import Request
from tests.iam import Need

ACCOUNT = "123456789012"
"""The one in which the servers of the tests are taken to be, whatever each of them says of itself."""

_NEW = "new"
"""The id of what does not have one yet, or is named otherwise in the request."""


def needs(requests: Iterable[Request]) -> set[Need]:
    """Return all that requests need to be allowed."""
    return {need for request in requests for need in _OF[request.call.service](request)}


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{'' if service == 'iam' else REGION}:{ACCOUNT}:{resource}"


def _dynamodb(request: Request) -> Iterator[Need]:
    asked = json.loads(request.body)
    operation = request.call.operation
    table = _arn("dynamodb", "table/")
    match operation:
        case "TransactWriteItems":
            for item in asked["TransactItems"]:
                ((kind, what),) = item.items()
                yield Need(f"dynamodb:{kind}Item", table + what["TableName"], _leading_key(what))
        case "BatchGetItem":
            for name in asked["RequestItems"]:
                yield Need("dynamodb:BatchGetItem", table + name)
        case "Query" if "IndexName" in asked:
            yield Need("dynamodb:Query", f"{table}{asked['TableName']}/index/{asked['IndexName']}")
        case "ListTables":
            yield Need("dynamodb:ListTables", "*")
        case _:
            name = asked.get("TableName") or asked["ResourceArn"].rpartition("/")[2]
            yield Need(f"dynamodb:{operation}", table + name, _leading_key(asked))
            if operation == "CreateTable" and asked.get("Tags"):
                yield Need("dynamodb:TagResource", table + name)


def _leading_key(asked: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The partition of the ledger that an item is in, as conditions name it."""
    item = asked.get("Item") or asked.get("Key") or {}
    return (("dynamodb:LeadingKeys", item["kind"]["S"]),) if "kind" in item else ()


def _sqs(request: Request) -> Iterator[Need]:
    asked = json.loads(request.body)
    operation = request.call.operation.removesuffix("Batch")
    if operation == "ListQueues":
        yield Need("sqs:ListQueues", "*")
        return
    queue = _arn("sqs", asked.get("QueueName") or asked["QueueUrl"].rpartition("/")[2])
    yield Need(f"sqs:{operation}", queue)
    if operation == "CreateQueue" and asked.get("tags"):
        yield Need("sqs:TagQueue", queue)


def _s3(request: Request) -> Iterator[Need]:
    parts = urlsplit(request.path)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query, keep_blank_values=True)
    if key:
        yield Need(f"s3:{_of_object(request.method, query)}", f"arn:aws:s3:::{bucket}/{key}")
    elif "delete" in query:
        yield from _deletions(request.body.decode(), bucket)
    else:
        within = tuple(("s3:prefix", prefix) for prefix in query.get("prefix", ()))
        yield Need(f"s3:{_of_bucket(request.method, query)}", f"arn:aws:s3:::{bucket}", within)


def _of_object(method: str, query: Mapping[str, object]) -> str:
    match method, "uploadId" in query, "versionId" in query:
        case "GET", True, _:
            return "ListMultipartUploadParts"
        case "DELETE", True, _:
            return "AbortMultipartUpload"
        case "DELETE", _, True:
            return "DeleteObjectVersion"
        case "DELETE", _, _:
            return "DeleteObject"
        case (("GET" | "HEAD"), _, False):
            return "GetObject"
        case (("PUT" | "POST"), _, _):
            return "PutObject"
        case _:
            raise AssertionError(method, query)


def _deletions(body: str, bucket: str) -> Iterator[Need]:
    for each in re.findall(r"<Object>(.*?)</Object>", body, re.DOTALL):
        key = re.findall(r"<Key>(.*?)</Key>", each)[0]
        action = "DeleteObjectVersion" if "<VersionId>" in each else "DeleteObject"
        yield Need(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}")


def _of_bucket(method: str, query: Mapping[str, object]) -> str:
    for name, actions in _SUBRESOURCES.items():
        if name in query:
            return actions[method]
    assert set(query) <= _LISTING, query
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "GET": "ListBucket", "HEAD": "ListBucket"}[method]


_LISTING = {"continuation-token", "encoding-type", "list-type", "max-keys", "prefix"}

_SUBRESOURCES = {
    "uploads": {"GET": "ListBucketMultipartUploads"},
    "versions": {"GET": "ListBucketVersions"},
    "tagging": {"GET": "GetBucketTagging", "PUT": "PutBucketTagging"},
    "encryption": {"GET": "GetEncryptionConfiguration", "PUT": "PutEncryptionConfiguration"},
    "publicAccessBlock": {"GET": "GetBucketPublicAccessBlock", "PUT": "PutBucketPublicAccessBlock"},
    "ownershipControls": {"GET": "GetBucketOwnershipControls", "PUT": "PutBucketOwnershipControls"},
    "lifecycle": {"GET": "GetLifecycleConfiguration", "PUT": "PutLifecycleConfiguration"},
}


def _form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()}


def _iam(request: Request) -> Iterator[Need]:
    form, operation = _form(request), request.call.operation
    profile, role = form.get("InstanceProfileName"), form.get("RoleName")
    kind, name = ("InstanceProfile", f"instance-profile/{profile}") if profile else ("Role", f"role/{role}")
    if operation == "SimulatePrincipalPolicy":
        yield Need(f"iam:{operation}", form["PolicySourceArn"])
        return
    yield Need(f"iam:{operation}", _arn("iam", name))
    if operation == "AddRoleToInstanceProfile":
        yield Need("iam:PassRole", _arn("iam", f"role/{role}"))
    if operation.startswith("Create") and "Tags.member.1.Key" in form:
        yield Need(f"iam:Tag{kind}", _arn("iam", name))


def _ec2(request: Request) -> Iterator[Need]:
    form, operation = _form(request), request.call.operation
    action, given = f"ec2:{operation}", _tags_given(form)
    if operation.startswith("Describe"):
        yield Need(action, "*")
        return
    if operation == "CreateTags":
        keys = tuple(sorted(("aws:TagKeys", value) for value in _numbered(form, "Tag", ".Key")))
        for each in _numbered(form, "ResourceId"):
            yield Need(action, _arn("ec2", f"{_KINDS[each.partition('-')[0]]}/{each}"), keys)
        return
    for resource in _upon(operation, form):
        kind = resource.partition("/")[0]
        arn = f"arn:aws:ec2:{REGION}::{resource}" if kind in _PUBLIC else _arn("ec2", resource)
        yield Need(action, arn, given.get(kind, ()))
    for kind, tags in given.items():
        made_by = ("ec2:CreateAction", operation)
        yield Need("ec2:CreateTags", _arn("ec2", f"{kind}/{_NEW}"), (*tags, made_by))


_KINDS = {"i": "instance", "lt": "launch-template", "sg": "security-group"}

_PUBLIC = frozenset({"image", "snapshot"})

_MADE_OF = ("image", "network-interface", "security-group", "subnet", "volume")
"""What every instance is made of, whether the request names it, its template does, or EC2 takes the default."""


def _upon(operation: str, form: Mapping[str, str]) -> Iterator[str]:
    """Yield the resources upon which an operation has to be allowed."""
    match operation:
        case "TerminateInstances":
            yield from (f"instance/{each}" for each in _numbered(form, "InstanceId"))
        case "CreateSecurityGroup":
            yield from (f"security-group/{_NEW}", f"vpc/{form['VpcId']}")
        case "CreateLaunchTemplate":
            yield f"launch-template/{_NEW}"
        case "CreateFleet" | "RunInstances":
            yield from (f"{kind}/{_NEW}" for kind in ("instance", *_MADE_OF))
            if any("LaunchTemplate" in name for name in form):
                yield f"launch-template/{_NEW}"
            if operation == "CreateFleet":
                yield f"fleet/{_NEW}"
        case _ if "GroupId" in form:
            yield f"security-group/{form['GroupId']}"
        case _:
            yield f"launch-template/{form['LaunchTemplateId']}"


def _numbered(form: Mapping[str, str], name: str, part: str = "") -> list[str]:
    """Return the values `NAME.1PART`, `NAME.2PART` and so on of a form."""
    pattern = re.compile(rf"{name}\.\d+{re.escape(part)}")
    return [value for named, value in form.items() if pattern.fullmatch(named)]


_SPECIFICATION = re.compile(r"(TagSpecifications?\.\d+)\.ResourceType")


def _tags_given(form: Mapping[str, str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return by the kind of what is made the tags that it is made with, as conditions name them."""
    return {
        kind: tuple(
            sorted(
                (f"aws:RequestTag/{key}", form[f"{name.removesuffix('.Key')}.Value"])
                for name, key in form.items()
                if name.startswith(f"{found[1]}.Tag.") and name.endswith(".Key")
            )
        )
        for place, kind in form.items()
        if (found := _SPECIFICATION.fullmatch(place))
    }


def _ssm(request: Request) -> Iterator[Need]:
    for name in json.loads(request.body)["Names"]:
        yield Need(f"ssm:{request.call.operation}", f"arn:aws:ssm:{REGION}::parameter{name}")


_OF: Mapping[str, Callable[[Request], Iterator[Need]]] = {
    "dynamodb": _dynamodb,
    "sqs": _sqs,
    "s3": _s3,
    "ec2": _ec2,
    "iam": _iam,
    "ssm": _ssm,
    "sts": lambda _: iter(()),  # who one is, anybody may ask
    "pricing": lambda request: iter([Need(f"pricing:{request.call.operation}", "*")]),
    "servicequotas": lambda request: iter([Need(f"servicequotas:{request.call.operation}", "*")]),
}
