"""A deployment of media-nommer whose feederd was stopped, and the farm that goes on in its place, on virtual time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import parse_qsl

import pytest

from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.domain.times import Instant, micros
from nommerctl.wiring import process
from tests.cli import InProcessCli, Result
from tests.media_nommer import OldHost, OldProducer, OldWorker
from tests.simpledb_farm import SimpledbFarm
from tests.web import Asked, Web

H = TypeVar("H", bound=OldHost)

MINUTE = 60.0
HOUR = 60 * MINUTE


class VirtualClock:
    """A clock that tests move. It begins now, for instances of EC2 are dated by the right time."""

    def __init__(self) -> None:
        self.now = process.clock()

    def __call__(self) -> Instant:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += micros(seconds)


@dataclass
class Takeover:
    """The farm, and the clock that it and the old programs go by."""

    farm: SimpledbFarm
    clock: VirtualClock

    def producer(self, zone: str = "UTC") -> OldProducer:
        """A producer of the old deployment, on a host in this zone."""
        return self._host(OldProducer, zone)

    def worker(self, zone: str = "UTC") -> OldWorker:
        """A worker of the old deployment, on an instance of its own image, in this zone."""
        worker = self._host(OldWorker, zone)
        worker.instance = self.farm.launched()
        return worker

    def other(self, name: str) -> InProcessCli:
        """The command line of another controller of the same farm, which has a state folder of its own."""
        return replace(self.farm.here, state_dir=self.farm.here.cwd / f"state-{name}")

    def minute(self, minutes: int = 1, *, code: int | None = 0) -> Result:
        """Let cron make the passes each minute, so often; return what the last ones said."""
        for _ in range(minutes):
            self.clock.advance(MINUTE)
            said = self.farm.here.run("run", "--quiet", code=code)
        return said

    def state(self, job_id: str) -> str:
        """The state of a job by the list."""
        state: str = self.farm.here.listed()[job_id]["state"]
        return state

    def raw(self, job_id: str) -> dict[str, str]:
        """A job's item as it stands in SimpleDB."""
        return self.farm.item(job_id)

    def vanish(self, job_id: str) -> None:
        """Let a job's item be deleted by somebody."""
        self.farm.server.delete(self.farm.settings.job_domain, job_id)

    def launched(self) -> set[str]:
        """The instances that the farm has launched, and that run."""
        shown = self.farm.clients.ec2.describe_instances(
            Filters=[{"Name": f"tag:{FARM_TAG}", "Values": [self.farm.name]}]
        )
        return {
            each["InstanceId"]
            for reservation in shown["Reservations"]
            for each in reservation["Instances"]
            if each["State"]["Name"] in {"pending", "running"}
        }

    def messages(self) -> dict[str, int]:
        """How many messages each queue holds, in whatever state; those that hold none are left out."""
        queues = {"new jobs": self.farm.new_jobs, "changes": self.farm.changes}
        return {name: total for name, queue in queues.items() if (total := queue.depth().total)}

    def _host(self, kind: type[H], zone: str) -> H:
        settings = self.farm.settings
        return kind(
            sdb=self.farm.sdb.sdb,
            sqs=self.farm.clients.sqs,
            clock=self.clock,
            zone=zone,
            jobs=settings.job_domain,
            heartbeats=settings.heartbeat_domain,
            new_jobs=settings.new_jobs_queue,
            changes=settings.changes_queue,
        )


def told(listener: Web, job_id: str | None = None) -> list[str]:
    """The states that a listener was told, of all jobs or of one, in the order in which it was."""
    forms = [form(asked) for asked in listener.asked]
    return [each["job_state"] for each in forms if job_id in {None, each["unique_id"]}]


def form(asked: Asked) -> dict[str, str]:
    """The fields of a form as it was posted, empty ones too."""
    fields = parse_qsl(asked.body.decode(), keep_blank_values=True, strict_parsing=True)
    assert len(dict(fields)) == len(fields)
    return dict(fields)


def taking_over(farm: SimpledbFarm, patch: pytest.MonkeyPatch) -> Takeover:
    """Let a farm, and all of the old deployment, go by a clock of the test; listeners are on this machine."""
    clock = VirtualClock()
    patch.setattr(process, "clock", clock)
    for cli in (farm.here, farm.cli):
        cli.settings |= {
            "SCALE_MAX_NODES": "3",
            "SCALE_JOBS_PER_NODE": "2",
            "SCALE_OVERFLOW_THRESHOLD": "2",
            "NOTIFY_ALLOW_PRIVATE": "127.0.0.0/8",
        }
    return Takeover(farm, clock)


def only(states: Sequence[str], state: str) -> bool:
    """Whether all of them are this one, and there are any."""
    return set(states) == {state}
