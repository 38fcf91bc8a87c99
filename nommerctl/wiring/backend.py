"""What every backend of a farm has."""

from collections.abc import Mapping
from typing import Protocol

from nommerctl.passes.means import FarmReads
from nommerctl.ports import Fleet, JobStore, Ledger, Queue, Together


class Backend(Protocol):
    """Job store, ledger, queues and nodes, each made when it is first asked for."""

    def look(self) -> FarmReads:
        """Return the farm for a dry run, or for somebody who only looks: nothing of it can write."""

    @property
    def store(self) -> JobStore:
        """The jobs."""

    @property
    def ledger(self) -> Ledger:
        """What is known of the farm."""

    @property
    def new_jobs(self) -> Queue:
        """The messages to workers."""

    @property
    def changes(self) -> Queue:
        """The messages about changes of state."""

    @property
    def together(self) -> Together:
        """What makes one step of a pass's writes to all of these, as far as that can be."""

    @property
    def together_at_work(self) -> Together:
        """The same for a worker, to whom a message that cannot be sent is no reason to let a job go."""

    def fleet(self, environment: Mapping[str, str]) -> Fleet:
        """Return the nodes; those that are processes of this machine get the environment."""

    def close(self) -> None:
        """Close what was opened."""
