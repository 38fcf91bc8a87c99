"""What a worker leaves in the ledger, so that the farm knows that its node is there."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from nommerctl.domain.fleet import CheckIn, Heartbeat
from nommerctl.domain.times import Instant
from nommerctl.worker.ports import OUT_OF_REACH, WorkerPorts


class Identity(Struct, frozen=True, kw_only=True):
    """Who this worker is: its node, what is left in `folder` while it works, host and process for people to see.

    It `started` at an instant, and its node was `launched` at one, None if that is not known. The rest is what a node
    on EC2 knows of itself; see Heartbeat.
    """

    node: str
    folder: Path
    host: str
    pid: int
    started: Instant
    launched: Instant | None = None
    usd_per_hour: float | None = None
    instance_type: str = ""
    zone: str = ""
    market: str = ""


class Presence:
    """Writes heartbeats, and with the first one what outlives them. A ledger that is away is tried again."""

    def __init__(self, identity: Identity, ports: WorkerPorts, slots: int) -> None:
        self._identity = identity
        self._ports = ports
        self._slots = slots
        self._checked_in = False

    def beat(self, jobs: Sequence[str]) -> None:
        """Give a sign of life, with the jobs in hand."""
        mine, now = self._identity, self._ports.clock()
        heartbeat = Heartbeat(
            node=mine.node,
            started=mine.started,
            at=now,
            slots=self._slots,
            active=len(jobs),
            jobs=tuple(jobs),
            host=mine.host,
            pid=mine.pid,
            usd_per_hour=mine.usd_per_hour,
            instance_type=mine.instance_type,
            zone=mine.zone,
            market=mine.market,
        )
        try:
            self._ports.ledger.beat(heartbeat)
            if not self._checked_in:
                self._check_in(now)
        except OUT_OF_REACH as error:
            self._ports.log(f"heartbeat not written: {error}")

    def _check_in(self, now: Instant) -> None:
        mine = self._identity
        launched = mine.started if mine.launched is None else mine.launched
        here = {"instance_type": mine.instance_type, "zone": mine.zone, "market": mine.market}
        self._ports.ledger.check_in(CheckIn(node=mine.node, launched=launched, at=now, **here))
        self._checked_in = True

    def leave(self) -> None:
        """Take leave."""
        try:
            self._ports.ledger.forget(self._identity.node)
        except OUT_OF_REACH as error:
            self._ports.log(f"leave not taken: {error}")
