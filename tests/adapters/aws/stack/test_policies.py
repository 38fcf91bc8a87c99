"""What the policies grant, and to whom: their form, their sizes, their conditions."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from nommerctl.adapters.aws.stack.policies import (
    IMPLIED,
    bootstrap_policy,
    operator_policy,
    trust_policy,
    worker_policy,
)
from nommerctl.adapters.aws.stack.statements import Names, Policy
from tests.iam import Need, allowed

NAMES = Names(
    farm="a",
    account="123456789012",
    region="eu-central-1",
    buckets=("films", "s3://masters/in/", "films"),
    package_bucket="nommerctl-a-123456789012-eu-central-1",
)

LONGEST = Names(
    farm="f" * 32,
    account="123456789012",
    region="ap-southeast-2",
    partition="aws-us-gov",
    buckets=("b" * 63, f"{'c' * 63}/outputs"),
    package_bucket="n" * 63,
)

MANAGED, INLINE = 6_144, 10_240
"""Characters without white space: of a managed policy, and of all inline policies of a role (IAM quotas)."""

POLICIES = [operator_policy, worker_policy, bootstrap_policy]

UNBOUND = {
    "dynamodb:ListTables",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "pricing:GetProducts",
    "servicequotas:GetServiceQuota",
    "sqs:ListQueues",
}
"""All that may be granted upon everything: it changes nothing, and AWS knows no resources for it."""


def statement(policy: Policy, sid: str) -> dict[str, Any]:
    """The statement of that name."""
    (found,) = (dict(each) for each in policy["Statement"] if each["Sid"] == sid)
    return found


def granted(policy: Policy) -> set[str]:
    """Every action of it."""
    return {action for each in policy["Statement"] for action in each["Action"]}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_is_one_that_iam_takes(policy: Callable[[Names], Policy]) -> None:
    made = policy(NAMES)

    assert json.loads(json.dumps(made)) == made
    assert made["Version"] == "2012-10-17"
    sids = [each["Sid"] for each in made["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
    for each in made["Statement"]:
        assert each["Effect"] == "Allow"
        assert each["Action"] == sorted(each["Action"])
        assert len(set(each["Resource"])) == len(each["Resource"]) > 0
        assert all(re.fullmatch(r"arn:aws:[a-z0-9]+:[a-z0-9-]*:\d*:\S+|\*", arn) for arn in each["Resource"])


@pytest.mark.parametrize("policy", POLICIES)
def test_only_what_changes_nothing_is_granted_upon_everything(policy: Callable[[Names], Policy]) -> None:
    made = policy(NAMES)

    upon_everything = {action for each in made["Statement"] if "*" in each["Resource"] for action in each["Action"]}
    assert upon_everything <= UNBOUND
    assert not any("*" in action for action in granted(made))


@pytest.mark.parametrize(
    ("policy", "limit"), [(operator_policy, MANAGED), (worker_policy, INLINE), (bootstrap_policy, MANAGED)]
)
def test_a_policy_fits_where_it_goes(policy: Callable[[Names], Policy], limit: int) -> None:
    assert len(json.dumps(policy(LONGEST), separators=(",", ":"))) <= limit


@pytest.mark.parametrize("policy", POLICIES)
def test_no_other_farm_is_meant_even_if_its_name_begins_the_same(policy: Callable[[Names], Policy]) -> None:
    arns = [arn for each in policy(NAMES)["Statement"] for arn in each["Resource"]]

    assert not any(re.search(r"nommerctl-a-?\*", arn) for arn in arns)


@pytest.mark.parametrize("policy", [operator_policy, bootstrap_policy])
def test_only_nodes_with_the_farms_tag_are_ended(policy: Callable[[Names], Policy]) -> None:
    assert statement(policy(NAMES), "EndOwnNodes") == {
        "Sid": "EndOwnNodes",
        "Effect": "Allow",
        "Action": ["ec2:TerminateInstances"],
        "Resource": ["arn:aws:ec2:eu-central-1:123456789012:instance/*"],
        "Condition": {"StringEquals": {"ec2:ResourceTag/nommerctl:farm": "a"}},
    }


def test_an_operator_orders_nodes_only_with_the_farms_tag() -> None:
    made = operator_policy(NAMES)

    order = statement(made, "OrderNodesWithTag")
    assert order["Resource"] == [
        "arn:aws:ec2:eu-central-1:123456789012:fleet/*",
        "arn:aws:ec2:eu-central-1:123456789012:instance/*",
    ]
    assert order["Condition"] == {"StringEquals": {"aws:RequestTag/nommerctl:farm": "a"}}
    others = statement(made, "OrderNodesOf")["Resource"]
    assert not any(arn.endswith((":instance/*", ":fleet/*")) for arn in others)


@pytest.mark.parametrize(
    ("policy", "sid", "calls"),
    [
        (operator_policy, "TagWhatIsOrdered", ["CreateFleet", "RunInstances"]),
        (bootstrap_policy, "TagWhatIsMade", ["CreateLaunchTemplate", "CreateSecurityGroup"]),
    ],
)
def test_tags_are_given_only_by_what_makes(policy: Callable[[Names], Policy], sid: str, calls: list[str]) -> None:
    made = policy(NAMES)

    assert [each["Sid"] for each in made["Statement"] if "ec2:CreateTags" in each["Action"]] == [sid]
    assert statement(made, sid)["Condition"] == {"StringEquals": {"ec2:CreateAction": calls}}


def test_only_the_role_of_nodes_is_passed_and_only_to_ec2() -> None:
    assert statement(operator_policy(NAMES), "GiveNodesTheirRole") == {
        "Sid": "GiveNodesTheirRole",
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": ["arn:aws:iam::123456789012:role/nommerctl-a-node"],
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }


def test_a_node_tags_only_itself_and_only_with_why_its_boot_failed() -> None:
    made = worker_policy(NAMES)

    assert statement(made, "SayWhyBootFailed")["Condition"] == {
        "StringEquals": {"ec2:ResourceTag/nommerctl:farm": "a"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["nommerctl:failure"]},
        "ArnEquals": {"ec2:SourceInstanceARN": "arn:aws:ec2:eu-central-1:123456789012:instance/${ec2:InstanceID}"},
    }
    assert not any(action.startswith("iam:") for action in granted(made))
    assert not any(
        action.startswith("ec2:") for action in granted(made) - {"ec2:CreateTags", "ec2:DescribeSpotPriceHistory"}
    )


def test_a_node_reaches_the_buckets_that_are_named_and_no_other() -> None:
    made = worker_policy(NAMES)

    assert statement(made, "UseMedia")["Resource"] == ["arn:aws:s3:::films/*", "arn:aws:s3:::masters/in/*"]
    assert statement(made, "ListUploads")["Resource"] == ["arn:aws:s3:::films", "arn:aws:s3:::masters"]
    assert statement(made, "ListMedia")["Resource"] == ["arn:aws:s3:::films"]
    assert statement(made, "ListPartsOfMedia")["Resource"] == ["arn:aws:s3:::masters"]
    assert statement(made, "ListPartsOfMedia")["Condition"] == {"StringLike": {"s3:prefix": ["in/*"]}}
    assert statement(made, "FetchPackage")["Resource"] == [
        "arn:aws:s3:::nommerctl-a-123456789012-eu-central-1/wheels/*"
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_without_buckets_nothing_is_granted_on_s3(policy: Callable[[Names], Policy]) -> None:
    made = policy(Names(farm="a", account="123456789012", region="eu-central-1"))

    assert not any(action.startswith("s3:") for action in granted(made))


def test_who_brings_up_changes_only_what_carries_the_farms_tag_or_name() -> None:
    made = bootstrap_policy(NAMES)

    assert statement(made, "MakeWithTag")["Condition"] == {"StringEquals": {"aws:RequestTag/nommerctl:farm": "a"}}
    assert statement(made, "ChangeWhatIsTagged")["Condition"] == {
        "StringEquals": {"ec2:ResourceTag/nommerctl:farm": "a"}
    }
    assert statement(made, "MakeRole")["Resource"] == ["arn:aws:iam::123456789012:role/nommerctl-a-node"]
    assert statement(made, "FillBucket")["Resource"] == ["arn:aws:s3:::nommerctl-a-123456789012-eu-central-1/*"]
    assert not any("films" in arn for each in made["Statement"] for arn in each["Resource"])


def test_ec2_alone_gives_a_node_its_role_in_whichever_partition() -> None:
    china = Names(farm="a", account="123456789012", region="cn-north-1", partition="aws-cn")

    assert trust_policy(NAMES)["Statement"][0]["Principal"] == {"Service": ["ec2.amazonaws.com"]}
    assert trust_policy(china)["Statement"][0]["Principal"] == {"Service": ["ec2.amazonaws.com.cn"]}
    assert statement(worker_policy(china), "MoveJobs")["Resource"] == [
        "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/nommerctl-a-jobs"
    ]


def test_what_is_called_implied_is_granted_by_some_policy_and_has_its_reason() -> None:
    all_granted = set().union(*(granted(policy(NAMES)) for policy in POLICIES))

    assert set(IMPLIED) <= all_granted
    assert all(IMPLIED.values())


def test_a_node_keeps_the_ledger_but_cannot_say_by_which_settings_nodes_work() -> None:
    policy = worker_policy(NAMES)
    for partition, may in (("farm", True), ("settings", False)):
        context = (("dynamodb:LeadingKeys", partition),)
        assert allowed(policy, Need("dynamodb:PutItem", NAMES.ledger, context)) is may
    assert allowed(policy, Need("dynamodb:GetItem", NAMES.ledger, (("dynamodb:LeadingKeys", "settings"),)))
