"""A farm on AWS whose requests are counted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nommerctl.wiring.farm import Farm, Invocation, load
from tests.aws_farm import AwsFarm, aws_farm
from tests.cloud import Cloud, cloud


@pytest.fixture(scope="module")
def servers(ministack_url: str, moto_url: str) -> Iterator[Cloud]:
    with cloud(ministack_url, moto_url) as made:
        yield made


@pytest.fixture
def farm(
    servers: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[AwsFarm]:
    """A farm that has been refreshed once, so that its cache is warm and its queues are known."""
    request.getfixturevalue("aws_account")
    monkeypatch.setenv("AWS_ENDPOINT_URL", servers.url)
    with aws_farm(servers, tmp_path, AWS_AMI="", AWS_LAUNCH_TEMPLATE="nodes") as made:
        ec2 = made.clients.ec2
        if not ec2.describe_launch_templates()["LaunchTemplates"]:
            ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData={"ImageId": "ami-12c6146b"})
        made.here.run("refresh")
        made.here.run("scale")
        yield made


@pytest.fixture
def inside(farm: AwsFarm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    """The same farm, as a pass has it."""
    for name, value in farm.here.environment().items():
        if name.startswith("NOMMERCTL_"):
            monkeypatch.setenv(name, value)
    made = Farm(load(Invocation()))
    yield made
    made.close()
