"""A farm's nodes on an EC2 in memory, for the tests of the fleet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nommerctl.adapters.aws.ec2 import EC2InstanceManager
from nommerctl.domain.config_aws import AwsSettings, Market
from nommerctl.domain.fleet import Launch, NodeId, Pool, Spawned
from tests.fakes.clock import FakeClock
from tests.fakes.ec2 import FakeEc2

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

TYPES = ("c7i.large", "m7i.large")
SUBNETS = ("subnet-a", "subnet-b")

TEMPLATED = AwsSettings(launch_template="nodes", instance_types=TYPES, subnets=SUBNETS)
UNTEMPLATED = AwsSettings(ami="ami-1", instance_types=TYPES, subnets=SUBNETS)


def pools(market: str, types: tuple[str, ...] = TYPES, subnets: tuple[str, ...] = SUBNETS) -> frozenset[Pool]:
    return frozenset(Pool(instance_type, subnet, market) for instance_type in types for subnet in subnets)


SPOT = pools(Market.SPOT.value)
ON_DEMAND = pools(Market.ON_DEMAND.value)


class Nodes:
    """A fleet of the farm `farm`, the EC2 that it is on, and the clock of both."""

    def __init__(
        self,
        ec2: FakeEc2,
        client: "EC2Client",
        clock: FakeClock,
        settings: AwsSettings = TEMPLATED,
        *,
        old_image: str = "",
    ) -> None:
        self.ec2 = ec2
        self.clock = clock
        self.fleet = EC2InstanceManager(lambda: client, "farm", settings, clock, old_image=old_image)
        self._client = client

    def by(self, settings: AwsSettings, *, old_image: str = "") -> "Nodes":
        """The same EC2, by other settings."""
        return Nodes(self.ec2, self._client, self.clock, settings, old_image=old_image)

    def order(
        self, count: int = 1, token: str = "a1", *, refused: Mapping[Pool, float] = {}, on_demand: bool = False
    ) -> Launch:
        request = self.fleet.request(token=token, count=count, slots=1, refused=refused, on_demand=on_demand)
        return Launch(token=token, generation=0, count=count, slots=1, ordered=self.clock(), request=request)

    def spawn(self, count: int = 1, token: str = "a1") -> Spawned:
        return self.fleet.spawn_instances(self.order(count, token))

    @property
    def alive(self) -> list[NodeId]:
        return [each.id for each in self.fleet.get_instances() if each.alive]
