"""Instances of EC2 that work: for each one that a farm launches, a real worker process on this machine."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nommerctl.adapters.aws.names import FARM_TAG
from tests import metadata
from tests.aws_servers import REGION
from tests.metadata import DOCUMENT, Metadata

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client
    from types_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef

LOOKS_EVERY = 0.1

_SHUTDOWN = f"""#!{sys.executable} -S
import pathlib, sys, urllib.request
called, url, instance = {{arguments}}
pathlib.Path(called).touch()
form = "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=" + instance
scope = {{{{"Authorization": "AWS4-HMAC-SHA256 Credential=ec2/20260101/{REGION}/ec2/aws4_request"}}}}
urllib.request.urlopen(urllib.request.Request(url, form.encode(), scope)).read()
"""
"""What `shutdown` is on an instance that was launched to terminate by it: the worker has no permission to end it."""


@dataclass
class Machine:
    """An instance, the worker on it, and what is told to it as the metadata service of EC2."""

    id: str
    market: str
    folder: Path
    service: Metadata
    worker: subprocess.Popen[bytes]

    @property
    def shut_itself_down(self) -> bool:
        """Whether its worker called for the end of the machine."""
        return (self.folder / "shut-down").exists()

    @property
    def log(self) -> str:
        """What the worker said."""
        return (self.folder / "worker.log").read_text()


class Instances:
    """Watches the instances of a farm in EC2 and lets each of them do what its user data would: run a worker.

    A worker whose instance is terminated dies with it. `machines` are all that there ever were, by id; `most` is how
    many of them there were at one time.
    """

    def __init__(self, ec2: "EC2Client", farm: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.machines: dict[str, Machine] = {}
        self.most = 0
        self.alive: frozenset[str] = frozenset()
        self._ec2 = ec2
        self._ours = farm
        self._folder = folder
        self._environment = environment
        self._services = ExitStack()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="instances", daemon=True)

    @contextmanager
    def watched(self) -> Iterator["Instances"]:
        """Watch; whatever is left is ended afterwards."""
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join()
            for machine in self.machines.values():
                self.cut_off(machine)
            self._services.close()

    def wait_until_gone(self, within: float = 30.0) -> None:
        """Wait until none is alive; if one stays, fail with what its worker said."""
        deadline = time.monotonic() + within
        while self.alive:
            left = {node: self.machines[node].log for node in self.alive}
            assert time.monotonic() < deadline, left
            time.sleep(LOOKS_EVERY)

    def cut_off(self, machine: Machine) -> None:
        """End an instance from one instant to the next, as when its host fails."""
        machine.worker.kill()
        machine.worker.wait()
        self._ec2.terminate_instances(InstanceIds=[machine.id])

    def _watch(self) -> None:
        while not self._over.wait(LOOKS_EVERY):
            shown = {found["InstanceId"]: found for found in self._shown()}
            for node, found in shown.items():
                if node not in self.machines:
                    self.machines[node] = self._started(found)
            for node, machine in self.machines.items():
                if node not in shown and not machine.shut_itself_down:
                    machine.worker.kill()
            self.alive = frozenset(shown)
            self.most = max(self.most, len(shown))

    def _shown(self) -> "Iterator[InstanceTypeDef]":
        mine: FilterTypeDef = {"Name": f"tag:{FARM_TAG}", "Values": [self._ours]}
        alive: FilterTypeDef = {"Name": "instance-state-name", "Values": ["pending", "running"]}
        for reservation in self._ec2.describe_instances(Filters=[mine, alive])["Reservations"]:
            yield from reservation["Instances"]

    def _started(self, found: "InstanceTypeDef") -> Machine:
        node, market = found["InstanceId"], found.get("InstanceLifecycle", "on-demand")
        folder = self._folder / node
        programs = folder / "sbin"
        programs.mkdir(parents=True)
        service = self._services.enter_context(metadata.serving())
        document = {
            "availabilityZone": found["Placement"]["AvailabilityZone"],
            "instanceId": node,
            "instanceType": found["InstanceType"],
            "region": REGION,
        }
        service.answers["/latest/dynamic/instance-identity/document"] = 200, json.dumps(DOCUMENT | document).encode()
        service.answers["/latest/meta-data/instance-life-cycle"] = 200, market.encode()
        called = (str(folder / "shut-down"), self._environment["AWS_ENDPOINT_URL"], node)
        shutdown = programs / "shutdown"
        shutdown.write_text(_SHUTDOWN.format(arguments=called))
        shutdown.chmod(0o755)
        environment = {
            **self._environment,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url,
            "NOMMERCTL_STATE_DIR": str(folder / "state"),
            "PATH": f"{programs}:/usr/bin:/bin",
        }
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "nommerctl", "worker", "--power-off", "--slots", "1"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return Machine(node, market, folder, service, worker)
