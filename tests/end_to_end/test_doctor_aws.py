"""A checkup of a farm on AWS: where all is well, and where the account is not as a farm needs it."""

import json
from collections.abc import Iterator

import pytest

from nommerctl.adapters.aws.names import (
    changes_queue,
    dead_letters,
    jobs_table,
    launch_template,
    ledger_table,
    new_jobs_queue,
)
from nommerctl.adapters.aws.resources import BY_CHANGE, EXPIRES
from tests.aws_farm import AMI, AwsFarm
from tests.cloud import refusal
from tests.end_to_end.aws_accounts import (
    ACCOUNT,
    PARAMETER,
    USER,
    brought_up,
    called,
    dated,
    parameters,
    quotas,
    simulating,
    with_template,
)
from tests.end_to_end.checkups import Found, checkup, failed

pytestmark = pytest.mark.slow

ATTACH = "attach the policy that 'nommerctl aws iam-policy operator' prints"
BOOTSTRAP = "run 'nommerctl aws bootstrap'"


@pytest.fixture
def sound(aws: AwsFarm) -> Iterator[AwsFarm]:
    """A farm as it is when it was just brought up."""
    with brought_up(aws):
        yield aws


def lines(aws: AwsFarm, check: str, *, code: int = 0) -> list[Found]:
    """All that a checkup finds under one name."""
    document = aws.here.run("doctor", "--json", code=code).json
    return [
        Found(*(each[key] for key in ("verdict", "found", "advice")))
        for each in document["checks"]
        if each["check"] == check
    ]


def wrong(aws: AwsFarm, check: str) -> Found:
    """Return what is found where that check alone fails."""
    findings = checkup(aws.here, code=3)
    assert failed(findings) == [check], findings
    return findings[check]


# --- all is well ---


def test_where_all_is_well_every_check_says_so(sound: AwsFarm) -> None:
    findings = checkup(sound.here)
    of_aws = list(findings)[list(findings).index("credentials") :]
    assert {name: findings[name].verdict for name in of_aws} == dict.fromkeys(
        (
            *("credentials", "AWS clock", "permissions", "store", "ledger", "queue", "changes", "launch template"),
            *("image", "vCPU quota", "cache", "clock"),
        ),
        "ok",
    )
    assert findings["credentials"].found == f"account {ACCOUNT}, {USER}, region eu-central-1"
    assert findings["permissions"].found == "24 of 24 tried are granted"
    assert findings["image"].found == f"{AMI} ({PARAMETER}) is available, for x86_64"
    name = launch_template(sound.name)
    assert findings["launch template"].found == (
        f"'{name}', version 1: metadata by tokens only, a shutdown terminates, user data is there"
    )


@pytest.mark.slow
def test_it_changes_nothing_and_receives_nothing(sound: AwsFarm) -> None:
    # given a farm with a job, its messages, a dead letter and a node
    sound.submitted()
    sound.dead.send(["dead"])
    sound.launched()

    def all_there_is() -> object:
        dynamodb, sqs, ec2 = sound.clients.dynamodb, sound.clients.sqs, sound.clients.ec2
        tables = [dynamodb.scan(TableName=name)["Items"] for name in (jobs_table(sound.name), ledger_table(sound.name))]
        queues = {}
        for name in (new_jobs_queue(sound.name), changes_queue(sound.name), dead_letters(new_jobs_queue(sound.name))):
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            queues[name] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        templates = ec2.describe_launch_template_versions(LaunchTemplateName=launch_template(sound.name))
        found = sound.clients.ec2.describe_instances()["Reservations"], templates["LaunchTemplateVersions"]
        return tables, queues, found

    before = all_there_is()
    # when
    with sound.cloud.counting() as calls:
        findings = checkup(sound.here)
    # then
    assert all_there_is() == before
    assert findings["queue"].verdict == "warning"
    asked = {call.operation for call in calls}
    assert {"PutItem", "CreateFleet", "RunInstances", "TerminateInstances", "DeleteMessageBatch"} <= asked
    assert not {each for each in asked if each.startswith(("Receive", "Send", "TransactWrite"))}


# --- credentials and clock ---


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ExpiredToken", "the credentials have expired: renew them"),
        ("InvalidClientTokenId", "the credentials are not valid (InvalidClientTokenId)"),
    ],
)
@pytest.mark.slow
def test_where_aws_does_not_know_us_nothing_else_is_asked(sound: AwsFarm, code: str, sentence: str) -> None:
    sound.cloud.fail("sts", "GetCallerIdentity", refusal("sts", code, 403))
    with sound.cloud.counting() as calls:
        findings = checkup(sound.here, code=3)
    assert failed(findings) == ["credentials"]
    assert findings["credentials"].found.endswith(sentence)
    assert findings["credentials"].advice.startswith("credentials come from aws.profile, ")
    assert findings["account"] == Found(
        "warning",
        "permissions, tables, queues, launch template, image and limits are not looked at",
        "put right what is said of the credentials first",
    )
    assert {call.service for call in calls} == {"sts"}


@pytest.mark.slow
def test_without_credentials_or_a_region(sound: AwsFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert wrong(sound, "credentials").found == "no AWS region is named: set aws.region, or AWS_REGION"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert wrong(sound, "credentials").found.startswith("no AWS credentials are found for sts:GetCallerIdentity: ")


@pytest.mark.slow
def test_where_aws_cannot_be_reached(sound: AwsFarm) -> None:
    findings = checkup(sound.here, code=3, env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert failed(findings) == ["credentials"]
    assert findings["credentials"].found.startswith("AWS cannot be reached for sts:GetCallerIdentity")
    assert findings["credentials"].advice == "see the network, proxies, and AWS_ENDPOINT_URL"


@pytest.mark.parametrize(
    ("seconds", "verdict", "found"),
    [(60.0, "warning", "s behind AWS's"), (-60.0, "warning", "s ahead of AWS's"), (600.0, "failed", "s behind AWS's:")],
)
@pytest.mark.slow
def test_a_clock_that_is_off_by_the_date_of_the_answer(
    sound: AwsFarm, seconds: float, verdict: str, found: str
) -> None:
    called(sound, USER, seconds=seconds)
    clock = checkup(sound.here, code=3 if verdict == "failed" else 0)["AWS clock"]
    assert clock.verdict == verdict
    assert found in clock.found
    assert clock.advice.startswith("set the clock")


@pytest.mark.slow
def test_a_clock_for_which_aws_refuses_us(sound: AwsFarm) -> None:
    off = refusal("sts", "SignatureDoesNotMatch", 403, "Signature expired: 1 is now earlier than 2 (3 - 5 min.)")
    sound.cloud.fail("sts", "GetCallerIdentity", dated(off, 600))
    findings = checkup(sound.here, code=3)
    assert failed(findings) == ["credentials", "AWS clock"]
    assert "the clock of this machine is off" in findings["credentials"].found


# --- permissions ---


@pytest.mark.slow
def test_a_permission_that_is_denied(sound: AwsFarm) -> None:
    sound.cloud.fail("dynamodb", "UpdateItem", refusal("dynamodb", "AccessDeniedException"))
    said = f"dynamodb:UpdateItem is denied on table '{ledger_table(sound.name)}'"
    assert wrong(sound, "permissions") == Found("failed", said, ATTACH)


@pytest.mark.slow
def test_what_else_a_launch_takes_is_named(sound: AwsFarm) -> None:
    said = f"You are not authorized to perform: iam:PassRole on resource: arn:aws:iam::{ACCOUNT}:role/nodes"
    sound.cloud.fail("ec2", "RunInstances", refusal("ec2", "UnauthorizedOperation", 403, said))
    granted, denied = lines(sound, "permissions", code=3)
    assert granted.found == "23 of 24 tried are granted"
    assert denied == Found("failed", "iam:PassRole is denied on new nodes", ATTACH)


@pytest.mark.slow
def test_an_order_that_ec2_would_refuse_for_another_reason(sound: AwsFarm) -> None:
    said = "The security group 'sg-1' does not exist"
    sound.cloud.fail("ec2", "RunInstances", refusal("ec2", "InvalidGroup.NotFound", 400, said))
    assert said in wrong(sound, "launch").found


@pytest.mark.slow
def test_what_the_simulator_of_iam_denies(sound: AwsFarm) -> None:
    simulating(sound, {"sqs:SendMessage": "implicitDeny"})
    queues = f"queue '{new_jobs_queue(sound.name)}', queue '{changes_queue(sound.name)}'"
    assert wrong(sound, "permissions").found == f"sqs:SendMessage is denied on {queues}"


@pytest.mark.slow
def test_of_an_assumed_role_the_role_is_asked_about(sound: AwsFarm) -> None:
    called(sound, f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/anna")
    asked: list[dict[str, list[str]]] = []
    simulating(sound, {}, asked)
    checkup(sound.here)
    assert {form["PolicySourceArn"][0] for form in asked} == {f"arn:aws:iam::{ACCOUNT}:role/operator"}
    (passed,) = [form for form in asked if form["ActionNames.member.1"] == ["iam:PassRole"]]
    assert passed["ResourceArns.member.1"] == [f"arn:aws:iam::{ACCOUNT}:role/nommerctl-{sound.name}-node"]


@pytest.mark.slow
def test_who_may_not_ask_the_simulator_is_told_what_was_not_tried(sound: AwsFarm) -> None:
    sound.cloud.stand_in("iam", "SimulatePrincipalPolicy", lambda _: refusal("iam", "AccessDenied", 403))
    granted, left = lines(sound, "permissions")
    assert granted.found == "18 of 18 tried are granted"
    assert left.verdict == "ok"
    assert left.found.endswith(": sqs:SendMessage, sqs:ReceiveMessage, iam:PassRole, ec2:TerminateInstances")


@pytest.mark.slow
def test_a_bucket_that_may_not_be_looked_at(sound: AwsFarm) -> None:
    sound.here.settings |= {"AWS_BUCKETS": f"{sound.bucket}/out"}
    assert lines(sound, "permissions")[0].found == "26 of 26 tried are granted"
    sound.cloud.fail("s3", "GET uploads", refusal("s3", "AccessDenied", 403))
    assert wrong(sound, "permissions").found == f"s3:ListBucketMultipartUploads is denied on bucket '{sound.bucket}'"


@pytest.mark.parametrize(
    ("service", "operation", "check"),
    [
        ("dynamodb", "DescribeTable", "store"),
        ("ec2", "DescribeLaunchTemplateVersions", "launch template"),
        ("ec2", "DescribeInstanceTypes", "instance types"),
        ("ssm", "GetParameters", "image"),
        ("servicequotas", "GetServiceQuota", "vCPU quota"),
    ],
)
@pytest.mark.slow
def test_what_only_the_doctor_looks_at_is_a_warning_where_it_may_not(
    sound: AwsFarm, service: str, operation: str, check: str
) -> None:
    code = "UnauthorizedOperation" if service == "ec2" else "AccessDeniedException"
    sound.cloud.fail(service, operation, *[refusal(service, code, 403)] * 2)
    verdict, found, advice = lines(sound, check)[0]
    assert (verdict, advice) == ("warning", ATTACH)
    assert found.startswith("not looked at")
    assert f"AWS refuses {service}:{operation} on " in found


# --- tables and queues ---


@pytest.mark.slow
def test_a_table_that_is_not_there(sound: AwsFarm) -> None:
    name = jobs_table(sound.name)
    sound.clients.dynamodb.delete_table(TableName=name)
    assert wrong(sound, "store") == Found(
        "failed", f"table '{name}' is not there in this account and region", BOOTSTRAP
    )


@pytest.mark.slow
def test_a_table_without_one_of_its_indexes_and_one_whose_entries_do_not_expire(sound: AwsFarm) -> None:
    dynamodb, jobs, ledger = sound.clients.dynamodb, jobs_table(sound.name), ledger_table(sound.name)
    dynamodb.update_table(TableName=jobs, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": BY_CHANGE}}])
    dynamodb.update_time_to_live(TableName=ledger, TimeToLiveSpecification={"Enabled": False, "AttributeName": EXPIRES})
    assert lines(sound, "store", code=3) == [
        Found("failed", f"index '{BY_CHANGE}' of table '{jobs}' is not there", BOOTSTRAP)
    ]
    expiry, _ = lines(sound, "ledger", code=3)
    assert expiry.verdict == "warning"
    assert expiry.found == f"the entries of table '{ledger}' do not expire by '{EXPIRES}': it grows for ever"


@pytest.mark.parametrize("check", ["queue", "changes"])
@pytest.mark.slow
def test_a_queue_that_is_not_there(sound: AwsFarm, check: str) -> None:
    name = (new_jobs_queue if check == "queue" else changes_queue)(sound.name)
    sqs = sound.clients.sqs
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
    assert wrong(sound, check) == Found("failed", f"queue '{name}' is not there in this account and region", BOOTSTRAP)


@pytest.mark.slow
def test_dead_letters_that_wait_or_go_nowhere(sound: AwsFarm) -> None:
    # given a dead letter of either queue
    sound.dead.send(["dead"])
    sound.queue(dead_letters(changes_queue(sound.name))).send(["dead"])
    # then
    findings = checkup(sound.here)
    assert findings["queue"].found == "0 waiting, 0 in work, 1 dead"
    assert findings["changes"].found == "0 changes waiting, 1 dead"
    # and given that they are sent elsewhere from now on
    sqs, name = sound.clients.sqs, new_jobs_queue(sound.name)
    url = sqs.get_queue_url(QueueName=dead_letters(changes_queue(sound.name)))["QueueUrl"]
    other = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": other, "maxReceiveCount": 50})
    sqs.set_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], Attributes={"RedrivePolicy": policy}
    )
    # then
    elsewhere, _ = lines(sound, "queue")
    assert (elsewhere.verdict, elsewhere.advice) == ("warning", BOOTSTRAP)
    assert elsewhere.found.startswith(f"the dead letters of queue '{name}' go to '")


# --- what nodes are launched from ---


@pytest.mark.slow
def test_a_launch_template_that_is_not_there(sound: AwsFarm) -> None:
    sound.here.settings |= {"AWS_LAUNCH_TEMPLATE": "mine"}
    assert wrong(sound, "launch template") == Found(
        "failed",
        "launch template 'mine' is not there in this account and region",
        "see aws.launch_template; left out, it is the one that 'nommerctl aws bootstrap' makes",
    )
    sound.here.settings |= {"AWS_LAUNCH_TEMPLATE": ""}
    sound.clients.ec2.delete_launch_template(LaunchTemplateName=launch_template(sound.name))
    assert wrong(sound, "launch template").advice == BOOTSTRAP


@pytest.mark.slow
def test_a_launch_template_whose_nodes_cost_on_or_do_nothing(sound: AwsFarm) -> None:
    with_template(sound, InstanceInitiatedShutdownBehavior="stop", UserData=None, MetadataOptions=None)
    said = lines(sound, "launch template", code=3)
    assert [each.verdict for each in said] == ["failed", "warning", "warning"]
    assert {each.advice for each in said} == {BOOTSTRAP}
    assert said[0].found.endswith("a node that shuts itself down is stopped, not terminated, and its disk costs on")
    assert said[0].found.startswith(f"'{launch_template(sound.name)}', version 2: ")


@pytest.mark.slow
def test_an_image_that_is_not_there(sound: AwsFarm) -> None:
    parameters(sound, {})
    assert wrong(sound, "image").found == f"{PARAMETER} names no image"
    parameters(sound, {PARAMETER: "ami-00000000"})
    said = f"image 'ami-00000000' ({PARAMETER}) is not there for this account and region"
    assert wrong(sound, "image").found == said
    sound.here.settings |= {"AWS_AMI": "ami-00000001"}
    assert "(aws.ami)" in wrong(sound, "image").found


@pytest.mark.slow
def test_an_image_that_does_not_fit_the_instance_types(sound: AwsFarm) -> None:
    sound.here.settings |= {"AWS_INSTANCE_TYPES": "c7g.large"}
    assert wrong(sound, "image").found == f"{AMI} ({PARAMETER}) is for x86_64, which c7g.large cannot run"


@pytest.mark.slow
def test_instance_types_that_ec2_does_not_have(sound: AwsFarm) -> None:
    sound.here.settings |= {"AWS_INSTANCE_TYPES": "c7i.large,c99.large"}
    assert lines(sound, "instance types") == [
        Found("warning", "EC2 has no c99.large in this region", "take such types out of aws.instance_types")
    ]


@pytest.mark.slow
def test_a_quota_that_is_too_small_for_max_nodes(sound: AwsFarm) -> None:
    quotas(sound, {"L-34B43A08": 5.0, "L-1216C47A": 64.0})
    sound.here.settings |= {"SCALE_MAX_NODES": "10", "AWS_INSTANCE_TYPES": "c7i.large,c7i.2xlarge"}
    spot, on_demand = lines(sound, "vCPU quota")
    assert spot == Found(
        "warning",
        "10 nodes (scale.max_nodes) of c7i.2xlarge may need 80 vCPUs; of standard spot instances this account may have"
        " 5",
        "lower scale.max_nodes, or: aws service-quotas request-service-quota-increase --service-code ec2"
        " --quota-code L-34B43A08 --desired-value 80",
    )
    assert on_demand.verdict == "warning"
