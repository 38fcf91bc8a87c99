"""An EC2 in memory, behind a real client: what nodes take of it, with its tokens, its lag and its bad days."""

import functools
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.session
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from nommerctl.domain.fleet import Pool
from nommerctl.domain.times import micros
from nommerctl.ports import Clock
from tests.aws_servers import REGION
from tests.fakes import ec2_wire as wire
from tests.fakes.ec2_wire import FakeInstance, Parameters, Refused

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

URL = "http://ec2.test"
"""Nobody is asked there: the answers are given before a request is sent."""

EVER = 10**9


class Fault(Enum):
    """What befalls one call, before it took effect or after."""

    THROTTLED = "RequestLimitExceeded"
    FAILED = "InternalError"
    RESET = "reset before the effect"
    TIMED_OUT = "timed out before the effect"
    LOST = "reset after the effect"
    TIMED_OUT_LATE = "timed out after the effect"


_CUT_OFF_BEFORE = {Fault.RESET: ConnectionClosedError, Fault.TIMED_OUT: ReadTimeoutError}
_CUT_OFF_AFTER = {Fault.LOST: ConnectionClosedError, Fault.TIMED_OUT_LATE: ReadTimeoutError}


class Answered(NamedTuple):
    """An order that was taken: the same token with other `parameters` is refused, with these answered as before."""

    parameters: Parameters
    answer: bytes


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


def ec2_client(*, attempts: int = 1) -> "EC2Client":
    """Make a client that signs nothing and tries a call `attempts` times; to be shared by many tests."""
    config = Config(signature_version=UNSIGNED, retries={"mode": "standard", "total_max_attempts": attempts})
    made: Any = _session().create_client("ec2", region_name=REGION, endpoint_url=URL, config=config)
    client: EC2Client = made
    return client


class FakeEc2:
    """EC2 for nodes; time is that of `clock`. Anything may be changed between two calls.

    `room` is how many more instances a pool can give, without end where it says nothing; `codes` is what a pool answers
    that has none. A new instance is shown after `lag` seconds and `lag_describes` looks that it was missing from, both
    as they are when it is launched. Ended instances are shown for an hour. What is in `refusals` and `answers`, by
    operation, is answered whatever is asked; what is in `objections`, by instance, when that is to be terminated.
    `fail` lets the next calls go wrong.
    """

    def __init__(self, clock: Clock) -> None:
        self.lag = 0.0
        self.lag_describes = 0
        self.room: dict[Pool, int] = {}
        self.codes: dict[Pool, str] = {}
        self.refusals: dict[str, Refused] = {}
        self.objections: dict[str, Refused] = {}
        self.answers: dict[str, bytes] = {}
        self.instances: dict[str, FakeInstance] = {}
        self.calls: list[tuple[str, Parameters]] = []
        self._clock = clock
        self._answered: dict[tuple[str, str], Answered] = {}
        self._faults: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self._numbers = itertools.count(1)
        self._operations: Mapping[str, Callable[[Parameters], bytes]] = {
            "CreateFleet": self._create_fleet,
            "RunInstances": self._run_instances,
            "DescribeInstances": self._describe_instances,
            "TerminateInstances": self._terminate_instances,
        }

    @contextmanager
    def behind(self, client: "EC2Client") -> Iterator["EC2Client"]:
        """Answer what this client asks meanwhile."""
        events: Any = client.meta.events
        events.register("before-send.ec2", self._answer)
        try:
            yield client
        finally:
            events.unregister("before-send.ec2", self._answer)

    @property
    def running(self) -> list[str]:
        """The instances that cost money, shown or not."""
        return [instance.id for instance in self.instances.values() if instance.ended is None]

    def counted(self, operation: str) -> int:
        """How many calls of an operation there were."""
        return sum(name == operation for name, _ in self.calls)

    def fail(self, operation: str, *faults: Fault | None) -> None:
        """Let the next calls of an operation go wrong, one by each fault; None is a call that goes well."""
        self._faults[operation].extend(faults)

    def forget_tokens(self) -> None:
        """Do as EC2 does after a day or two: take what comes with an old token for a new order."""
        self._answered.clear()

    def launch(self, pool: Pool, *, image: str = "ami-1", tags: Mapping[str, str] | None = None) -> FakeInstance:
        """Launch an instance, whoever asks for it."""
        number = next(self._numbers)
        instance = FakeInstance(
            id=f"i-{number:017x}",
            pool=pool,
            image=image,
            tags=dict(tags or {}),
            launched=self._clock(),
            shown_from=self._clock() + micros(self.lag),
            missed=self.lag_describes,
        )
        self.instances[instance.id] = instance
        return instance

    def end(self, node: str) -> None:
        """End an instance, as AWS ends one of spot."""
        if self.instances[node].ended is None:
            self.instances[node].ended = self._clock()

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        parameters = wire.parameters_of(request)
        operation = parameters.pop("Action")
        self.calls.append((operation, parameters))
        fault = self._faults[operation].popleft() if self._faults[operation] else None
        try:
            body = self._carried_out(operation, parameters, fault)
        except Refused as refused:
            return wire.error(request, refused)
        return wire.response(request, body)

    def _carried_out(self, operation: str, parameters: Parameters, fault: Fault | None) -> bytes:
        if fault in {Fault.THROTTLED, Fault.FAILED}:
            raise Refused(fault.value, code=fault.value, status=503)
        if fault in _CUT_OFF_BEFORE:
            raise _CUT_OFF_BEFORE[fault](endpoint_url=URL)
        if operation in self.refusals:
            raise self.refusals[operation]
        body = self.answers.get(operation) or self._operations[operation](parameters)
        if fault in _CUT_OFF_AFTER:
            raise _CUT_OFF_AFTER[fault](endpoint_url=URL)
        return body

    def _once(self, operation: str, parameters: Parameters, take: Callable[[], bytes]) -> bytes:
        """Take an order, or answer as before when it was taken already."""
        token = operation, parameters["ClientToken"]
        if token not in self._answered:
            self._answered[token] = Answered(parameters, take())
        elif self._answered[token].parameters != parameters:
            msg = "The request uses the same client token as a previous, but non-identical request."
            raise Refused(msg, code="IdempotentParameterMismatch")
        return self._answered[token].answer

    def _create_fleet(self, parameters: Parameters) -> bytes:
        def take() -> bytes:
            wanted = int(parameters["TargetCapacitySpecification.TotalTargetCapacity"])
            errors: list[tuple[Pool, str]] = []
            launched: list[FakeInstance] = []
            for pool in wire.pools_of(parameters):
                given = self._given(pool, wanted - len(launched))
                if len(launched) + given < wanted:
                    errors.append((pool, self.codes.get(pool, "InsufficientInstanceCapacity")))
                tags = wire.tags_of(parameters)
                launched += [self.launch(pool, tags=tags) for _ in range(given)]
            return wire.fleet(launched, errors)

        return self._once("CreateFleet", parameters, take)

    def _run_instances(self, parameters: Parameters) -> bytes:
        def take() -> bytes:
            pool = wire.pool_of(parameters)
            given = self._given(pool, int(parameters["MaxCount"]))
            if given < int(parameters["MinCount"]):
                code = self.codes.get(pool, "InsufficientInstanceCapacity")
                msg = "There is nothing left in this pool."
                raise Refused(msg, code=code, status=500 if code.startswith("Insufficient") else 400)
            tags, image = wire.tags_of(parameters), parameters["ImageId"]
            return wire.reservation([self.launch(pool, image=image, tags=tags) for _ in range(given)], self._clock())

        answer = self._once("RunInstances", parameters, take)
        if any(instance.ended is not None for instance in self._of_order(parameters)):
            msg = "The request uses the client token of an instance that has been terminated."
            raise Refused(msg, code="IdempotentInstanceTerminated")
        return answer

    def _of_order(self, parameters: Parameters) -> list[FakeInstance]:
        tags = wire.tags_of(parameters)
        return [instance for instance in self.instances.values() if instance.tags == tags]

    def _given(self, pool: Pool, wanted: int) -> int:
        if pool in self.codes:
            return 0
        given = min(wanted, self.room.get(pool, EVER))
        self.room[pool] = self.room.get(pool, EVER) - given
        return given

    def _describe_instances(self, parameters: Parameters) -> bytes:
        found = [
            instance
            for instance in self.instances.values()
            if wire.passes(instance, parameters) and instance.is_shown(self._clock())
        ]
        start = int(parameters.get("NextToken", 0))
        end = start + int(parameters.get("MaxResults", EVER))
        return wire.described(found[start:end], self._clock(), more=str(end) if end < len(found) else "")

    def _terminate_instances(self, parameters: Parameters) -> bytes:
        nodes = wire.listed(parameters, "InstanceId")
        unknown = [node for node in nodes if node not in self.instances]
        if unknown:
            msg = f"The instance IDs '{', '.join(unknown)}' do not exist"
            raise Refused(msg, code="InvalidInstanceID.NotFound")
        for node in nodes:
            if node in self.objections:
                raise self.objections[node]
        for node in nodes:
            self.end(node)
        return wire.terminated(nodes)
