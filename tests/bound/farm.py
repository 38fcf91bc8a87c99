"""A farm on EC2 with several controllers, whose passes are cut into steps; every launch is held against its bound."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ConnectionClosedError
from msgspec import structs

from nommerctl.adapters.aws.ec2 import LAG, EC2InstanceManager
from nommerctl.adapters.aws.names import ORDER_TAG
from nommerctl.domain.breaker import Breaker
from nommerctl.domain.config import CacheSettings, ScaleSettings
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.fleet import CheckIn, Heartbeat, Launch, NodeId, Pool, Spawned
from nommerctl.domain.outcome import Decision, Outcome
from nommerctl.domain.overview import Overview
from nommerctl.domain.times import Instant, micros
from nommerctl.errors import AWAY
from nommerctl.passes.means import FarmWrites
from nommerctl.passes.performing import Doer
from nommerctl.passes.scale import scale
from nommerctl.ports import Clock, Ledger
from tests.adapters.aws.nodes import TEMPLATED
from tests.bound.stepping import SteppedPass, Turn
from tests.builders import make_job
from tests.fakes.clock import FakeClock
from tests.fakes.ec2 import URL, FakeEc2, Fault
from tests.fakes.ec2_wire import FakeInstance, parameters_of
from tests.fakes.job_cache import FakeJobCache
from tests.fakes.job_store import FakeJobStore
from tests.fakes.ledger import FakeLedger
from tests.fakes.notifier import FakeNotifier
from tests.fakes.queue import FakeQueue

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

TIME_LIMIT = 240.0
"""Seconds that a pass takes at most: then its process is ended (I8)."""

JOBS = tuple(make_job(number) for number in range(1, 9))


def nothing() -> None:
    """Heed nothing."""


class BoundedEc2(FakeEc2):
    """EC2, which notes each launch that takes what costs money above what its order had to keep within.

    `bounds` has that for each order, by its token. No instance is missing from a look for longer than EC2 takes to show
    it, whatever `lag_describes` says.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.bounds: dict[str, int] = {}
        self.violations: list[str] = []
        self._now = clock

    def launch(self, pool: Pool, *, image: str = "ami-1", tags: Mapping[str, str] | None = None) -> FakeInstance:
        instance = super().launch(pool, image=image, tags=tags)
        token = instance.tags[ORDER_TAG]
        if len(self.running) > self.bounds[token]:
            self.violations.append(
                f"{token} makes it {len(self.running)} nodes, and saw max_nodes {self.bounds[token]}"
            )
        return instance

    def show_the_old_ones(self) -> None:
        for instance in self.instances.values():
            if instance.launched + micros(LAG) <= self._now():
                instance.missed = 0

    @property
    def young(self) -> list[FakeInstance]:
        """Those that another replica of EC2 may not know yet."""
        return [each for each in self.instances.values() if each.launched + micros(LAG) > self._now()]

    @property
    def mismatched(self) -> list[str]:
        """The tokens that were given with more than one set of parameters."""
        given: dict[str, Mapping[str, str]] = {}
        orders = [parameters for operation, parameters in self.calls if operation in {"CreateFleet", "RunInstances"}]
        return [each["ClientToken"] for each in orders if given.setdefault(each["ClientToken"], each) != each]


class Controller:
    """One machine that runs scale: a state folder and a clock of its own."""

    def __init__(self, farm: "BoundFarm", clock: Clock) -> None:
        self.clock = clock
        self.ledger = farm.ledger_of(clock)
        self.settings = ScaleSettings(max_nodes=3)
        self.cache = FakeJobCache()
        self.fleet = EC2InstanceManager(lambda: farm.client, "farm", farm.aws, clock)
        self.at_work: SteppedPass | None = None
        self.began: Instant = 0
        self._farm = farm

    def begin(self) -> SteppedPass:
        """Begin a pass, after a refresh."""
        self.refreshed()
        self.began = self._farm.clock()
        self.at_work = SteppedPass(lambda at_work: self.scale(SteppedLedger(self.ledger, at_work)))
        return self.at_work

    def refreshed(self) -> None:
        self.cache.set_status(lambda status: structs.replace(status, refreshed=self.clock()))

    def scale(self, ledger: Ledger) -> Outcome:
        settings = self.settings
        writes = FarmWrites(
            store=FakeJobStore(),
            cache=self.cache,
            ledger=ledger,
            fleet=self.fleet,
            new_jobs=self._farm.new_jobs,
            changes=self._farm.changes,
            notifier=FakeNotifier(),
            archive=None,
            together=nullcontext,
        )
        return scale(
            writes.reads,
            Doer(writes, heed=nothing),
            settings=settings,
            cache_settings=CacheSettings(),
            silence=3600,
            clock=self.clock,
            new_token=lambda: self._farm.new_token(settings.max_nodes),
        )


class SteppedLedger:
    """The ledger as a pass of one controller has it."""

    def __init__(self, ledger: Ledger, at_work: SteppedPass) -> None:
        self._ledger = ledger
        self._step = at_work.step

    def overview(self) -> Overview:
        return self._step("look over the ledger", self._ledger.overview)

    def decisions(self, limit: int) -> list[Decision]:
        return self._ledger.decisions(limit)

    def beat(self, heartbeat: Heartbeat) -> None:
        self._ledger.beat(heartbeat)

    def mark(self, node: NodeId, at: Instant) -> None:
        self._step("mark", lambda: self._ledger.mark(node, at))

    def forget(self, node: NodeId) -> None:
        self._step("forget", lambda: self._ledger.forget(node))

    def journal(self, launch: Launch) -> None:
        self._step("journal", lambda: self._ledger.journal(launch))

    def repeat(self, token: str) -> None:
        self._step("repeat", lambda: self._ledger.repeat(token))

    def settle(self, token: str, spawned: Spawned) -> None:
        self._step("settle", lambda: self._ledger.settle(token, spawned))

    def check_in(self, check_in: CheckIn) -> None:
        self._ledger.check_in(check_in)

    def switch(self, breaker: Breaker) -> None:
        self._step("switch", lambda: self._ledger.switch(breaker))

    def publish(self, text: str) -> None:
        self._step("publish", lambda: self._ledger.publish(text))

    def sign(self, at: Instant) -> None:
        self._ledger.sign(at)

    def decide(self, decision: Decision) -> None:
        self._step("decide", lambda: self._ledger.decide(decision))


class BoundFarm:
    """Several controllers, one EC2, one ledger; in the queue is what is in the caches.

    `clocks_off` are the seconds by which the clock of each controller is ahead of EC2's. `ledger_of` makes the ledger
    as a controller with this clock has it; it is one in memory where that is not given.
    """

    def __init__(
        self,
        client: "EC2Client",
        *,
        aws: AwsSettings = TEMPLATED,
        clocks_off: Sequence[float] = (0.0, 0.0),
        ledger_of: Callable[[Clock], Ledger] | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.ec2 = BoundedEc2(self.clock)
        self.client = client
        self.aws = aws
        self.new_jobs = FakeQueue(self.clock)
        self.changes = FakeQueue(self.clock)
        self._orders = 0
        self._mover: Controller | None = None
        shared = FakeLedger(self._clock_of_mover)
        self.ledger_of: Callable[[Clock], Ledger] = ledger_of or (lambda _: shared)
        self.ledger = self.ledger_of(self.clock)
        self.controllers = [Controller(self, self._clock(seconds)) for seconds in clocks_off]
        self.want(len(JOBS))

    def _clock(self, off: float) -> Clock:
        return lambda: self.clock() + micros(off)

    def _clock_of_mover(self) -> Instant:
        return self._mover.clock() if self._mover else self.clock()

    def new_token(self, max_nodes: int) -> str:
        """Name an order of a pass that saw this bound."""
        self._orders += 1
        token = f"order{self._orders}"
        self.ec2.bounds[token] = max_nodes
        return token

    @contextmanager
    def open(self) -> Iterator["BoundFarm"]:
        """Answer what the controllers ask of EC2 meanwhile; whoever is at work in the end dies."""
        events: Any = self.client.meta.events
        events.register_first("before-send.ec2", self._asked)
        try:
            with self.ec2.behind(self.client):
                yield self
        finally:
            self.all_die()
            events.unregister("before-send.ec2", self._asked)

    def _asked(self, request: AWSPreparedRequest, **_: object) -> None:
        self.ec2.show_the_old_ones()
        operation = parameters_of(request)["Action"]
        at_work = self._mover.at_work if self._mover else None
        turn = at_work.turn(operation) if at_work else Turn.WELL
        if turn is Turn.FAILS:
            raise ConnectionClosedError(endpoint_url=URL)
        if turn is Turn.ANSWER_LOST:
            self.ec2.fail(operation, Fault.LOST)

    # --- what happens

    def want(self, jobs: int) -> None:
        """So many jobs wait, as far as everybody knows."""
        self.new_jobs = FakeQueue(self.clock)
        self.new_jobs.send([job.id for job in JOBS[:jobs]])
        for controller in self.controllers:
            controller.cache = FakeJobCache(JOBS[:jobs])

    def move(self, controller: Controller, turn: Turn = Turn.WELL) -> None:
        """Let a controller make a step, the first of a new pass if it is not at work."""
        with self._moved_by(controller):
            at_work = controller.at_work or controller.begin()
            at_work.move(turn)
            if at_work.done:
                controller.at_work = None

    def go_on(self, controller: Controller, before: Collection[str] = ()) -> None:
        """Let a controller go on with its pass, or begin one, until it is at an end or stands before such a step."""
        self.move(controller)
        while controller.at_work and controller.at_work.next not in before:
            self.move(controller)

    def whole_pass(self, controller: Controller) -> None:
        """Let a controller make a pass that nothing comes in between of."""
        with self._moved_by(controller), suppress(*AWAY):
            controller.refreshed()
            controller.scale(controller.ledger)

    @contextmanager
    def _moved_by(self, controller: Controller) -> Iterator[None]:
        self._mover = controller
        try:
            yield
        finally:
            self._mover = None

    def all_die(self) -> None:
        for controller in self.controllers:
            while controller.at_work:
                self.move(controller, Turn.DIES)

    def time_passes(self, seconds: float) -> None:
        """Let time pass: passes that take too long are ended."""
        self.clock.advance(seconds)
        for controller in self.controllers:
            if controller.began + micros(TIME_LIMIT) <= self.clock():
                while controller.at_work:
                    self.move(controller, Turn.DIES)

    def beat(self) -> None:
        """Let every node give a sign of life."""
        now = self.clock()
        for node in self.ec2.running:
            self.ledger.beat(Heartbeat(node=node, started=now, at=now, slots=1))
