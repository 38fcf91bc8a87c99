"""Clients made from the cut-down copy of AWS's models: they ask and understand exactly what botocore's own do."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError
from botocore.regions import EndpointResolver

from nommerctl.adapters.aws.models import CutDownLoader
from nommerctl.adapters.aws.operations import CREDENTIAL_SERVICES, OPERATIONS
from tests.adapters import processes
from tests.adapters.aws.model_samples import parameters

pytestmark = pytest.mark.slow

REGIONS = ("eu-central-1", "us-east-1", "cn-north-1")
"""Of two partitions; us-east-1 has names of its own here and there."""

CALLS = [(service, name) for service, names in OPERATIONS.items() for name in names]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy."""
    folder = tmp_path_factory.mktemp("state") / "aws-models"
    CutDownLoader(folder, may_write=True).load_data("endpoints")
    return folder


class Sides:
    """Clients of both kinds, made once. Their requests go nowhere; each gets the same answer."""

    def __init__(self, copied: Path) -> None:
        self.own = botocore.session.Session()
        self.cut = botocore.session.Session()
        self.cut.register_component("data_loader", CutDownLoader(copied, may_write=False))
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._sent: list[AWSPreparedRequest] = []
        self._status = 200
        self._headers: dict[str, str] = {}
        self._body = b""
        for session in (self.own, self.cut):
            session.register("before-send", self._answer)
            session.set_credentials("testing", "testing")

    def client(self, service: str, region: str = REGIONS[0], *, cut: bool) -> Any:  # noqa: ANN401 - botocore makes its class
        key = service, region, cut
        if key not in self._clients:
            session = self.cut if cut else self.own
            self._clients[key] = session.create_client(service, region_name=region)
        return self._clients[key]

    def answer(self, body: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._status, self._body, self._headers = status, body.encode(), headers or {}

    def call(self, service: str, operation: str, region: str = REGIONS[0], *, cut: bool) -> tuple[Any, Any, Exception]:
        """Return what was sent, and what was understood of the answer, or raised."""
        client = self.client(service, region, cut=cut)
        given = parameters(self.client(service, region, cut=False).meta.service_model.operation_model(operation))
        understood, raised = None, Exception()
        try:
            understood = client._make_api_call(operation, given)  # noqa: SLF001 - by AWS's name
        except ClientError as error:
            understood, raised = error.response, error
        return sent(self._sent.pop()), understood, raised

    def _answer(self, **event: Any) -> Any:  # noqa: ANN401 - as botocore calls its handlers
        self._sent.append(event["request"])
        headers: Any = self._headers
        return AWSResponse(event["request"].url, self._status, headers, _Raw(self._body))


class _Raw(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


def sent(request: AWSPreparedRequest) -> tuple[str, str, dict[str, str], bytes]:
    """Return a request but for what is another at every one."""
    changing = {"authorization", "x-amz-date", "amz-sdk-invocation-id", "x-amz-security-token"}
    headers = {name.lower(): str(value) for name, value in request.headers.items() if name.lower() not in changing}
    body: Any = request.body
    if isinstance(body, io.IOBase):
        body = body.read()
    return str(request.method), request.url, headers, body if isinstance(body, bytes) else str(body).encode()


@pytest.fixture
def sides(copied: Path, both: list[Sides], monkeypatch: pytest.MonkeyPatch) -> Sides:
    """Both kinds of clients, which would go to AWS itself if anything were sent."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    if not both:
        both.append(Sides(copied))
    return both[0]


@pytest.fixture(scope="module")
def both() -> list[Sides]:
    """Where they are kept from one test to the next."""
    return []


EMPTY = {"ec2": "<answer/>", "s3": "<answer/>", "sdb": "<answer><{0}Result/></answer>"}
"""An answer that says nothing, of services that do not speak JSON."""


# --- the same requests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_the_same_bytes_are_sent_with_every_parameter_given(sides: Sides, service: str, operation: str) -> None:
    sides.answer(EMPTY.get(service, "{{}}").format(operation))
    for region in REGIONS:
        own, _, _ = sides.call(service, operation, region, cut=False)
        cut, _, _ = sides.call(service, operation, region, cut=True)
        assert cut == own


# --- the same answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_all_that_an_operation_leads_to_is_described_the_same(sides: Sides, service: str, operation: str) -> None:
    own, cut = (sides.client(service, cut=cut).meta.service_model for cut in (False, True))
    assert described(cut.operation_model(operation)) == described(own.operation_model(operation))
    assert cut.metadata == own.metadata


def described(operation: Any) -> list[object]:  # noqa: ANN401 - its whole model is no public part
    """Return all that botocore knows of an operation and the shapes that it leads to, but for documentation."""
    shapes: dict[str, object] = {}
    for shape in (operation.input_shape, operation.output_shape, *operation.error_shapes):
        if shape is not None:
            _describe(shape, shapes)
    return [_undocumented(operation._operation_model), operation.metadata, shapes]  # noqa: SLF001


def _describe(shape: Any, into: dict[str, object]) -> None:  # noqa: ANN401 - as above
    if shape.name in into:
        return
    into[shape.name] = _undocumented(shape._shape_model)  # noqa: SLF001
    for part in ("member", "key", "value"):
        if hasattr(shape, part):
            _describe(getattr(shape, part), into)
    for member in getattr(shape, "members", {}).values():
        _describe(member, into)


def _undocumented(part: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(part, dict):
        return {
            name: _undocumented(value)
            for name, value in part.items()
            if not (name == "documentation" and isinstance(value, str))
        }
    return [_undocumented(value) for value in part] if isinstance(part, list) else part


RECEIVED = '{"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"b","Attributes":{"SentTimestamp":"1"}}]}'

QUERIED = '{"Items":[{"id":{"S":"a"},"b":{"B":"YQ=="},"n":{"N":"1"}}],"Count":1,"LastEvaluatedKey":{"id":{"S":"a"}}}'

INSTANCES = (
    "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>"
    "<instanceState><code>16</code><name>running</name></instanceState><ebsOptimized>true</ebsOptimized>"
    "<launchTime>2026-01-01T09:00:00.000Z</launchTime><tagSet><item><key>k</key><value>v</value></item></tagSet>"
    "</item></instancesSet></item></reservationSet><nextToken>n</nextToken></DescribeInstancesResponse>"
)

UPLOADS = (
    "<ListMultipartUploadsResult><Bucket>b</Bucket><IsTruncated>false</IsTruncated><MaxUploads>9</MaxUploads>"
    "<Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2026-01-01T09:00:00.000Z</Initiated></Upload>"
    "<Upload><Key>b</Key><UploadId>2</UploadId></Upload></ListMultipartUploadsResult>"
)

ANSWERS = [
    ("sqs", "ReceiveMessage", RECEIVED),
    ("dynamodb", "Query", QUERIED),
    ("pricing", "GetProducts", '{"FormatVersion":"aws_v1","PriceList":["{}"],"NextToken":"n"}'),
    ("ec2", "DescribeInstances", INSTANCES),
    ("s3", "ListMultipartUploads", UPLOADS),
]


@pytest.mark.parametrize(("service", "operation", "body"), ANSWERS)
def test_an_answer_is_understood_the_same(sides: Sides, service: str, operation: str, body: str) -> None:
    sides.answer(body)
    _, own, _ = sides.call(service, operation, cut=False)
    _, cut, _ = sides.call(service, operation, cut=True)
    assert cut == own
    assert len(cut) > 1, "there is more in it than that there was an answer"


NO_QUEUE = '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}'

CANCELED = (
    '{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"no",'
    '"CancellationReasons":[{"Code":"ConditionalCheckFailed","Item":{"id":{"S":"a"}}}]}'
)

NO_IMAGE = (
    "<Response><Errors><Error><Code>InvalidAMIID.NotFound</Code><Message>no</Message></Error></Errors></Response>"
)

REFUSALS = [
    ("sqs", "ReceiveMessage", 400, NO_QUEUE),
    ("dynamodb", "TransactWriteItems", 400, CANCELED),
    ("pricing", "GetProducts", 400, '{"__type":"AccessDeniedException","Message":"no"}'),
    ("ec2", "RunInstances", 400, NO_IMAGE),
    ("s3", "GetObject", 404, "<Error><Code>NoSuchKey</Code><Message>no</Message><Key>x</Key></Error>"),
]


@pytest.mark.parametrize(("service", "operation", "status", "body"), REFUSALS)
def test_a_refusal_is_understood_the_same(sides: Sides, service: str, operation: str, status: int, body: str) -> None:
    sides.answer(body, status, {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"})
    _, own, own_error = sides.call(service, operation, cut=False)
    _, cut, cut_error = sides.call(service, operation, cut=True)
    assert cut == own
    assert type(cut_error).__name__ == type(own_error).__name__


@pytest.mark.parametrize("service", OPERATIONS)
def test_all_errors_have_their_classes(sides: Sides, service: str) -> None:
    classes = [set(dir(sides.client(service, cut=cut).exceptions)) for cut in (True, False)]
    assert classes[0] == classes[1]


# --- what else there is in a model -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_what_can_be_paged_is_paged_the_same(sides: Sides, service: str, operation: str) -> None:
    own, cut = (sides.client(service, cut=cut) for cut in (False, True))
    name = next(name for name, each in own.meta.method_to_api_mapping.items() if each == operation)
    assert cut.can_paginate(name) == own.can_paginate(name)
    if own.can_paginate(name):
        assert cut.get_paginator(name).result_keys == own.get_paginator(name).result_keys


def test_what_is_waited_for_is_waited_for_the_same(sides: Sides) -> None:
    own, cut = (sides.client("dynamodb", cut=cut) for cut in (False, True))
    assert vars(cut.get_waiter("table_exists").config).keys() == vars(own.get_waiter("table_exists").config).keys()
    assert set(cut.waiter_names) < set(own.waiter_names)


@pytest.mark.parametrize("service", [*OPERATIONS, *CREDENTIAL_SERVICES])
def test_endpoints_are_where_they_were(sides: Sides, service: str) -> None:
    own, cut = (
        EndpointResolver(session.get_component("data_loader").load_data("endpoints"), uses_builtin_data=True)
        for session in (sides.own, sides.cut)
    )
    prefix = sides.own.get_service_model(service).endpoint_prefix
    assert cut.get_available_partitions() == own.get_available_partitions()
    for partition in own.get_available_partitions():
        regions = own.get_available_endpoints(prefix, partition, allow_non_regional=True)
        assert cut.get_available_endpoints(prefix, partition, allow_non_regional=True) == regions
        for region in regions:
            assert cut.construct_endpoint(prefix, region) == own.construct_endpoint(prefix, region)


def test_services_that_are_not_in_the_copy_are_there_as_ever(sides: Sides) -> None:
    assert hasattr(sides.cut.create_client("sts", region_name=REGIONS[0]), "assume_role")
    assert sides.cut.get_available_services() == sides.own.get_available_services()


def test_another_version_of_the_api_is_botocores_own(sides: Sides) -> None:
    old = sides.cut.create_client("ec2", region_name=REGIONS[0], api_version="2014-09-01")
    assert hasattr(old, "describe_volumes")
    assert old.meta.service_model.api_version == "2014-09-01"


READ_BY_BOTOCORE = """
import pathlib, sys
from nommerctl.adapters.aws.clients import Clients
from botocore.loaders import Loader
read = []
own = Loader.BUILTIN_DATA_PATH
sys.addaudithook(lambda event, given: read.append(given[0]) if event in {"open", "os.listdir"} else None)
clients = Clients(models=pathlib.Path(sys.argv[1]))
clients.sqs, clients.dynamodb, clients.ec2, clients.s3(), clients.pricing, clients.sdb
clients.dynamodb.get_waiter("table_exists"), clients.ec2.get_paginator("describe_instances")
print([path for path in map(str, read) if path.startswith(own)])
print(len([path for path in map(str, read) if path.startswith(sys.argv[1])]))
"""


@pytest.mark.usefixtures("aws_account")
def test_with_a_copy_nothing_is_read_of_botocores_models(copied: Path) -> None:
    """What this is all for. A botocore that asks its loader for more, or in another way, fails here."""
    botocores, ours = processes.run(READ_BY_BOTOCORE, copied).splitlines()
    assert botocores == "[]"
    assert int(ours) == len(OPERATIONS) + 1
