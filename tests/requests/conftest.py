"""A farm on AWS whose requests are counted."""

from collections.abc import Iterator

import pytest

from nommerctl.wiring.farm import Farm, Invocation, load
from tests.aws_farm import AMI, AwsFarm


@pytest.fixture
def farm(aws: AwsFarm) -> AwsFarm:
    """A farm with a launch template that has been refreshed once: its cache is warm and its queues are known."""
    aws.here.settings |= {"AWS_AMI": "", "AWS_LAUNCH_TEMPLATE": "nodes"}
    ec2 = aws.clients.ec2
    if not ec2.describe_launch_templates(Filters=[{"Name": "launch-template-name", "Values": ["nodes"]}])[
        "LaunchTemplates"
    ]:
        ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData={"ImageId": AMI})
    aws.here.run("refresh")
    aws.here.run("scale")
    return aws


@pytest.fixture
def inside(farm: AwsFarm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    """The same farm, as a pass has it."""
    for name, value in farm.here.environment().items():
        if name.startswith("NOMMERCTL_"):
            monkeypatch.setenv(name, value)
    made = Farm(load(Invocation()))
    yield made
    made.close()
