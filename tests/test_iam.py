"""The judge of our policies, judged: what needs what, what is allowed, and what is granted for nothing."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.cloud import Call, Request
from tests.iam import Need, allowed, unused
from tests.iam_needs import needs

TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/a"
INSTANCE = "arn:aws:ec2:eu-central-1:123456789012:instance/i-1"
BUCKET = "arn:aws:s3:::films"

TAGGED = {"StringEquals": {"aws:RequestTag/nommerctl:farm": "a"}}
BY_LAUNCH = {"StringEquals": {"ec2:CreateAction": ["CreateFleet", "RunInstances"]}}
ONE_KEY = {"ForAllValues:StringEquals": {"aws:TagKeys": ["nommerctl:failure"]}}
WITHIN = {"StringLike": {"s3:prefix": ["in/*"]}}
OF_THE_FARM = {"StringEquals": {"ec2:ResourceTag/nommerctl:farm": "a"}}


def statement(action: str, *resources: str, condition: object = None) -> dict[str, Any]:
    made = {"Sid": "One", "Effect": "Allow", "Action": [action], "Resource": [*resources]}
    return made | ({"Condition": condition} if condition else {})


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [*statements]}


def of_json(service: str, operation: str, asked: object) -> Request:
    return Request(Call(service, operation), "POST", "/", json.dumps(asked).encode())


def of_form(service: str, operation: str, **form: str) -> Request:
    named = {name.replace("_", "."): value for name, value in form.items()}
    return Request(Call(service, operation), "POST", "/", urlencode(named).encode())


def of_s3(method: str, path: str, body: bytes = b"") -> Request:
    return Request(Call("s3", method), method, path, body)


# --- what is allowed ---


def test_an_action_is_allowed_on_what_is_named_and_on_nothing_else() -> None:
    made = policy(statement("dynamodb:GetItem", TABLE), statement("s3:GetObject", f"{BUCKET}/in/*"))
    assert allowed(made, Need("dynamodb:GetItem", TABLE))
    assert not allowed(made, Need("dynamodb:PutItem", TABLE))
    assert not allowed(made, Need("dynamodb:GetItem", f"{TABLE}-b"))
    assert not allowed(made, Need("dynamodb:GetItem", f"{TABLE}/index/b"))
    assert allowed(made, Need("s3:GetObject", f"{BUCKET}/in/a/b"))
    assert not allowed(made, Need("s3:GetObject", f"{BUCKET}/out/a"))


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        (TAGGED, [("aws:RequestTag/nommerctl:farm", "a")], True),
        (TAGGED, [("aws:RequestTag/nommerctl:farm", "ab")], False),
        (TAGGED, [("aws:RequestTag/other", "a")], False),
        (TAGGED, [], False),
        (BY_LAUNCH, [("ec2:CreateAction", "RunInstances")], True),
        (BY_LAUNCH, [("ec2:CreateAction", "CreateVolume")], False),
        (BY_LAUNCH, [("aws:TagKeys", "nommerctl:farm")], False),
        (ONE_KEY, [("aws:TagKeys", "nommerctl:failure")], True),
        (ONE_KEY, [("aws:TagKeys", "nommerctl:failure"), ("aws:TagKeys", "nommerctl:farm")], False),
        (WITHIN, [("s3:prefix", "in/film")], True),
        (WITHIN, [("s3:prefix", "out/film")], False),
        (WITHIN, [], False),
        (OF_THE_FARM, [], True),
        (OF_THE_FARM | WITHIN, [], False),
    ],
)
def test_a_condition_holds_if_the_request_fulfils_it_or_can_tell_nothing_of_it(
    condition: dict[str, Any], context: list[tuple[str, str]], *, holds: bool
) -> None:
    made = policy(statement("ec2:CreateTags", INSTANCE, condition=condition))
    assert allowed(made, Need("ec2:CreateTags", INSTANCE, tuple(context))) is holds


@pytest.mark.parametrize("condition", [{"StringEquals": {"aws:Unheard": "a"}}, {"Bool": {"aws:TagKeys": "a"}}])
def test_a_condition_that_is_not_known_is_an_error(condition: dict[str, Any]) -> None:
    made = policy(statement("ec2:CreateTags", INSTANCE, condition=condition))
    with pytest.raises(AssertionError):
        allowed(made, Need("ec2:CreateTags", INSTANCE))


# --- what is granted for nothing ---


def test_an_action_that_nothing_needs_is_unused_unless_it_is_implied() -> None:
    made = policy(statement("dynamodb:GetItem", TABLE), statement("dynamodb:PutItem", TABLE) | {"Sid": "Two"})
    needed = [Need("dynamodb:GetItem", TABLE)]
    assert set(unused(made, needed, [])) == {"Two: dynamodb:PutItem", f"Two: {TABLE}"}
    assert set(unused(made, needed, ["dynamodb:PutItem"])) == set()


def test_a_resource_that_nothing_needs_is_unused() -> None:
    made = policy(statement("dynamodb:GetItem", TABLE, f"{TABLE}-b"))
    assert set(unused(made, [Need("dynamodb:GetItem", TABLE)], [])) == {f"One: {TABLE}-b"}


def test_what_another_statement_grants_as_well_is_no_use_of_an_action_on_something_else() -> None:
    made = policy(statement("dynamodb:GetItem", TABLE), statement("dynamodb:GetItem", f"{TABLE}-b") | {"Sid": "Two"})
    assert "Two: dynamodb:GetItem" in set(unused(made, [Need("dynamodb:GetItem", TABLE)], []))


# --- what is needed ---


@pytest.mark.parametrize(
    ("request_", "needed"),
    [
        (of_json("dynamodb", "GetItem", {"TableName": "a"}), {("dynamodb:GetItem", TABLE)}),
        (
            of_json("dynamodb", "Query", {"TableName": "a", "IndexName": "b"}),
            {("dynamodb:Query", f"{TABLE}/index/b")},
        ),
        (
            of_json("dynamodb", "TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "a"}}]}),
            {("dynamodb:PutItem", TABLE)},
        ),
        (
            of_json("dynamodb", "TagResource", {"ResourceArn": "arn:aws:dynamodb:eu-central-1:000000000000:table/a"}),
            {("dynamodb:TagResource", TABLE)},
        ),
        (
            of_json("dynamodb", "CreateTable", {"TableName": "a", "Tags": [{"Key": "b", "Value": "c"}]}),
            {("dynamodb:CreateTable", TABLE), ("dynamodb:TagResource", TABLE)},
        ),
        (
            of_json("sqs", "SendMessageBatch", {"QueueUrl": "http://127.0.0.1/0/a"}),
            {("sqs:SendMessage", "arn:aws:sqs:eu-central-1:123456789012:a")},
        ),
        (of_s3("HEAD", "/films/in/a%20b.mov"), {("s3:GetObject", f"{BUCKET}/in/a b.mov")}),
        (of_s3("GET", "/films/a?uploadId=b"), {("s3:ListMultipartUploadParts", f"{BUCKET}/a")}),
        (of_s3("DELETE", "/films/a?uploadId=b"), {("s3:AbortMultipartUpload", f"{BUCKET}/a")}),
        (of_s3("POST", "/films/a?uploads"), {("s3:PutObject", f"{BUCKET}/a")}),
        (of_s3("GET", "/films?uploads&prefix=a"), {("s3:ListBucketMultipartUploads", BUCKET)}),
        (
            of_s3("POST", "/films?delete", b"<Object><Key>a</Key><VersionId>1</VersionId></Object>"),
            {("s3:DeleteObjectVersion", f"{BUCKET}/a")},
        ),
        (
            of_form("iam", "AddRoleToInstanceProfile", InstanceProfileName="a", RoleName="b"),
            {
                ("iam:AddRoleToInstanceProfile", "arn:aws:iam::123456789012:instance-profile/a"),
                ("iam:PassRole", "arn:aws:iam::123456789012:role/b"),
            },
        ),
        (of_form("ec2", "TerminateInstances", InstanceId_1="i-1"), {("ec2:TerminateInstances", INSTANCE)}),
        (of_form("ec2", "DescribeInstances"), {("ec2:DescribeInstances", "*")}),
        (of_json("sts", "GetCallerIdentity", {}), set()),
    ],
)
def test_a_request_needs_its_action_on_what_it_is_about(request_: Request, needed: set[tuple[str, str]]) -> None:
    assert {(need.action, need.resource) for need in needs([request_])} == needed


@pytest.mark.parametrize(
    "request_",
    [
        of_json("dynamodb", "PutItem", {"TableName": "a", "Item": {"kind": {"S": "farm"}, "key": {"S": "b"}}}),
        of_json(
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "a", "Item": {"kind": {"S": "farm"}}}}]},
        ),
    ],
)
def test_a_write_to_the_ledger_tells_of_its_partition(request_: Request) -> None:
    assert needs([request_]) == {Need("dynamodb:PutItem", TABLE, (("dynamodb:LeadingKeys", "farm"),))}


def test_a_list_tells_of_its_prefix() -> None:
    (need,) = needs([of_s3("GET", "/films?list-type=2&prefix=in%2Fa")])
    assert need == Need("s3:ListBucket", BUCKET, (("s3:prefix", "in/a"),))


def test_what_is_made_with_tags_needs_leave_to_tag_by_making_it() -> None:
    form = {"TagSpecification_1_ResourceType": "instance"}
    tag = {"TagSpecification_1_Tag_1_Key": "nommerctl:farm", "TagSpecification_1_Tag_1_Value": "a"}
    found = needs([of_form("ec2", "RunInstances", ImageId="ami-1", **form, **tag)])
    given = ("aws:RequestTag/nommerctl:farm", "a")
    instance = INSTANCE.replace("i-1", "new")
    assert Need("ec2:RunInstances", instance, (given,)) in found
    assert Need("ec2:CreateTags", instance, (given, ("ec2:CreateAction", "RunInstances"))) in found
    assert Need("ec2:RunInstances", "arn:aws:ec2:eu-central-1::image/new") in found


def test_tagging_by_itself_tells_of_the_keys_and_of_no_making() -> None:
    (need,) = needs([of_form("ec2", "CreateTags", ResourceId_1="i-1", Tag_1_Key="nommerctl:failure", Tag_1_Value="no")])
    assert need == Need("ec2:CreateTags", INSTANCE, (("aws:TagKeys", "nommerctl:failure"),))


@pytest.mark.parametrize("unknown", [of_s3("PUT", "/films?policy"), of_s3("GET", "/films/a?versionId=1")])
def test_a_request_of_which_it_is_not_known_what_it_needs_is_an_error(unknown: Request) -> None:
    with pytest.raises((AssertionError, KeyError)):
        needs([unknown])
