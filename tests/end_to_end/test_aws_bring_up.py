"""Bringing a farm up in an account by the command line, and taking it down again."""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.retries.standard import ExponentialBackoff

from nommerctl.adapters.aws.clients import Clients
from tests import aws_servers
from tests.aws_bring_up import Account, account
from tests.cloud import Cloud, refusal
from tests.iam import allowed
from tests.iam_needs import needs
from tests.terminal import run_in_terminal

PARTS = [
    "table nommerctl-{}-jobs",
    "table nommerctl-{}-ledger",
    "queue nommerctl-{}-new-jobs-dead",
    "queue nommerctl-{}-new-jobs",
    "queue nommerctl-{}-state-changes-dead",
    "queue nommerctl-{}-state-changes",
    "bucket nommerctl-{}-123456789012-eu-central-1",
    "wheel nommerctl-{}-123456789012-eu-central-1/wheels/nommerctl-0.1.0-py3-none-any.whl",
    "security group nommerctl-{}",
    "role nommerctl-{}-node",
    "instance profile nommerctl-{}-node",
    "launch template nommerctl-{}",
]


@pytest.fixture
def films(cloud: Cloud, cloud_clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    given = {"AWS_ENDPOINT_URL": cloud.url, "AWS_EC2_METADATA_DISABLED": "true"}
    for name, value in (aws_servers.CREDENTIALS | given).items():
        monkeypatch.setenv(name, value)
    with account(cloud, cloud_clients, tmp_path, (sys.executable, "-m", "nommerctl")) as made:
        yield made


@pytest.mark.slow
def test_a_farm_is_brought_up_used_and_taken_down(films: Account) -> None:
    # when it is said, nothing is made
    planned = films.changes("aws", "bootstrap", "--dry-run")
    assert planned == [("create", part.format(films.name)) for part in PARTS]
    # when it is made, all of it is there
    assert films.changes("aws", "bootstrap") == planned
    assert films.changes("aws", "bootstrap") == []
    # and the farm can be used
    films.clients.s3().put_object(Bucket=f"media-{films.name}", Key="in.mov", Body=b"a film")
    there = f"s3://media-{films.name}"
    films.run("submit", f"{there}/in.mov", "--dest", f"{there}/out.mp4", "--preset", "web-720p")
    films.run("refresh")
    assert films.run("scale", "--dry-run", "--json").json["plan"]["launch"] == 1
    # when it is taken down while a job is unfinished, that is refused
    refused = films.run("aws", "teardown", "--yes", code=2)
    assert refused.stderr == (
        "nommerctl: 1 job of this farm is unfinished: wait for it, cancel it, or give --force to lose it\n"
    )
    node, others = films.launched(), films.launched("another")
    # when it is forced, everything goes but what is not the farm's
    said = films.run("aws", "teardown", "--yes", "--force").stdout
    assert said.endswith("0 resources left\n")
    assert (films.instance_state(node), films.instance_state(others)) == ("terminated", "running")
    assert films.clients.s3().list_objects_v2(Bucket=f"media-{films.name}")["KeyCount"] == 1
    assert films.here.listed() == {}
    assert films.run("aws", "teardown", "--yes").stdout == "teardown: nothing to do\n0 resources left\n"


@pytest.mark.slow
def test_nodes_are_launched_as_they_should_be(films: Account) -> None:
    films.run("aws", "bootstrap")
    template = films.template()
    assert template["MetadataOptions"]["HttpTokens"] == "required"
    assert template["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert template["InstanceInitiatedShutdownBehavior"] == "terminate"
    (disk,) = template["BlockDeviceMappings"]
    assert (disk["Ebs"]["VolumeType"], disk["Ebs"]["Encrypted"], disk["Ebs"]["VolumeSize"]) == ("gp3", True, 50)
    assert template["ImageId"] == "resolve:ssm:/aws/service/debian/release/12/latest/amd64"
    boot = base64.b64decode(template["UserData"])
    assert boot.startswith(b"#!/usr/bin/python3\n")
    assert len(boot) <= 16 * 1024
    groups = films.clients.ec2.describe_security_groups(GroupIds=template["SecurityGroupIds"])["SecurityGroups"]
    assert [group["IpPermissions"] for group in groups] == [[]]


@pytest.mark.slow
def test_a_changed_setting_is_shown_as_a_diff_and_applied(films: Account) -> None:
    films.run("aws", "bootstrap")
    said = films.run("aws", "bootstrap", "--dry-run", AWS_DISK_GB="100").stdout
    assert "[dry run] update launch template" in said
    assert "50" in said
    assert "100" in said
    assert films.template()["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 50
    films.run("aws", "bootstrap", AWS_DISK_GB="100")
    assert films.template()["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 100
    assert films.changes("aws", "bootstrap", AWS_DISK_GB="100") == []


@pytest.mark.slow
def test_two_farms_live_in_one_account(films: Account) -> None:
    # given a farm whose name begins like the other's
    films.run("aws", "bootstrap")
    longer = f"{films.name}-b"
    films.run("aws", "bootstrap", FARM_NAME=longer)
    # when one is taken down
    films.run("aws", "teardown", "--yes")
    # then the other one stands
    assert films.changes("aws", "bootstrap", FARM_NAME=longer) == []
    assert films.run("aws", "teardown", "--yes", FARM_NAME=longer).stdout.endswith("0 resources left\n")


@pytest.mark.slow
def test_a_part_of_another_farm_s_is_left_alone_and_the_name_is_what_is_wrong(films: Account) -> None:
    # given a queue that is called as this farm's would be, and is another one's
    queue = f"nommerctl-{films.name}-new-jobs"
    url = films.clients.sqs.create_queue(QueueName=queue, tags={"nommerctl:farm": "other"})["QueueUrl"]
    # when the farm is brought up, nothing is made
    assert films.run("aws", "bootstrap", code=78).stderr == (
        f"nommerctl: queue {queue} carries the tag nommerctl:farm = other, so it is another farm's: call this one"
        f" otherwise (farm.name is {films.name})\n"
    )
    # and of this farm there is nothing to take down
    assert films.run("aws", "teardown", "--yes").stdout == "teardown: nothing to do\n0 resources left\n"
    films.clients.sqs.delete_queue(QueueUrl=url)


@pytest.mark.slow
def test_nobody_is_asked_where_nobody_is(films: Account) -> None:
    films.run("aws", "bootstrap")
    assert "nobody is there to be asked: give --yes" in films.run("aws", "teardown", code=2).stderr
    assert films.changes("aws", "bootstrap") == []


def asked(films: Account, typed: str, code: int = 0) -> str:
    """Take the farm down in a terminal; return what is seen there."""
    plain = {"NO_COLOR": "1"}
    return run_in_terminal(films.here, "aws", "teardown", columns=80, env=plain, typed=typed, code=code).stdout


@pytest.mark.slow
def test_who_is_asked_sees_what_would_go_and_a_no_changes_nothing(films: Account) -> None:
    films.run("aws", "bootstrap")
    # when it is asked, and answered by no, or by Ctrl-D
    for typed, code in (("n\n", 0), ("\x04", 130)):
        said = asked(films, typed, code)
        # then it was said once what would go, and that nothing has
        assert said.count(f"[dry run] delete launch template nommerctl-{films.name}") == 1
        assert f"Take farm '{films.name}' down? [y/N]: " in said
        assert said.endswith("nommerctl: nothing was changed\n")
    assert films.changes("aws", "bootstrap") == []
    # when it is answered by yes, all of it goes
    said = asked(films, "y\n")
    assert said.endswith("0 resources left\n")
    # while it goes on it is seen what it is at, for that may take minutes
    assert "look at what is there" in said
    # and of nothing it is said once that there is nothing to do
    nothing = asked(films, "")
    assert nothing.endswith("teardown: nothing to do\n0 resources left\n")
    assert nothing.count("nothing to do") == 1


@pytest.mark.slow
def test_what_may_not_be_made_names_the_permission_and_the_rest_is_kept(films: Account) -> None:
    films.cloud.fail("iam", "CreateRole", refusal("iam", "AccessDenied", 403))
    said = films.run("aws", "bootstrap", code=77)
    assert "iam:CreateRole" in said.stderr
    assert "create table" in said.stdout
    made = [target for _, target in films.changes("aws", "bootstrap")]
    assert made == [part.format(films.name) for part in PARTS[-3:]]


@pytest.mark.slow
@pytest.mark.parametrize("role", ["operator", "worker", "bootstrap"])
def test_policies_are_printed_as_iam_takes_them(films: Account, role: str) -> None:
    policy = json.loads(films.run("aws", "iam-policy", role).stdout)
    assert policy["Version"] == "2012-10-17"
    assert all(statement["Effect"] == "Allow" for statement in policy["Statement"])


@pytest.mark.slow
def test_an_operator_may_pass_the_role_in_a_profile_of_ones_own_whatever_it_is_called(films: Account) -> None:
    iam, profile, role = films.clients.iam, f"profile-{films.name}", f"role-{films.name}"
    missing = films.run("aws", "iam-policy", "operator", code=78, AWS_INSTANCE_PROFILE=profile)
    assert f"there is no instance profile {profile} in this account that holds a role" in missing.stderr
    made = iam.create_role(RoleName=role, Path="/team/", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    iam.create_instance_profile(InstanceProfileName=profile)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    policy = json.loads(films.run("aws", "iam-policy", "operator", AWS_INSTANCE_PROFILE=profile).stdout)
    assert [each["Resource"] for each in policy["Statement"] if each["Action"] == ["iam:PassRole"]] == [[made]]


@pytest.mark.slow
def test_who_brings_up_without_a_wheel_may_look_for_the_bucket_of_one_when_it_is_taken_down(films: Account) -> None:
    policy = json.loads(films.run("aws", "iam-policy", "bootstrap", AWS_PACKAGE="").stdout)
    with films.cloud.recording() as requests:
        films.run("aws", "teardown", "--dry-run", AWS_PACKAGE="")
    asked = [need for need in needs(requests) if need.action.startswith("s3:")]
    assert [need.action for need in asked] == ["s3:GetBucketTagging"]
    assert all(allowed(policy, need) for need in asked)


def test_settings_that_do_not_do_are_refused(films: Account) -> None:
    assert "aws.buckets is empty: name the buckets" in films.run("aws", "bootstrap", code=78, AWS_BUCKETS="").stderr
    assert "farm.backend is local" in films.run("aws", "bootstrap", code=78, BACKEND="local").stderr
    assert "is no wheel of nommerctl" in films.run("aws", "bootstrap", code=78, AWS_PACKAGE="/x.whl").stderr
    assert "leave --dry-run" in films.run("aws", "bootstrap", "--format", "cloudformation", "--dry-run", code=2).stderr
