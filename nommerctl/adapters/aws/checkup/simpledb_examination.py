"""What `doctor` asks of the domains and queues of a farm of backend simpledb; nothing of it has an effect."""

from collections.abc import Iterator, Sequence
from functools import partial

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.checkup.trials import NOBODY, Tried, tried
from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.simpledb.domains import Domain, Expected
from nommerctl.adapters.aws.sqs_requests import SqsRequests
from nommerctl.domain.aws_account import Leave, Permission

_IMPOSSIBLE = Expected(NOBODY, NOBODY)
"""A condition that does not hold for an item that is not there."""


def is_domain_there(clients: Clients, name: str) -> bool:
    """Whether there is a domain of this name."""
    with calling("sdb:DomainMetadata", f"domain '{name}'"):
        try:
            clients.sdb.domain_metadata(DomainName=name)
        except ClientError as error:
            if code_of(error) == "NoSuchDomain":
                return False
            raise
    return True


def tried_domains(clients: Clients, names: Sequence[str]) -> Iterator[Tried]:
    """Try what passes ask of domains, on an item that nobody has. One that is not there leaves it open."""
    for name in names:
        domain = Domain(clients, name, ours=False)
        on = f"domain '{name}'"
        yield tried("sdb:GetAttributes", on, partial(domain.get, NOBODY))
        yield tried("sdb:Select", on, partial(domain.get_many, [NOBODY]))
        yield tried("sdb:PutAttributes", on, partial(domain.put, NOBODY, {NOBODY: NOBODY}, _IMPOSSIBLE))
        yield tried("sdb:DeleteAttributes", on, partial(domain.delete, NOBODY, _IMPOSSIBLE))


def tried_own_domains(clients: Clients, *, jobs: str, ledger: str) -> Iterator[Tried]:
    """Try the same of the farm's own domains, and the deletion of several items.

    No try of a batch of writes would be harmless, for it has no condition. Nor would one to make a domain where it is
    not there; where it is, nobody needs to.
    """
    there = [name for name in (jobs, ledger) if is_domain_there(clients, name)]
    yield from tried_domains(clients, there)
    if ledger in there:
        clear = partial(Domain(clients, ledger, ours=False).delete_batch, [NOBODY])
        yield tried("sdb:BatchDeleteAttributes", f"domain '{ledger}'", clear)
    for name in (jobs, ledger):
        missing = () if name in there else ("sdb:CreateDomain",)
        for action in ("sdb:BatchPutAttributes", *missing):
            yield Tried(Permission(action, f"domain '{name}'", Leave.UNKNOWN))


def tried_old_queues(clients: Clients, *, new_jobs: str, changes: str, urls: QueueUrls) -> Iterator[Tried]:
    """Try what passes ask of the queues, but for what would send a message, or receive one."""
    for name in (new_jobs, changes):
        yield tried("sqs:GetQueueAttributes", f"queue '{name}'", SqsRequests(clients, name, urls).depth)
    requests = SqsRequests(clients, changes, urls)
    yield tried("sqs:DeleteMessage", f"queue '{changes}'", partial(requests.delete, [NOBODY]))
