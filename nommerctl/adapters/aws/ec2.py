"""The fleet of a farm on EC2: its instances, the orders that bring them up, and their end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ParamValidationError

from nommerctl.adapters.aws.errors import calling, code_of, message_of
from nommerctl.adapters.aws.names import FAILURE_TAG, FARM_TAG, ORDER_TAG
from nommerctl.adapters.aws.orders import Order, composed, order_of
from nommerctl.adapters.aws.refusals import answered, fault, is_capacity, mistaken, without_room
from nommerctl.domain.batches import batches
from nommerctl.domain.config_aws import AwsSettings, Market
from nommerctl.domain.fleet import Instance, Launch, NodeId, Pool, Spawned
from nommerctl.domain.text import shown
from nommerctl.domain.times import micros
from nommerctl.errors import (
    NodeLivesOnError,
    NommerctlError,
    PermissionDeniedError,
    SettingsError,
    TryAgainError,
    UnreachableError,
)
from nommerctl.ports import Clock

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client
    from types_boto3_ec2.type_defs import DescribeInstancesRequestTypeDef, FilterTypeDef, InstanceTypeDef

LAG = 600.0
"""Seconds after which DescribeInstances shows a new instance for certain: mostly it does within a few."""

SHOWN_AFTER = 2 * LAG
"""Seconds of age at which what carries the token of an order is all that came of it, though our clock be wrong."""

REPEATED_FOR = 6 * 3600.0
"""Seconds of age up to which an order is repeated: EC2 forgets a token after a day or two, and would launch again."""

PAGE = 1000
"""Instances of one answer: the most that DescribeInstances gives."""

BATCH = 100
"""Instances that are ended in one call."""

_ALIVE = frozenset({"pending", "running"})
_ENDING = frozenset({"shutting-down", "terminated"})
_STOPPED = frozenset({"stopping", "stopped"})

_TAKEN_BACK = frozenset({"Server.SpotInstanceShutdown", "Server.SpotInstanceTermination"})
"""EC2's reasons for the end of a spot instance that it wanted for somebody else (EC2 API Reference, StateReason)."""

_TOKEN_SPENT = frozenset({"IdempotentInstanceTerminated", "IdempotentParameterMismatch"})
"""Whatever the order was then, it has been given."""

_UNKNOWN = "InvalidInstanceID.NotFound"
_PROTECTED = "OperationNotPermitted"


class EC2Instances:
    """A ports.FleetReads of the instances with the farm's tag.

    If `aws.ami` is set, those that run from it without any farm's tag count too, and are not ours.

    `ec2` is called for the client when it is needed.
    """

    lag = LAG

    def __init__(
        self, ec2: "Callable[[], EC2Client]", farm: str, settings: AwsSettings, *, old_image: str = ""
    ) -> None:
        self._ec2 = ec2
        self._farm = farm
        self._settings = settings
        self._images = [image for image in dict.fromkeys((settings.ami, old_image)) if image]

    @property
    def offers_on_demand(self) -> bool:
        """Whether it buys spot instances, and on-demand ones for jobs that want them."""
        return self._settings.market is Market.SPOT_FIRST

    def get_instances(self) -> list[Instance]:
        """Return every instance, by id; those that are ended or stopped as gone, as long as EC2 still shows them."""
        found = list(self._described(_tagged(FARM_TAG, self._farm)))
        if self._images:  # media-nommer knew its nodes by that
            of_image = self._described({"Name": "image-id", "Values": self._images})
            found += (each for each in of_image if _farm_of(each) in {self._farm, None})
        nodes = {each["InstanceId"]: _instance(each, ours=_farm_of(each) is not None) for each in found}
        return [nodes[node] for node in sorted(nodes)]

    def request(
        self,
        *,
        token: str,
        count: int,
        slots: int,  # noqa: ARG002 - an instance learns it when it comes up
        refused: Mapping[Pool, float] = {},
        on_demand: bool = False,
    ) -> str:
        """Return the call as JSON: CreateFleet by a launch template, or RunInstances if only an image is set.

        CreateFleet is given all pools of a market, RunInstances one: that which was refused longest ago, or never.
        SettingsError if no instance type is set.
        """
        order = composed(self._settings, self._farm, token=token, count=count, refused=refused, on_demand=on_demand)
        return order.text

    def _described(self, *filters: "FilterTypeDef") -> "Iterator[InstanceTypeDef]":
        """Yield what EC2 shows of the instances that pass the filters, in whatever state they are."""
        asked: DescribeInstancesRequestTypeDef = {"Filters": filters, "MaxResults": PAGE}
        while True:
            with calling("ec2:DescribeInstances", f"the nodes of farm '{self._farm}'"):
                page = self._ec2().describe_instances(**asked)
            if not page.keys() >= {"Reservations"}:  # it is there even when it is empty
                msg = "AWS answered ec2:DescribeInstances with something else than instances"
                raise UnreachableError(msg)
            for reservation in page["Reservations"]:
                yield from reservation.get("Instances", [])
            if not page.get("NextToken"):
                return
            asked["NextToken"] = page["NextToken"]


class EC2InstanceManager(EC2Instances):
    """A ports.Fleet: media-nommer's name."""

    def __init__(
        self,
        ec2: "Callable[[], EC2Client]",
        farm: str,
        settings: AwsSettings,
        clock: Clock,
        *,
        old_image: str = "",
    ) -> None:
        super().__init__(ec2, farm, settings, old_image=old_image)
        self._clock = clock

    def spawn_instances(self, launch: Launch) -> Spawned:
        """Make the call that was journalled.

        It is repeated as long as EC2 remembers its token, which makes one order of all repetitions. Later, and where
        EC2 says that the token is spent, what carries the token as its tag is what came of the order. What EC2 refuses
        is settled by that where EC2 looked at the order to refuse it. It is not where it looked at who asks: somebody
        else's try may have been taken. Certain is an answer that EC2 keeps with the token, and no other.
        """
        order = order_of(launch)
        if self._is_older(launch, REPEATED_FOR):
            return self._found(launch)
        with calling(f"ec2:{order.operation}", f"the order {launch.token}"):
            try:
                spawned = self._give(order)
            except ParamValidationError as error:
                wrong = SettingsError(f"[aws] holds what EC2 cannot be asked for: {shown(str(error))}")
                return Spawned(fault=wrong, certain=False)
            except ClientError as error:
                return self._refused(launch, order, error)
        if spawned == Spawned():
            msg = f"AWS says neither what came of order {launch.token} nor why nothing did: the next run asks again"
            return self._looked_up(launch, TryAgainError(msg))
        return spawned

    def _give(self, order: Order) -> Spawned:
        match order.operation:
            case "CreateFleet":
                return answered(order, self._ec2().create_fleet(**order.parameters))
            case "RunInstances":
                launched = self._ec2().run_instances(**order.parameters).get("Instances", [])
                return Spawned(tuple(sorted(each["InstanceId"] for each in launched)))

    def _refused(self, launch: Launch, order: Order, error: ClientError) -> Spawned:
        code = code_of(error)
        if is_capacity(code):
            return without_room(order, error)
        if code in _TOKEN_SPENT:
            msg = f"what came of order {launch.token} is not to be seen yet ({code}): the next run looks again"
            return self._looked_up(launch, TryAgainError(msg))
        found = fault(order, error)
        if isinstance(found, PermissionDeniedError):
            return self._looked_up(launch, found)
        if isinstance(found, SettingsError):
            return mistaken(order, error, found)
        raise found from error

    def _looked_up(self, launch: Launch, otherwise: NommerctlError) -> Spawned:
        """Return what came of an order by its tag.

        It may not be shown yet, or not all of it: so while the order is young and nodes are missing, what would be
        wrong `otherwise` is raised, and the order stays unsettled.
        """
        found = self._found(launch, otherwise)
        if not (found.certain or self._is_older(launch, SHOWN_AFTER)):
            raise otherwise
        return found

    def _found(self, launch: Launch, otherwise: NommerctlError | None = None) -> Spawned:
        """Return what EC2 shows of an order: if it is all that was asked for, no more can come."""
        ours = _tagged(FARM_TAG, self._farm), _tagged(ORDER_TAG, launch.token)
        nodes = tuple(sorted(each["InstanceId"] for each in self._described(*ours)))
        return Spawned(nodes, fault=None if nodes else otherwise, certain=len(nodes) >= launch.count)

    def _is_older(self, launch: Launch, seconds: float) -> bool:
        return launch.ordered + micros(seconds) <= self._clock()

    def end_instances(self, nodes: Sequence[NodeId]) -> None:
        """End instances of this farm, each by itself as far as EC2 allows: what cannot be ended keeps none of the rest.

        NodeLivesOnError for those without the farm's tag, which are never ended, and those that EC2 protects.
        """
        foreign: list[NodeId] = []
        protected: list[NodeId] = []
        for batch in batches(dict.fromkeys(nodes), BATCH):
            ours: list[NodeId] = []
            for found in self._described({"Name": "instance-id", "Values": batch}):
                if _farm_of(found) != self._farm:
                    foreign.append(found["InstanceId"])
                elif found["State"]["Name"] not in _ENDING:
                    ours.append(found["InstanceId"])
            protected += self._ended(ours)
        if foreign or protected:
            raise NodeLivesOnError("; ".join(_left(self._farm, foreign, protected)))

    def _ended(self, nodes: list[NodeId]) -> list[NodeId]:
        """End instances; return those that are protected. EC2 ends none of them if it objects to one."""
        if not nodes:
            return []
        with calling("ec2:TerminateInstances", f"the nodes of farm '{self._farm}'"):
            try:
                self._ec2().terminate_instances(InstanceIds=nodes)
            except ClientError as error:
                if code_of(error) not in {_UNKNOWN, _PROTECTED}:
                    raise
                objection = error
            else:
                return []
        named = [node for node in nodes if node in message_of(objection)] or nodes
        if len(named) > 1 and named == nodes:  # it is not said which
            return [*self._ended(nodes[:1]), *self._ended(nodes[1:])]
        rest = self._ended([node for node in nodes if node not in named])
        return [*named, *rest] if code_of(objection) == _PROTECTED else rest


def _tagged(key: str, value: str) -> "FilterTypeDef":
    return {"Name": f"tag:{key}", "Values": [value]}


def _farm_of(instance: "InstanceTypeDef") -> str | None:
    """Return the farm that an instance carries the tag of, None if it carries none."""
    return _tag_of(instance, FARM_TAG)


def _tag_of(instance: "InstanceTypeDef", key: str) -> str | None:
    return next((tag.get("Value") for tag in instance.get("Tags", []) if tag.get("Key") == key), None)


def _instance(found: "InstanceTypeDef", *, ours: bool) -> Instance:
    state = found["State"]["Name"]
    alive = state in _ALIVE
    launched = round(found["LaunchTime"].timestamp() * 1_000_000)
    failure = _tag_of(found, FAILURE_TAG) or ""
    return Instance(
        found["InstanceId"],
        alive=alive,
        launched=launched,
        gone=not alive,
        ours=ours,
        failure=failure,
        stopped=state in _STOPPED,
        taken_back=found.get("StateReason", {}).get("Code") in _TAKEN_BACK,
    )


def _left(farm: str, foreign: Sequence[NodeId], protected: Sequence[NodeId]) -> list[str]:
    said = []
    if foreign:
        said.append(
            f"these instances lack the tag {FARM_TAG} = {farm}, so they are not ended: {', '.join(sorted(foreign))}"
        )
    if protected:
        named = ", ".join(sorted(protected))
        said.append(f"these nodes are protected from termination, take that away in EC2 first: {named}")
    return said
