"""What the operator may do, found out without doing it: each permission denied in turn by the wire."""

from collections.abc import Iterator

import pytest
from msgspec import structs

from nommerctl.adapters.aws.checkup.trials import (
    Tried,
    tried_buckets,
    tried_end,
    tried_launch,
    tried_queues,
    tried_tables,
)
from nommerctl.adapters.aws.names import launch_template
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.domain.aws_account import Leave, Permission
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.errors import SettingsError
from tests.aws_farm import AMI, AwsFarm
from tests.cloud import refusal

pytestmark = pytest.mark.slow  # each part is made and deleted over the wire


BY_TEMPLATE = AwsSettings(instance_types=("c7i.large",))
BY_IMAGE = structs.replace(BY_TEMPLATE, ami=AMI)


@pytest.fixture
def farm(aws: AwsFarm) -> Iterator[AwsFarm]:
    """A farm with a launch template."""
    ec2, name = aws.clients.ec2, launch_template(aws.name)
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": AMI})
    yield aws
    ec2.delete_launch_template(LaunchTemplateName=name)


def tried(farm: AwsFarm, settings: AwsSettings = BY_TEMPLATE) -> list[Tried]:
    """Try everything, with what nodes there are."""
    urls = QueueUrls(farm.clients, farm.here.cwd / "urls.json", remember=False)
    return [
        *tried_tables(farm.clients, farm.name, lambda _: None),
        *tried_queues(farm.clients, farm.name, urls),
        *tried_buckets(farm.clients, structs.replace(settings, buckets=(f"s3://{farm.bucket}/out/",))),
        *tried_end(farm.clients, sorted(farm.instances())),
        *tried_launch(farm.clients, settings, farm.name),
    ]


def denied(farm: AwsFarm) -> list[str]:
    return [each.permission.action for each in tried(farm) if each.permission.leave is Leave.DENIED]


@pytest.mark.parametrize("settings", [BY_TEMPLATE, BY_IMAGE])
def test_where_all_is_granted_nothing_came_about(farm: AwsFarm, settings: AwsSettings) -> None:
    node = farm.launched()
    found = tried(farm, settings)
    assert {each.permission.leave for each in found} == {Leave.GRANTED}
    orders = {"ec2:RunInstances"} if settings.ami else {"ec2:CreateFleet", "ec2:RunInstances"}
    assert {each.permission.action for each in found if "ec2" in each.permission.action} == {
        "ec2:TerminateInstances",
        *orders,
    }
    assert farm.instances() == {node}
    assert farm.store.find("nob", 1) == []


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("dynamodb", "GetItem", "dynamodb:GetItem"),
        ("dynamodb", "BatchGetItem", "dynamodb:BatchGetItem"),
        ("dynamodb", "Query", "dynamodb:Query"),
        ("dynamodb", "PutItem", "dynamodb:PutItem"),
        ("dynamodb", "UpdateItem", "dynamodb:UpdateItem"),
        ("dynamodb", "DeleteItem", "dynamodb:DeleteItem"),
        ("sqs", "GetQueueAttributes", "sqs:GetQueueAttributes"),
        ("sqs", "ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"),
        ("s3", "GET uploads", "s3:ListBucketMultipartUploads"),
        ("ec2", "CreateFleet", "ec2:CreateFleet"),
        ("ec2", "RunInstances", "ec2:RunInstances"),
        ("ec2", "TerminateInstances", "ec2:TerminateInstances"),
    ],
)
def test_a_permission_that_is_denied(farm: AwsFarm, service: str, operation: str, action: str) -> None:
    farm.launched()
    codes = {"ec2": "UnauthorizedOperation", "s3": "AccessDenied"}
    farm.cloud.fail(service, operation, refusal(service, codes.get(service, "AccessDeniedException"), 403))
    assert denied(farm) == [action]


def test_what_else_a_launch_takes_is_named_by_ec2(farm: AwsFarm) -> None:
    said = "You are not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/nodes"
    farm.cloud.fail("ec2", "RunInstances", refusal("ec2", "UnauthorizedOperation", 403, said))
    assert denied(farm) == ["iam:PassRole"]


def test_an_order_that_is_wrong_is_a_fault_of_the_settings(farm: AwsFarm) -> None:
    said = "The security group 'sg-1' does not exist"
    farm.cloud.fail("ec2", "RunInstances", refusal("ec2", "InvalidGroup.NotFound", 400, said))
    (fault,) = [each.fault for each in tried(farm) if each.fault is not None]
    assert isinstance(fault, SettingsError)
    assert said in str(fault)


@pytest.mark.parametrize("code", ["InvalidLaunchTemplateName.NotFoundException", "InvalidAMIID.NotFound"])
def test_what_has_a_check_of_its_own_is_left_to_it(farm: AwsFarm, code: str) -> None:
    farm.cloud.fail("ec2", "CreateFleet", refusal("ec2", code))
    (left,) = [each for each in tried(farm) if each.permission.leave is Leave.UNKNOWN]
    assert left == Tried(Permission("ec2:CreateFleet", "new nodes", Leave.UNKNOWN))


@pytest.mark.parametrize(("service", "operation"), [("ec2", "CreateFleet"), ("ec2", "TerminateInstances")])
def test_what_fails_for_the_moment_is_said_and_hides_nothing_else(farm: AwsFarm, service: str, operation: str) -> None:
    farm.launched()
    farm.cloud.fail(service, operation, *[refusal(service, "RequestLimitExceeded", 503)] * 4)
    found = tried(farm)
    (left,) = [each.permission for each in found if each.permission.leave is not Leave.GRANTED]
    assert left.action == f"{service}:{operation}"
    assert left.why.startswith(f"AWS throttles {service}:{operation}")


def test_a_table_that_is_not_there_leaves_it_open(farm: AwsFarm) -> None:
    found = tried_tables(farm.clients, "another", lambda _: None)
    assert {(each.permission.leave, each.permission.why) for each in found} == {(Leave.UNKNOWN, "")}
