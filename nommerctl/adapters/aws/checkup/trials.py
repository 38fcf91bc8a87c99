"""Whether what the operator needs is permitted, found out by calls that do nothing.

A dry run of EC2 does nothing; neither does a write of DynamoDB on a condition that cannot hold, nor a request of SQS
about a message by a receipt that is none. AWS looks at the permission before all that.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of, message_of, translated
from nommerctl.adapters.aws.names import changes_queue, dead_letters, jobs_table, ledger_table, new_jobs_queue
from nommerctl.adapters.aws.orders import Order, composed, template_of, templated
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.refusals import fault
from nommerctl.adapters.aws.resources import BY_CHANGE, BY_ID
from nommerctl.adapters.aws.sqs_requests import SqsRequests
from nommerctl.adapters.aws.tables import Item, Table, delete, put, update
from nommerctl.domain.aws_account import Leave, Permission
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.fleet import NodeId
from nommerctl.domain.s3_uris import S3
from nommerctl.errors import AWAY, NommerctlError, PermissionDeniedError, SettingsError

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

NOBODY = "nobody"
"""The id of no job, the key of no entry of the ledger, the token of no order, and the receipt of no message."""

_ACTION = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)")
_SAID_ELSEWHERE = ("InvalidLaunchTemplate", "InvalidAMI", "InvalidInstanceID")
"""How the codes begin of what has a check of its own (template, image), or has ended meanwhile (a node)."""


class Tried(NamedTuple):
    """What came of one try; `fault` is what else is wrong with it than a permission."""

    permission: Permission
    fault: NommerctlError | None = None


def tried_tables(clients: Clients, farm: str, sleep: Callable[[float], None]) -> list[Tried]:
    """Try what passes ask of the tables, on keys that nobody has. An unknown table leaves it open."""
    jobs, ledger = Table(clients, jobs_table(farm), sleep), Table(clients, ledger_table(farm), sleep)
    job: Item = {"id": {"S": NOBODY}}
    entry: Item = {"kind": {"S": NOBODY}, "key": {"S": NOBODY}}
    return [
        tried("dynamodb:GetItem", _table(jobs), lambda: jobs.get(job)),
        tried("dynamodb:BatchGetItem", _table(jobs), lambda: jobs.get_batch([job])),
        *(
            tried("dynamodb:Query", f"index '{index}' of {_table(jobs)}", partial(_query, jobs, attribute, index))
            for index, attribute in ((BY_CHANGE, "phase"), (BY_ID, "head"))
        ),
        tried("dynamodb:PutItem", _table(jobs), lambda: jobs.write(put(job, condition=_never("id")))),
        tried("dynamodb:DeleteItem", _table(jobs), lambda: jobs.write(delete(job, condition=_never("id")))),
        tried("dynamodb:Query", _table(ledger), lambda: _query(ledger, "kind", "")),
        tried("dynamodb:PutItem", _table(ledger), lambda: ledger.write(put(entry, condition=_never("kind")))),
        tried(
            "dynamodb:UpdateItem",
            _table(ledger),
            lambda: ledger.write(update(entry, "SET #at = :at", condition=_never("kind"), values={":at": {"N": "0"}})),
        ),
        tried("dynamodb:DeleteItem", _table(ledger), lambda: ledger.write(delete(entry, condition=_never("kind")))),
    ]


def _table(table: Table) -> str:
    return f"table '{table.name}'"


def _never(attribute: str) -> str:
    return f"attribute_exists(#{attribute}) AND attribute_not_exists(#{attribute})"


def _query(table: Table, attribute: str, index: str) -> None:
    list(table.query(f"#{attribute} = :nobody", {":nobody": {"S": NOBODY}}, index=index, limit=1))


def tried_queues(clients: Clients, farm: str, urls: QueueUrls) -> list[Tried]:
    """Try what passes ask of the queues, but for what would send a message, or receive one."""
    new_jobs, changes, dead = new_jobs_queue(farm), changes_queue(farm), dead_letters(new_jobs_queue(farm))
    requests = {name: SqsRequests(clients, name, urls) for name in (new_jobs, changes, dead)}
    return [
        *(tried("sqs:GetQueueAttributes", f"queue '{name}'", requests[name].depth) for name in requests),
        *(
            tried("sqs:DeleteMessage", f"queue '{name}'", partial(requests[name].delete, [NOBODY]))
            for name in (changes, dead)
        ),
        tried("sqs:ChangeMessageVisibility", f"queue '{dead}'", partial(requests[dead].hide, [NOBODY], 0)),
    ]


def tried_buckets(clients: Clients, settings: AwsSettings) -> list[Tried]:
    """Try what submit asks of the buckets that outputs go to, but for reading a source."""

    def look(bucket: str, folder: str) -> Callable[[], object]:
        return lambda: clients.s3().list_multipart_uploads(Bucket=bucket, Prefix=f"{folder}{NOBODY}", MaxUploads=1)

    places = [place.removeprefix(f"{S3}://").partition("/") for place in settings.buckets]
    return [
        tried("s3:ListBucketMultipartUploads", f"bucket '{bucket}'", look(bucket, f"{folder}/" if folder else ""))
        for bucket, _, folder in places
    ]


def tried(action: str, on: str, call: Callable[[], object]) -> Tried:
    """Make a try; what is missing, and what AWS could not say, leave it open."""
    try:
        with calling(action, on):
            call()
    except PermissionDeniedError:
        return Tried(Permission(action, on, Leave.DENIED))
    except SettingsError:  # what is missing has a check of its own
        return Tried(Permission(action, on, Leave.UNKNOWN))
    except AWAY as error:
        return Tried(Permission(action, on, Leave.UNKNOWN, str(error)))
    return Tried(Permission(action, on, Leave.GRANTED))


def tried_launch(clients: Clients, settings: AwsSettings, farm: str) -> list[Tried]:
    """Let EC2 say whether it would take the orders that the farm gives.

    An order for a fleet takes the permission to launch an instance as well, which EC2 looks at only when it does so:
    that is tried by itself. SettingsError if no instance type is set.
    """
    order = composed(settings, farm, token=NOBODY, count=1, refused={}, on_demand=False)
    template = template_of(settings, farm)
    single = [templated(order, template)] if template else []
    return [_tried_order(clients.ec2, each) for each in (order, *single)]


def _tried_order(ec2: "EC2Client", order: Order) -> Tried:
    calls: dict[str, Callable[..., object]] = {"CreateFleet": ec2.create_fleet, "RunInstances": ec2.run_instances}
    parameters = {name: value for name, value in order.parameters.items() if name != "ClientToken"}
    action, on = f"ec2:{order.operation}", "new nodes"
    return _dry(action, on, partial(calls[order.operation], DryRun=True, **parameters), partial(fault, order))


def tried_end(clients: Clients, nodes: Sequence[NodeId]) -> list[Tried]:
    """Let EC2 say whether it would end a node, if there is one."""
    action = "ec2:TerminateInstances"

    def end(node: NodeId) -> Tried:
        on = f"node {node}"
        call = partial(clients.ec2.terminate_instances, InstanceIds=[node], DryRun=True)
        return _dry(action, on, call, lambda error: translated(error, action, on))

    return [end(node) for node in nodes[:1]]


def _dry(action: str, on: str, call: Callable[[], object], as_fault: Callable[[ClientError], NommerctlError]) -> Tried:
    """Make a dry run, which is always refused: most of all because it is none but a dry run."""
    try:
        with calling(action, on):
            try:
                call()
            except ClientError as error:
                return _refused(action, on, error, as_fault(error))
    except AWAY as error:
        return Tried(Permission(action, on, Leave.UNKNOWN, str(error)))
    return Tried(Permission(action, on, Leave.GRANTED))


def _refused(action: str, on: str, error: ClientError, otherwise: NommerctlError) -> Tried:
    match code_of(error):
        case "DryRunOperation":
            return Tried(Permission(action, on, Leave.GRANTED))
        case "UnauthorizedOperation":
            named = _ACTION.search(message_of(error))
            return Tried(Permission(named[1] if named else action, on, Leave.DENIED))
        case code if code.startswith(_SAID_ELSEWHERE):
            return Tried(Permission(action, on, Leave.UNKNOWN))
        case _ if isinstance(otherwise, SettingsError):
            return Tried(Permission(action, on, Leave.UNKNOWN), otherwise)
        case _:
            return Tried(Permission(action, on, Leave.UNKNOWN, str(otherwise)))
