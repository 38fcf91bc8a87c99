"""What the backends on AWS have in common: clients, queues in SQS, nodes that are instances of EC2."""

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypedDict, Unpack

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ec2 import EC2InstanceManager, EC2Instances
from nommerctl.adapters.aws.outbox import Outbox
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.ports import Clock, Fleet, Together


class Surroundings(TypedDict):
    """What a backend finds around itself.

    `folder` is where the state folder keeps what saves requests and time (URLs of queues, models of services); nothing
    in it is needed. `environment` is that of the process; what `keep_on` raises comes out of any call.
    """

    folder: Path
    cached: CachedJobs
    clock: Clock
    keep_on: Callable[[], None]
    environment: Mapping[str, str]


class OnAws:
    """What a farm on AWS stands on, each part made when it is first asked for."""

    def __init__(self, farm: str, settings: AwsSettings, **around: Unpack[Surroundings]) -> None:
        self._farm = farm
        self._settings = settings
        self._folder = around["folder"]
        self._cached = around["cached"]
        self._clock = around["clock"]
        self._keep_on = around["keep_on"]
        self.region = settings.region or around["environment"].get("AWS_REGION", "")
        self._outbox = Outbox()
        self._own = threading.local()

    @property
    def old_image(self) -> str:
        """The image of nodes that are not the farm's own, and count all the same."""
        return ""

    @functools.cached_property
    def clients(self) -> Clients:
        """The clients of somebody who acts."""
        return self._clients(makes_models=True)

    @functools.cached_property
    def _looking(self) -> Clients:
        return self._clients(makes_models=False)

    @functools.cached_property
    def examining(self) -> Clients:
        """The clients of somebody who examines more than passes use: they know all of AWS's models."""
        return Clients(region=self.region, profile=self._settings.profile, keep_on=self._heeded)

    def _clients(self, *, makes_models: bool) -> Clients:
        return Clients(
            region=self.region,
            profile=self._settings.profile,
            keep_on=self._heeded,
            models=self._folder / "models",
            makes_models=makes_models,
        )

    def _heeded(self) -> None:
        if not self._outbox.sending and not getattr(self._own, "unbroken", False):
            self._keep_on()

    @contextmanager
    def unbroken(self) -> Iterator[None]:
        """Let nothing end the calls of this thread: they are steps of one write."""
        self._own.unbroken = True
        try:
            yield
        finally:
            self._own.unbroken = False

    def urls(self, clients: Clients, *, remember: bool) -> QueueUrls:
        """Return the URLs of queues; who only looks does not `remember` them."""
        return QueueUrls(clients, self._folder / "queues.json", remember=remember)

    @property
    def together(self) -> Together:
        """Each write is a step of its own, but messages wait for each other, to go out ten at a time."""
        return self._outbox.together

    @property
    def together_at_work(self) -> Together:
        """Each write is a step of its own."""
        return nullcontext

    def _instances(self) -> EC2Instances:
        return EC2Instances(lambda: self._looking.ec2, self._farm, self._settings, old_image=self.old_image)

    def fleet(self, environment: Mapping[str, str]) -> Fleet:  # noqa: ARG002 - it reaches no instance
        """Return the nodes."""
        return EC2InstanceManager(
            lambda: self.clients.ec2, self._farm, self._settings, self._clock, old_image=self.old_image
        )

    def close(self) -> None:
        """Close what was opened."""
        for name in ("clients", "_looking", "examining"):
            if name in vars(self):
                getattr(self, name).close()
