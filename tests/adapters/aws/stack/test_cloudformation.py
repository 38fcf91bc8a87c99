"""The parts of nodes as a CloudFormation document: linted, and deployed on moto."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from nommerctl.adapters.aws.stack.blueprint import GROUP, PROFILE, ROLE, TEMPLATE
from nommerctl.adapters.aws.stack.cloudformation import document
from nommerctl.domain.stack import Resource, differences
from tests.adapters.aws.stack.node_account import NodeAccount
from tests.aws_servers import NoServerError, installed, skipped_unless_in_ci

CFN_LINT = "1.58.0"


@pytest.fixture
def cloudformation(account: NodeAccount, aws_account: None) -> Any:  # noqa: ANN401, ARG001 - there are no types of it; credentials
    return botocore.session.get_session().create_client("cloudformation", endpoint_url=account.cloud.url)


def test_the_document_has_every_part_by_its_logical_name_and_nothing_that_is_only_ours(account: NodeAccount) -> None:
    farm = account.farm()
    wheel = Resource(logical="Wheel", kind="nommerctl::Wheel", name="x", properties={})

    made = json.loads(document([*farm.wanted, wheel], farm.name))

    assert made["AWSTemplateFormatVersion"] == "2010-09-09"
    assert farm.name in made["Description"]
    assert list(made["Resources"]) == [GROUP, ROLE, PROFILE, TEMPLATE]
    assert made["Resources"][TEMPLATE]["Type"] == "AWS::EC2::LaunchTemplate"
    data = made["Resources"][TEMPLATE]["Properties"]["LaunchTemplateData"]
    assert data["SecurityGroupIds"] == [{"Fn::GetAtt": [GROUP, "GroupId"]}]
    assert "KeyName" not in data


def test_what_the_document_makes_is_found_as_it_is_wanted(account: NodeAccount, cloudformation: Any) -> None:  # noqa: ANN401 - see there
    """But for what moto gets wrong: an inline policy becomes Python's text of it, IPv6 rules are left out."""
    farm = account.farm()
    farm.set(key_name="mine")

    cloudformation.create_stack(
        StackName=f"nommerctl-{farm.name}",
        TemplateBody=document(farm.wanted, farm.name),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    found = {logical: farm.found(logical) for logical in (GROUP, ROLE, PROFILE, TEMPLATE)}
    gaps = {
        logical: [each.path for each in differences(found[logical].properties, farm.part(logical).properties)]
        for logical in found
    }
    assert gaps == {
        GROUP: ["SecurityGroupEgress"],
        ROLE: ["Policies.0.PolicyDocument"],
        PROFILE: ["Tags"],  # CloudFormation gives none
        TEMPLATE: [],
    }
    assert found[GROUP].made_by == f"nommerctl-{farm.name}"
    assert found[TEMPLATE].farm == farm.name


def test_what_the_document_makes_is_completed_by_bringing_up(account: NodeAccount, cloudformation: Any) -> None:  # noqa: ANN401 - see there
    farm = account.farm()
    cloudformation.create_stack(
        StackName=f"nommerctl-{farm.name}",
        TemplateBody=document(farm.wanted, farm.name),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    farm.bring_up()

    assert farm.differences() == []


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["c7i.large", "c7g.large"])
def test_the_document_passes_the_linter(account: NodeAccount, tmp_path: Path, architecture: str) -> None:
    try:
        linter = installed("cfn-lint", CFN_LINT)
    except NoServerError as error:
        skipped_unless_in_ci(error)
    farm = account.farm()
    farm.set(instance_types=(architecture,), key_name="mine")
    path = tmp_path / "farm.json"
    path.write_text(document(farm.wanted, farm.name))

    command = [linter, "--regions", "eu-central-1", "--", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)

    assert (done.returncode, done.stdout) == (0, "")
