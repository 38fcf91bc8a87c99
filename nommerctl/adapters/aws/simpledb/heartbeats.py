"""The heartbeats of media-nommer's workers, and ours among them, for media-nommer to see."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.simpledb.chunks import single
from nommerctl.adapters.aws.simpledb.domains import Attributes, Domain, Expected, quoted
from nommerctl.adapters.aws.simpledb.zones import OldZone, latest
from nommerctl.domain.config_aws import SimpledbSettings
from nommerctl.domain.fleet import Heartbeat, NodeId
from nommerctl.domain.times import Instant, micros
from nommerctl.ports import Clock

_ACTIVE = "ACTIVE"
_TERMINATED = "TERMINATED"

_SHOWN = micros(24 * 3600.0)
"""Of older ones there are many: workers that died without a word, each of them ACTIVE for ever."""

_ZONES_APART = micros(48 * 3600.0)
"""More than local times may be apart from each other."""

_MOST_JOBS = 1_000_000


class BadRow(NamedTuple):
    """A row that says nothing that could be understood, and why not, as a phrase. All of it is text from outside."""

    node: str
    why: str


class OldHeartbeats:
    """The domain that media-nommer has for them. Each of its workers takes `slots` jobs at once."""

    def __init__(self, clients: Clients, settings: SimpledbSettings, clock: Clock, *, slots: int) -> None:
        self._domain = Domain(clients, settings.heartbeat_domain, ours=False)
        self._zone = OldZone(settings.old_zone)
        self._zone_name = settings.old_zone
        self._clock = clock
        self._slots = slots

    def read(self) -> dict[NodeId, Heartbeat]:
        """Return the heartbeats of the last day; a row that cannot be understood is left out."""
        now = self._clock()
        since = quoted(self._zone.text(max(now - _SHOWN - _ZONES_APART, 0)))
        found = self._rows(f"state = {quoted(_ACTIVE)} and last_report_dtime >= {since}", now)
        return {row.node: row for row in found if isinstance(row, Heartbeat) and row.at >= now - _SHOWN}

    def examine(self) -> tuple[list[Heartbeat], list[BadRow]]:
        """Return the heartbeats that are not of ended workers, however old, and the rows that cannot be understood."""
        rows = list(self._rows(f"state != {quoted(_TERMINATED)} or state is null", self._clock()))
        return [row for row in rows if isinstance(row, Heartbeat)], [row for row in rows if isinstance(row, BadRow)]

    def zone_offset(self) -> float:
        """Return by how many seconds the clocks of old hosts are ahead of UTC now."""
        ahead = datetime.fromtimestamp(self._clock() // 1_000_000, ZoneInfo(self._zone_name)).utcoffset()
        return ahead.total_seconds() if ahead is not None else 0.0

    def beat(self, heartbeat: Heartbeat) -> None:
        """Write a heartbeat as media-nommer's workers do."""
        row = {
            "id": heartbeat.node,
            "active_jobs": str(heartbeat.active),
            "last_report_dtime": self._zone.text(heartbeat.at),
            "state": _ACTIVE,
        }
        self._domain.put(heartbeat.node, row)

    def end(self, node: NodeId) -> None:
        """Say that a node has ended, if it gave any heartbeat."""
        self._domain.put(node, {"active_jobs": "0", "state": _TERMINATED}, Expected("state", _ACTIVE))

    def _rows(self, where: str, now: Instant) -> Iterator[Heartbeat | BadRow]:
        for name, row in self._domain.select(where):
            try:
                yield self._heartbeat(name, row, now)
            except (KeyError, ValueError) as error:
                yield BadRow(name, f"it lacks {error}" if isinstance(error, KeyError) else str(error))

    def _heartbeat(self, name: str, row: Attributes, now: Instant) -> Heartbeat:
        state, active = _value(row, "state"), _value(row, "active_jobs")
        if state != _ACTIVE:
            msg = f"state '{state}' is neither {_ACTIVE} nor {_TERMINATED}"
            raise ValueError(msg)
        if not (active.isascii() and active.isdecimal() and int(active[:9]) < _MOST_JOBS):
            msg = f"active_jobs '{active}' is no number of jobs"
            raise ValueError(msg)
        reported = _value(row, "last_report_dtime")
        at = latest(self._zone.instants(reported), now)
        if at is None:
            msg = f"last_report_dtime '{reported}' is no time"
            raise ValueError(msg)
        return Heartbeat(node=name, started=at, at=at, slots=self._slots, active=int(active[:9]), takes_leases=False)


def _value(row: Attributes, name: str) -> str:
    try:
        return single(row, name)
    except ValueError as error:
        msg = f"{name} has several values"
        raise ValueError(msg) from error
