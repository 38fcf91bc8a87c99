"""An AWS account, or a way to it, that is not as a farm needs it: each said in one sentence, and with what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nommerctl.adapters.aws.names import changes_queue, jobs_table, ledger_table, new_jobs_queue
from tests.aws_farm import AwsFarm
from tests.cli import Result
from tests.cloud import Reach, refusal
from tests.end_to_end.aws_deeds import launch
from tests.end_to_end.aws_troubles import SKEWED, Words, said

pytestmark = pytest.mark.slow

NOW = "Thu, 01 Jan 2026 08:10:00 GMT"


def sentence(result: Result) -> str:
    (line,) = result.stderr.splitlines()
    return line


# --- credentials, region, the way there ---


def test_no_credentials(aws: AwsFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert sentence(aws.here.run("refresh", code=77)) == (
        "nommerctl: no AWS credentials are found for sqs:GetQueueUrl: set aws.profile or AWS_PROFILE,"
        " or run 'aws configure'"
    )


def test_half_of_the_credentials(aws: AwsFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    refused = sentence(aws.here.run("scale", code=77))
    assert refused.startswith("nommerctl: the AWS credentials cannot be used for dynamodb:")
    assert "AWS_SECRET_ACCESS_KEY" in refused


def test_no_region(aws: AwsFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert (
        sentence(aws.here.run("refresh", code=78)) == "nommerctl: no AWS region is named: set aws.region, or AWS_REGION"
    )


@pytest.mark.parametrize("env", [{"NOMMERCTL_AWS_PROFILE": "mine"}, {"AWS_PROFILE": "mine"}])
def test_a_profile_that_is_not_there(aws: AwsFarm, env: dict[str, str]) -> None:
    assert sentence(aws.here.run("nodes", env=env, code=78)) == (
        "nommerctl: aws.profile: The config profile (mine) could not be found"
    )


@pytest.mark.parametrize("verb", ["refresh", "scale", "prune"])
def test_an_endpoint_where_nobody_is(aws: AwsFarm, verb: str) -> None:
    refused = sentence(aws.here.run(verb, env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, code=69))
    assert refused.startswith("nommerctl: AWS cannot be reached for ")
    assert "http://127.0.0.1:9" in refused


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_ENDPOINT_URL", "nowhere"),
        ("AWS_ENDPOINT_URL", "http://"),
        ("AWS_ENDPOINT_URL", "http://[::1"),
        ("NOMMERCTL_AWS_REGION", "eu central"),
    ],
)
def test_an_endpoint_or_a_region_that_is_none(aws: AwsFarm, variable: str, value: str) -> None:
    refused = sentence(aws.here.run("nodes", env={variable: value}, code=78))
    assert refused.startswith("nommerctl: variables AWS_* or aws.region cannot be used: ")


def test_a_file_of_aws_settings_that_is_none(aws: AwsFarm, tmp_path: Path) -> None:
    broken = tmp_path / "config"
    broken.write_text("[default\n")
    refused = sentence(aws.here.run("nodes", env={"AWS_CONFIG_FILE": str(broken)}, code=78))
    assert (
        refused == f"nommerctl: the settings of AWS's own tools cannot be read: Unable to parse config file: {broken}"
    )


def test_credentials_that_aws_does_not_know(aws: AwsFarm) -> None:
    words = dict.fromkeys(("dynamodb", "sqs"), Words("UnrecognizedClientException", 403))
    with aws.cloud.trouble(said(words), Reach.ALL):
        refused = sentence(aws.here.run("refresh", code=77))
    assert refused.endswith(": the credentials are not valid (UnrecognizedClientException)")


# --- the clock ---


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (["refresh"], "sqs:GetQueueUrl"),
        (["why"], "dynamodb:Query"),
        (["submit", "s3://films/film.mov", "--dest", "s3://films/", "--preset", "audio-m4a"], "s3:GetObject"),
    ],
)
def test_a_clock_that_is_ten_minutes_off(aws: AwsFarm, command: list[str], action: str) -> None:
    at_aws = {service: answer._replace(headers={**answer.headers, "Date": NOW}) for service, answer in SKEWED.items()}
    with aws.cloud.trouble(at_aws, Reach.ALL):
        refused = sentence(aws.here.run(*command, code=77))
    assert refused.startswith(f"nommerctl: AWS refuses {action} on ")
    assert refused.endswith(f": the clock of this machine is off (AWS says that it is {NOW}): set it")


@pytest.mark.parametrize(
    ("code", "instead"),
    [("AuthFailure", "the credentials are not valid"), ("RequestExpired", "the credentials have expired")],
)
def test_what_ec2_says_of_a_wrong_clock_it_says_of_wrong_credentials_too(aws: AwsFarm, code: str, instead: str) -> None:
    found = refusal("ec2", code, 400, "AWS was not able to validate the provided access credentials")
    aws.cloud.fail("ec2", "DescribeInstances", found._replace(headers={**found.headers, "Date": NOW}))
    refused = sentence(aws.here.run("nodes", code=77))
    assert refused == (
        f"nommerctl: AWS refuses ec2:DescribeInstances on the nodes of farm '{aws.name}': {instead}, or the clock of"
        f" this machine is off (AWS says that it is {NOW}) ({code})"
    )


# --- what is not there ---


@pytest.mark.parametrize("verb", ["abandon", "prune"])
def test_a_table_of_jobs_that_is_not_there(aws: AwsFarm, verb: str) -> None:
    aws.clients.dynamodb.delete_table(TableName=jobs_table(aws.name))
    assert sentence(aws.here.run(verb, code=78)) == (
        f"nommerctl: index 'by-change' of table '{jobs_table(aws.name)}' is not there in this account and region"
        " (dynamodb:Query: ResourceNotFoundException): run 'nommerctl aws bootstrap', or put farm.name or"
        " aws.region right"
    )


@pytest.mark.parametrize("verb", ["scale", "nodes", "why", "status"])
def test_a_ledger_that_is_not_there(aws: AwsFarm, verb: str) -> None:
    aws.clients.dynamodb.delete_table(TableName=ledger_table(aws.name))
    refused = sentence(aws.here.run(verb, code=78))
    assert refused.startswith(f"nommerctl: table '{ledger_table(aws.name)}' is not there in this account and region")


@pytest.mark.parametrize(("name", "verb"), [(changes_queue, "refresh"), (new_jobs_queue, "scale")])
@pytest.mark.parametrize("known", [False, True])
def test_a_queue_that_is_not_there_any_more_or_never_was(
    aws: AwsFarm,
    name: Callable[[str], str],
    verb: str,
    known: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    queue = name(aws.name)
    if known:
        aws.here.run("run")
    aws.clients.sqs.delete_queue(QueueUrl=aws.clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"])
    refused = sentence(aws.here.run(verb, code=78))
    assert refused.startswith(f"nommerctl: queue '{queue}' is not there in this account and region (sqs:GetQueueUrl: ")


@pytest.mark.parametrize(
    ("operation", "code", "message", "setting"),
    [
        (
            "CreateFleet",
            "InvalidLaunchTemplateName.NotFoundException",
            "There is no such template.",
            "aws.launch_template",
        ),
        ("RunInstances", "InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist", "aws.ami"),
        (
            "RunInstances",
            "InvalidParameterValue",
            "Value (workers) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
            "aws.instance_profile",
        ),
        ("RunInstances", "InvalidSubnetID.NotFound", "The subnet ID 'subnet-1' does not exist", "aws.subnets"),
    ],
)
def test_what_nodes_are_launched_from_is_not_there(
    aws: AwsFarm, operation: str, code: str, message: str, setting: str
) -> None:
    # given work for a node, and settings by which it cannot be launched
    deed = launch(aws)
    template = {"NOMMERCTL_AWS_LAUNCH_TEMPLATE": "workers"} if operation == "CreateFleet" else {}
    aws.cloud.fail("ec2", operation, refusal("ec2", code, 400, message))
    # when, then
    refused = sentence(aws.here.run("scale", env=template, code=78))
    assert message.rstrip(".") in refused
    assert setting in refused
    assert aws.instances() == set()
    # and as soon as it is there
    aws.here.run("scale")
    assert deed.came_about()


def test_a_role_that_may_not_be_passed_on(aws: AwsFarm) -> None:
    deed = launch(aws)
    not_allowed = "You are not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/workers"
    aws.cloud.fail("ec2", "RunInstances", refusal("ec2", "UnauthorizedOperation", 403, not_allowed))
    assert "iam:PassRole" in sentence(aws.here.run("scale", code=77))
    aws.here.run("scale")
    assert deed.came_about()
