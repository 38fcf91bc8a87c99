"""The backend `simpledb`: what media-nommer left, jobs and ledger in SimpleDB, its own queues in SQS, nodes in EC2."""

import functools
import sys
import time
from contextlib import suppress
from typing import Unpack

from nommerctl.adapters.aws.coded_queue import CodedQueue, CodedQueueReads
from nommerctl.adapters.aws.simpledb.job_reads import SimpledbJobReads
from nommerctl.adapters.aws.simpledb.job_store import SimpledbJobStore
from nommerctl.adapters.aws.simpledb.ledger import SimpledbLedger, SimpledbLedgerReads
from nommerctl.domain.config import Settings
from nommerctl.domain.text import shown
from nommerctl.passes.means import FarmReads
from nommerctl.ports import JobStore, Ledger, Queue
from nommerctl.wiring.on_aws import OnAws, Surroundings


class SimpledbBackend(OnAws):
    """A backend whose domains of jobs and heartbeats, and whose queues, media-nommer's own hosts use too.

    The domains that are the farm's alone are made by the first write to them.
    """

    def __init__(self, settings: Settings, **around: Unpack[Surroundings]) -> None:
        super().__init__(settings.farm.name, settings.aws, **around)
        self._simpledb = settings.simpledb
        self._slots = settings.scale.jobs_per_node
        self._strip = settings.storage.strip_credentials

    @property
    def old_image(self) -> str:
        """The image of media-nommer's workers."""
        return self._simpledb.ami

    def look(self) -> FarmReads:
        """Return the farm for a dry run, or for somebody who only looks: nothing of it can write."""
        clients, urls = self._looking, self.urls(self._looking, remember=False)
        return FarmReads(
            store=SimpledbJobReads(
                clients, self._farm, self._simpledb, self._clock, report, strip_credentials=self._strip
            ),
            cache=self._cached,
            ledger=SimpledbLedgerReads(
                clients, self._farm, self._simpledb, self._clock, slots=self._slots, sleep=time.sleep
            ),
            fleet=self._instances(),
            new_jobs=CodedQueueReads(clients, self._simpledb.new_jobs_queue, urls),
            changes=CodedQueueReads(clients, self._simpledb.changes_queue, urls),
        )

    @functools.cached_property
    def store(self) -> JobStore:
        """The jobs."""
        return SimpledbJobStore(
            self.clients,
            self._farm,
            self._simpledb,
            self._clock,
            report,
            strip_credentials=self._strip,
            unbroken=self.unbroken,
        )

    @functools.cached_property
    def ledger(self) -> Ledger:
        """What is known of the farm."""
        return SimpledbLedger(
            self.clients, self._farm, self._simpledb, self._clock, slots=self._slots, sleep=time.sleep
        )

    @functools.cached_property
    def new_jobs(self) -> Queue:
        """The messages to workers."""
        return self._queue(self._simpledb.new_jobs_queue)

    @functools.cached_property
    def changes(self) -> Queue:
        """The messages about changes of state."""
        return self._queue(self._simpledb.changes_queue)

    def _queue(self, name: str) -> Queue:
        return CodedQueue(self.clients, name, self.urls(self.clients, remember=True), self._outbox)


def report(text: str) -> None:
    """Say on standard error what was found, such as a race with one of media-nommer's hosts; that ends nothing."""
    with suppress(OSError):
        sys.stderr.write(f"nommerctl: {shown(text)}\n")
        sys.stderr.flush()
