"""An account on servers of this machine in which a farm is brought up, and taken down, by the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from nommerctl import __version__
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import FARM_TAG
from tests.cli import InProcessCli, Result
from tests.cloud import Cloud
from tests.wheels import empty_wheel

AMI = "ami-12c6146b"
"""One that moto knows: it has no image of Debian."""


@dataclass
class Account:
    """One farm's command line, and a way to look at what there is in the account. Its media bucket is there before."""

    name: str
    cloud: Cloud
    clients: Clients
    here: InProcessCli

    def run(self, *arguments: str, code: int | None = 0, **settings: str) -> Result:
        """Run a command with these settings besides."""
        named = {f"NOMMERCTL_{name}": value for name, value in settings.items()}
        return self.here.run(*arguments, code=code, env=named)

    def changes(self, *arguments: str, **settings: str) -> list[tuple[str, str]]:
        """Run a command and return what it says that it changed: action and target."""
        document = self.run(*arguments, "--json", code=0, **settings).json
        assert document["failed"] == []
        return [(each["action"], each["target"]) for each in document["changed"]]

    def template(self) -> dict[str, Any]:
        """The data of the default version of the farm's launch template."""
        (version,) = self.clients.ec2.describe_launch_template_versions(
            LaunchTemplateName=f"nommerctl-{self.name}", Versions=["$Default"]
        )["LaunchTemplateVersions"]
        return dict(version["LaunchTemplateData"])

    def launched(self, farm: str = "") -> str:
        """Launch an instance that carries a farm's tag, and return its id."""
        tags: Any = [{"ResourceType": "instance", "Tags": [{"Key": FARM_TAG, "Value": farm or self.name}]}]
        (launched,) = self.clients.ec2.run_instances(ImageId=AMI, MinCount=1, MaxCount=1, TagSpecifications=tags)[
            "Instances"
        ]
        return launched["InstanceId"]

    def instance_state(self, node: str) -> str:
        """The state of an instance."""
        (reservation,) = self.clients.ec2.describe_instances(InstanceIds=[node])["Reservations"]
        return reservation["Instances"][0]["State"]["Name"]


@contextmanager
def account(cloud: Cloud, clients: Clients, folder: Path, executable: tuple[str, ...]) -> Iterator[Account]:
    """Make a media bucket and a wheel; the environment has to name the cloud. What is left is taken down."""
    name = f"t{token_hex(4)}"
    bucket = f"media-{name}"
    region: Any = clients.ec2.meta.region_name
    clients.s3().create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    wheel = empty_wheel(folder, __version__)
    settings = {
        "BACKEND": "aws",
        "FARM_NAME": name,
        "AWS_BUCKETS": bucket,
        "AWS_INSTANCE_TYPES": "c6i.large",
        "AWS_PACKAGE": str(wheel),
    }
    here = InProcessCli(folder / "state", cwd=folder, executable=executable, settings=settings)
    made = Account(name, cloud, clients, here)
    try:
        yield made
    finally:
        cloud.heal()
        made.run("aws", "teardown", "--yes", "--force", code=None)
