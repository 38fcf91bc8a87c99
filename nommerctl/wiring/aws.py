"""The backend `aws`: jobs and ledger in DynamoDB, queues in SQS, nodes that are instances of EC2."""

import functools
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.ec2 import EC2InstanceManager, EC2Instances
from nommerctl.adapters.aws.job_reads import DynamoJobReads
from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.adapters.aws.ledger import DynamoLedger, DynamoLedgerReads
from nommerctl.adapters.aws.names import changes_queue, new_jobs_queue
from nommerctl.adapters.aws.outbox import Outbox, PostedQueue
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.sqs import SqsQueueReads
from nommerctl.adapters.cached_jobs import CachedJobs
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.passes.means import FarmReads
from nommerctl.ports import Clock, Fleet, JobStore, Ledger, Queue, Together


class AwsBackend:
    """What a farm on AWS stands on, each part made when it is first asked for.

    `folder` is where the state folder keeps what saves requests and time (URLs of queues, models of services); nothing
    in it is needed. `environment` is that of the process; what `keep_on` raises comes out of any call.
    """

    def __init__(
        self,
        farm: str,
        settings: AwsSettings,
        *,
        folder: Path,
        cached: CachedJobs,
        clock: Clock,
        keep_on: Callable[[], None],
        environment: Mapping[str, str],
    ) -> None:
        self._farm = farm
        self._settings = settings
        self._folder = folder
        self._cached = cached
        self._clock = clock
        self._keep_on = keep_on
        self.region = settings.region or environment.get("AWS_REGION", "")
        self._outbox = Outbox()

    def look(self) -> FarmReads:
        """Return the farm for a dry run, or for somebody who only looks: nothing of it can write."""
        clients, urls = self._looking, self._urls(self._looking, remember=False)
        return FarmReads(
            store=DynamoJobReads(clients, self._farm, time.sleep),
            cache=self._cached,
            ledger=DynamoLedgerReads(clients, self._farm, self._clock, time.sleep),
            fleet=EC2Instances(lambda: clients.ec2, self._farm, self._settings),
            new_jobs=SqsQueueReads(clients, new_jobs_queue(self._farm), urls),
            changes=SqsQueueReads(clients, changes_queue(self._farm), urls),
        )

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
        if not self._outbox.sending:
            self._keep_on()

    def _urls(self, clients: Clients, *, remember: bool) -> QueueUrls:
        return QueueUrls(clients, self._folder / "queues.json", remember=remember)

    @functools.cached_property
    def store(self) -> JobStore:
        """The jobs."""
        return DynamoJobStore(self.clients, self._farm, time.sleep)

    @functools.cached_property
    def ledger(self) -> Ledger:
        """What is known of the farm."""
        return DynamoLedger(self.clients, self._farm, self._clock, time.sleep)

    @functools.cached_property
    def new_jobs(self) -> Queue:
        """The messages to workers."""
        return self._queue(new_jobs_queue(self._farm))

    @functools.cached_property
    def changes(self) -> Queue:
        """The messages about changes of state."""
        return self._queue(changes_queue(self._farm))

    def _queue(self, name: str) -> Queue:
        return PostedQueue(self.clients, name, self._urls(self.clients, remember=True), self._outbox)

    @property
    def together(self) -> Together:
        """Each write is a step of its own, but messages wait for each other, to go out ten at a time."""
        return self._outbox.together

    @property
    def together_at_work(self) -> Together:
        """Each write is a step of its own."""
        return nullcontext

    def fleet(self, environment: Mapping[str, str]) -> Fleet:  # noqa: ARG002 - it reaches no instance
        """Return the nodes."""
        return EC2InstanceManager(lambda: self.clients.ec2, self._farm, self._settings, self._clock)

    def close(self) -> None:
        """Close what was opened."""
        for name in ("clients", "_looking", "examining"):
            if name in vars(self):
                getattr(self, name).close()
