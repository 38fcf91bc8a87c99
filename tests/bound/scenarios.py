"""What may happen to a farm on EC2, one thing after another, as data that hypothesis makes and makes smaller."""

from collections.abc import Collection
from typing import TypeAlias

from hypothesis import strategies as st
from msgspec import Struct, structs

from nommerctl.adapters.aws.ec2 import LAG
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.fleet import Pool
from tests.adapters.aws.nodes import ON_DEMAND, SPOT, TEMPLATED, UNTEMPLATED
from tests.bound.farm import BoundFarm
from tests.bound.stepping import Turn
from tests.fakes.ec2 import EVER

POOLS = tuple(sorted(SPOT | ON_DEMAND))


class GoesOn(Struct, frozen=True):
    """A controller goes on with its pass, or begins one, until it is at an end or stands before a step."""

    controller: int
    before: Collection[str] = ()

    def happen(self, farm: BoundFarm) -> None:
        controller = farm.controllers[self.controller % len(farm.controllers)]
        farm.go_on(controller, self.before)


class Moves(Struct, frozen=True):
    """A controller makes one step, which goes as `turn` says."""

    controller: int
    turn: Turn

    def happen(self, farm: BoundFarm) -> None:
        farm.move(farm.controllers[self.controller % len(farm.controllers)], self.turn)


class TimePasses(Struct, frozen=True):
    seconds: float
    beats: bool

    def happen(self, farm: BoundFarm) -> None:
        farm.time_passes(self.seconds)
        if self.beats:
            farm.beat()


class NodeEnds(Struct, frozen=True):
    """One ends, by itself or by AWS's will."""

    which: int

    def happen(self, farm: BoundFarm) -> None:
        running = farm.ec2.running
        if running:
            farm.ec2.end(running[self.which % len(running)])


class ReplicaLags(Struct, frozen=True):
    """The next looks do not show one that may have been shown before."""

    which: int
    looks: int

    def happen(self, farm: BoundFarm) -> None:
        young = farm.ec2.young
        if young:
            young[self.which % len(young)].missed = self.looks


class RoomChanges(Struct, frozen=True):
    """A pool, or each of them, can give so many more instances."""

    pool: Pool | None
    room: int

    def happen(self, farm: BoundFarm) -> None:
        farm.ec2.room |= dict.fromkeys([self.pool] if self.pool else POOLS, self.room)


class LagChanges(Struct, frozen=True):
    seconds: float
    looks: int

    def happen(self, farm: BoundFarm) -> None:
        farm.ec2.lag, farm.ec2.lag_describes = self.seconds, self.looks


class JobsChange(Struct, frozen=True):
    jobs: int

    def happen(self, farm: BoundFarm) -> None:
        farm.want(self.jobs)


class SettingsChange(Struct, frozen=True):
    controller: int
    max_nodes: int
    min_nodes: int

    def happen(self, farm: BoundFarm) -> None:
        controller = farm.controllers[self.controller % len(farm.controllers)]
        controller.settings = structs.replace(
            controller.settings, max_nodes=self.max_nodes, min_nodes=min(self.min_nodes, self.max_nodes)
        )


Event: TypeAlias = (
    GoesOn | Moves | TimePasses | NodeEnds | ReplicaLags | RoomChanges | LagChanges | JobsChange | SettingsChange
)

GIVE = ("CreateFleet", "RunInstances")
STEPS = (
    GIVE,
    ("settle",),
    ("journal", "repeat"),
    ("DescribeInstances",),
    ("decide", "mark", "switch", "TerminateInstances"),
)

_controllers = st.integers(0, 2)
_seconds = st.sampled_from([60.0, 1.0, 30.0, 200.0, 500.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0, 6 * 3600.0 - 60])

EVENTS = st.one_of(
    st.builds(GoesOn, _controllers),
    st.builds(GoesOn, _controllers),
    st.builds(GoesOn, _controllers, st.sampled_from(STEPS)),
    st.builds(GoesOn, _controllers, st.just(GIVE)),
    st.builds(Moves, _controllers, st.sampled_from(Turn)),
    st.builds(Moves, _controllers, st.sampled_from([turn for turn in Turn if turn is not Turn.WELL])),
    st.builds(TimePasses, _seconds, st.booleans()),
    st.builds(TimePasses, _seconds, st.booleans()),
    st.builds(NodeEnds, st.integers(0, 3)),
    st.builds(ReplicaLags, st.integers(0, 3), st.integers(1, 3)),
    st.builds(RoomChanges, st.none(), st.sampled_from([0, EVER])),
    st.builds(RoomChanges, st.sampled_from(POOLS), st.sampled_from([0, 1, 2])),
    st.builds(LagChanges, st.sampled_from([LAG, 0.0, 60.0, 300.0]), st.integers(0, 3)),
    st.builds(JobsChange, st.integers(1, 8)),
    st.builds(SettingsChange, _controllers, st.integers(0, 4), st.integers(0, 2)),
)
"""Two strategies for the same make it twice as likely: hypothesis takes one that is named twice for one."""

CLOCKS_OFF = ((0.0, 0.0), (600.0, 0.0), (-600.0, 0.0), (0.0, 0.0, 0.0), (590.0, 0.0, 0.0), (-590.0, 0.0, 0.0))
"""One of the clocks may be ten minutes off."""


class Scenario(Struct, frozen=True):
    """A farm, and what happens to it; `lag` is how many seconds EC2 takes at first until it shows an instance."""

    aws: AwsSettings
    clocks_off: tuple[float, ...]
    lag: float
    events: list[Event]


SCENARIOS = st.builds(
    Scenario,
    st.sampled_from([TEMPLATED, UNTEMPLATED]),
    st.sampled_from(CLOCKS_OFF),
    st.sampled_from([LAG, 300.0, 0.0]),
    st.lists(EVENTS, min_size=12, max_size=40),
)
