"""The backend `aws`: jobs and ledger in DynamoDB, queues in SQS, nodes that are instances of EC2."""

import functools
import time

from nommerctl.adapters.aws.job_reads import DynamoJobReads
from nommerctl.adapters.aws.job_store import DynamoJobStore
from nommerctl.adapters.aws.ledger import DynamoLedger, DynamoLedgerReads
from nommerctl.adapters.aws.names import changes_queue, new_jobs_queue
from nommerctl.adapters.aws.outbox import PostedQueue
from nommerctl.adapters.aws.sqs import SqsQueueReads
from nommerctl.passes.means import FarmReads
from nommerctl.ports import JobStore, Ledger, Queue
from nommerctl.wiring.on_aws import OnAws


class AwsBackend(OnAws):
    """A backend whose parts `aws bootstrap` makes, under names of its own."""

    def look(self) -> FarmReads:
        """Return the farm for a dry run, or for somebody who only looks: nothing of it can write."""
        clients, urls = self._looking, self.urls(self._looking, remember=False)
        return FarmReads(
            store=DynamoJobReads(clients, self._farm, time.sleep),
            cache=self._cached,
            ledger=DynamoLedgerReads(clients, self._farm, self._clock, time.sleep),
            fleet=self._instances(),
            new_jobs=SqsQueueReads(clients, new_jobs_queue(self._farm), urls),
            changes=SqsQueueReads(clients, changes_queue(self._farm), urls),
        )

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
        return PostedQueue(self.clients, name, self.urls(self.clients, remember=True), self._outbox)
