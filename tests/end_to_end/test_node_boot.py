"""Nodes boot by their user data, as it stands in the launch template: on a clean Debian 12 with a systemd of its own.

Such a machine has no network but loopback. There it finds the metadata service at its real address, AWS, and a proxy
that lets it reach the package indexes and nothing else.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import pytest

from nommerctl.adapters.aws.node.boot import FAILURE_TAG
from tests import debian, metadata
from tests.aws_farm import REGION, AwsFarm
from tests.aws_servers import SURROUNDINGS, NoServerError, skipped_unless_in_ci
from tests.clips import Clips
from tests.debian import Debian, machine
from tests.end_to_end.aws_yard import QUICK, outputs_are_whole
from tests.gateway import METADATA, Gateway, Loopback, gateway, loopback, relayed
from tests.metadata import DOCUMENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]

STUB = "/opt/nommerctl/bin/nommerctl"
"""Where an image has nommerctl that has everything baked in."""


@pytest.fixture(scope="module")
def clean() -> Path:
    """A clean Debian 12."""
    try:
        return debian.root()
    except NoServerError as error:
        skipped_unless_in_ci(error)
        raise


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this very tree, built in a copy of it."""
    copy, built = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "nommerctl", copy / "nommerctl", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(built), str(copy)]
    subprocess.run(build, check=True, env=SURROUNDINGS)
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture
def farm(aws: AwsFarm, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsFarm]:
    """A farm that was brought up by the command line, of an image that moto knows."""
    template = f"nommerctl-{aws.name}"
    package = {"AWS_BUCKETS": aws.bucket, "AWS_PACKAGE": str(wheel), "AWS_LAUNCH_TEMPLATE": template}
    aws.here.settings |= {**QUICK, **package, "AWS_PRICES": "c7i.large=0.0893"}
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    aws.here.run("aws", "bootstrap")
    yield aws
    aws.here.run("aws", "teardown", "--yes", "--force")


@dataclass
class Site:
    """Where machines are: their network and what they can reach of it."""

    farm: AwsFarm
    clean: Path
    network: Loopback
    outside: Gateway

    @property
    def indexes_asked(self) -> set[str]:
        """The hosts that machines wanted to reach."""
        return self.outside.asked

    def tamper(self, wheel: Path) -> None:
        """Put something else into the farm's bucket in place of the wheel."""
        identity = self.farm.clients.sts.get_caller_identity()
        bucket = f"nommerctl-{self.farm.name}-{identity['Account']}-{REGION}"
        self.farm.clients.s3().put_object(Bucket=bucket, Key=f"wheels/{wheel.name}", Body=wheel.read_bytes() + b"more")

    def user_data(self) -> bytes:
        """What EC2 has as the user data of nodes."""
        (found,) = self.farm.clients.ec2.describe_launch_template_versions(
            LaunchTemplateName=f"nommerctl-{self.farm.name}", Versions=["$Default"]
        )["LaunchTemplateVersions"]
        return base64.b64decode(found["LaunchTemplateData"]["UserData"])

    @contextmanager
    def machine(self, instance: str) -> Iterator[Debian]:
        """Prepare the machine of an instance."""
        endpoint = {"AWS_ENDPOINT_URL": self.farm.cloud.url}
        with machine(self.user_data(), endpoint) as made, metadata.serving(self.network.listen(METADATA, 80)) as told:
            told.has_a_role()
            document = DOCUMENT | {"instanceId": instance, "region": REGION}
            told.answers["/latest/dynamic/instance-identity/document"] = 200, json.dumps(document).encode()
            yield made

    def lives(self, made: Debian, instance: str, within: float) -> None:
        """Let a machine boot and do its work; EC2 terminates its instance when it has powered itself off."""
        with made.booted(self.clean, self.network):
            made.wait_until_off(within)
        self.farm.clients.ec2.terminate_instances(InstanceIds=[instance])

    def failure(self, instance: str) -> str:
        """What the instance's tag says of why it failed."""
        found = self.farm.clients.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance]}])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}.get(FAILURE_TAG, "")


@pytest.fixture
def site(farm: AwsFarm, clean: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        network = stack.enter_context(loopback())
        port = urlsplit(farm.cloud.url).port or 0
        stack.enter_context(relayed(network.listen("127.0.0.1", port), port))
        gate = Gateway(debian.indexes(), getproxies())
        stack.enter_context(gateway(network.listen(*debian.PROXY), gate))
        yield Site(farm, clean, network, gate)


def launched(farm: AwsFarm) -> str:
    """Have scale launch the one node that the farm's jobs ask for."""
    farm.cli.run("run", "--quiet")
    (instance,) = farm.instances()
    return instance


def submitted(farm: AwsFarm, clips: Clips) -> None:
    source = farm.put("in/film.mp4", clips["plain.mp4"].read_bytes())
    farm.cli.run("submit", source, "--dest", f"s3://{farm.bucket}/out/", "--preset", "web-1080p")


def test_a_clean_debian_becomes_a_node_encodes_a_job_from_s3_and_ends_itself(
    site: Site, clips: Clips, tmp_path: Path
) -> None:
    # given a job, and a node that was launched for it
    farm = site.farm
    submitted(farm, clips)
    instance = launched(farm)
    # when it boots
    with site.machine(instance) as node:
        site.lives(node, instance, within=240)
        # then the job is done, and the node has nothing to say of itself but that
        farm.cli.run("refresh")
        (job,) = farm.here.listed().values()
        assert job["state"] == "FINISHED", node.console
        outputs_are_whole(farm, ["film-web-1080p.mp4"], tmp_path / "output.mp4")
        assert {entry["by"] for entry in shown(farm, job["id"])["history"][1:]} == {instance}
        assert site.failure(instance) == ""
        assert "nommerctl boot: the worker is started" in node.console
        assert f"worker {instance} ends: no work" in node.console
    assert farm.instances() == set()


def shown(farm: AwsFarm, job_id: str) -> dict[str, list[dict[str, str]]]:
    """What is known of a job."""
    found: dict[str, list[dict[str, str]]] = farm.here.run("show", job_id, "--json").json["job"]
    return found


def test_a_wheel_that_is_not_what_it_should_be_is_not_installed_and_the_instance_says_so(
    site: Site, wheel: Path, clips: Clips
) -> None:
    site.tamper(wheel)
    submitted(site.farm, clips)
    instance = launched(site.farm)
    with site.machine(instance) as node:
        node.put("usr/bin/ffmpeg", "#!/bin/sh\n", 0o755)  # it would take long to install and does not matter here
        site.lives(node, instance, within=120)
        assert not (node.files / STUB[1:]).exists()
    assert site.failure(instance).startswith(
        "boot failed to install nommerctl: python ended with 1: THESE PACKAGES DO NOT MATCH THE HASHES"
    )
    assert site.farm.instances() == set()


IN_THE_UNIT = """\
#!/bin/sh
echo "as $(id -un) in $(pwd): $*"
unshare --user --net true && echo "ffmpeg can be cut off from the network"
unshare --user --mount true || echo "no other namespaces"
touch "$0" || echo "the program stays as it is"
"""
"""A stand-in for nommerctl, which looks at what the unit lets it do."""


def test_an_image_with_everything_baked_in_gets_nothing_installed_and_works_in_confinement(
    site: Site, clips: Clips
) -> None:
    submitted(site.farm, clips)
    instance = launched(site.farm)
    with site.machine(instance) as node:
        node.put(STUB, IN_THE_UNIT, 0o755)
        site.lives(node, instance, within=60)
        assert f"{STUB} is there: nothing is installed" in node.console
        assert "as nommerctl in /var/lib/nommerctl: worker" in node.console
        assert "ffmpeg can be cut off from the network" in node.console, node.console
        assert "no other namespaces" in node.console
        assert "the program stays as it is" in node.console
        assert (node.files / "var/lib/nommerctl").stat().st_mode & 0o777 == 0o700
    assert (site.indexes_asked, site.failure(instance)) == (set(), "")


def test_a_worker_that_cannot_start_leaves_its_last_words_in_the_tag_and_no_instance(site: Site, clips: Clips) -> None:
    submitted(site.farm, clips)
    instance = launched(site.farm)
    with site.machine(instance) as node:
        node.put(STUB, "#!/bin/sh\necho nommerctl: there is no table of that name >&2\nexit 78\n", 0o755)
        site.lives(node, instance, within=60)
    assert site.failure(instance) == "the worker failed (exit-code 78): nommerctl: there is no table of that name"
    assert site.farm.instances() == set()


def test_nothing_but_the_indexes_can_be_reached_from_a_machine(site: Site) -> None:
    def directly() -> str:
        try:
            socket.create_connection(("192.0.2.1", 443), timeout=5).close()
        except OSError as error:
            return os.strerror(error.errno or 0)
        return "reached"

    def by_proxy(host: str) -> bytes:
        with socket.create_connection(debian.PROXY, timeout=30) as line:
            line.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
            return line.recv(100).partition(b"\r\n")[0]

    assert site.network.run(directly) == "Network is unreachable"
    assert site.network.run(lambda: by_proxy("pypi.org")) == b"HTTP/1.1 200 Connection established"
    assert site.network.run(lambda: by_proxy("www.example.org")) == b"HTTP/1.1 403 Forbidden"
