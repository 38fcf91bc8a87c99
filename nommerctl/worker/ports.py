"""What a worker needs of the world, and what it does without for a while."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nommerctl.domain.job import short_id
from nommerctl.errors import AWAY, SettingsError
from nommerctl.ports import Clock, JobStore, Ledger, Nommer, Notices, Queue, Storage, Together

OUT_OF_REACH = (*AWAY, SettingsError)
"""What store, ledger and queues raise when they are away, or gone: no reason to end what is at work meanwhile.

They may be there again before a lease has ended. A worker for which they are not ends for want of work.
"""


@dataclass(frozen=True)
class WorkerPorts:
    """What a worker needs of the world. `new_lease_id` makes random ids, `log` takes a line for the node's log.

    `together` holds for what is written to store, ledger and both queues. `notices` is None where nobody takes the
    machine back.
    """

    store: JobStore
    ledger: Ledger
    together: Together
    new_jobs: Queue
    changes: Queue
    storage: Storage
    nommers: Mapping[str, Nommer]
    clock: Clock
    new_lease_id: Callable[[], str]
    log: Callable[[str], None]
    notices: Notices | None = None

    def announce(self, job_id: str) -> None:
        """Say that a job changed. A message that cannot be sent ends no encode: the resync finds the change (I1)."""
        try:
            self.changes.send([job_id])
        except OUT_OF_REACH as error:
            self.log(f"{short_id(job_id)} change not announced: {error}")
