"""Queues of SQS as parts of a farm."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.resources import QUEUE, queue_attributes, queue_properties, queue_request
from nommerctl.adapters.aws.stack.ownership import (
    check_not_foreign,
    check_ours,
    farm_of,
    maker_of,
    prefix_of,
    shown_tags,
    tags_of,
)
from nommerctl.adapters.aws.stack.waiting import shown_at_last
from nommerctl.domain.stack import Difference, Found, Part, Properties, Resource

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

T = TypeVar("T")

_AFTER_DELETION = 90.0
"""Seconds that a name is waited for. SQS takes up to 60 s for a deletion, and does not let it be used so long."""

_UNTIL_SHOWN = 20.0
"""Seconds that a new queue is waited for. SQS takes at least one second, by its reference of CreateQueue."""

_PAGE = 1000
"""Queues of one answer: the most that ListQueues gives."""

_MISSING = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_EXISTS = frozenset({"QueueAlreadyExists", "QueueNameExists"})
_DELETED = frozenset({"AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"})


class Queues:
    """A Kind. `sleep` takes seconds."""

    kind = QUEUE

    def __init__(self, clients: Clients, farm: str, sleep: Callable[[float], None]) -> None:
        self._clients = clients
        self._farm = farm
        self._sleep = sleep

    @property
    def _sqs(self) -> "SQSClient":
        return self._clients.sqs

    def find(self, resource: Resource) -> Found | None:
        """Return a queue as it is."""
        url = self._url(resource.name)
        return self._found(resource, url) if url else None

    def create(self, resource: Resource) -> Found:
        """Make a queue with all its properties, in one call; wait for its name if that is still being deleted."""
        name = resource.name
        url = shown_at_last(
            lambda: self._made(resource),
            self._sleep,
            seconds=_AFTER_DELETION,
            at_an_end=f"queue {name} was deleted a moment ago, and SQS does not let its name be used again yet: run"
            " this again in a minute",
        )
        found = shown_at_last(
            lambda: self._found(resource, url),
            self._sleep,
            seconds=_UNTIL_SHOWN,
            at_an_end=f"SQS does not show queue {name} yet, which was just made: run this again",
        )
        check_not_foreign(found.farm, self._farm, self.kind, name)
        return found

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:
        """Change a queue: its attributes in one call, its tags in another."""
        name = resource.name
        check_not_foreign(found.farm, self._farm, self.kind, name)
        changed = {each.path.partition(".")[0] for each in differences}
        wanted = {property_: value for property_, value in resource.properties.items() if property_ in changed}
        attributes: Any = queue_attributes(wanted)
        if attributes:
            with calling("sqs:SetQueueAttributes", _what(name)):
                self._sqs.set_queue_attributes(QueueUrl=found.id, Attributes=attributes)
        if "Tags" in wanted:
            with calling("sqs:TagQueue", _what(name)):
                self._sqs.tag_queue(QueueUrl=found.id, Tags=tags_of(wanted["Tags"]))

    def delete(self, part: Part) -> None:
        """Delete a queue with all that is in it."""
        name = part.name
        url = self._url(name)
        tags = self._tags(name, url) if url else None
        if url and tags is not None:
            check_ours(farm_of(tags), self._farm, self.kind, name)
            with calling("sqs:DeleteQueue", _what(name)):
                try:
                    self._sqs.delete_queue(QueueUrl=url)
                except ClientError as error:
                    if code_of(error) not in _MISSING:
                        raise
        shown_at_last(
            lambda: True if self._url(name) is None else None,
            self._sleep,
            seconds=_AFTER_DELETION,
            at_an_end=f"SQS still shows queue {name} {_AFTER_DELETION:.0f} s after its deletion: run this again in a"
            " minute",
        )

    def parts(self) -> list[Part]:
        """Return the queues with the farm's tag."""
        return [
            Part(self.kind, name, maker_of(tags))
            for name, url in self._listed()
            if (tags := self._tags(name, url)) is not None and farm_of(tags) == self._farm
        ]

    def _made(self, resource: Resource) -> str | None:
        """Return the URL of a queue that was made, or that is there; None if its name cannot be used for now."""
        with calling("sqs:CreateQueue", _what(resource.name)):
            try:
                return self._sqs.create_queue(**queue_request(resource.properties))["QueueUrl"]
            except ClientError as error:
                if code_of(error) not in _EXISTS | _DELETED:
                    raise
                return self._url(resource.name) if code_of(error) in _EXISTS else None

    def _found(self, resource: Resource, url: str) -> Found | None:
        attributes = self._attributes(resource.name, url)
        tags = self._tags(resource.name, url)
        if attributes is None or tags is None:
            return None
        properties: Properties = {
            "QueueName": resource.name,
            **queue_properties(attributes),
            "Tags": shown_tags(tags, resource.properties),
        }
        arn = attributes["QueueArn"]
        return Found(id=url, properties=properties, attributes={"Arn": arn}, farm=farm_of(tags), made_by=maker_of(tags))

    def _url(self, name: str) -> str | None:
        with calling("sqs:GetQueueUrl", _what(name)):
            return _unless_missing(lambda: self._sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def _attributes(self, name: str, url: str) -> dict[str, str] | None:
        with calling("sqs:GetQueueAttributes", _what(name)):
            answer = _unless_missing(lambda: self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))
            return {str(key): value for key, value in answer["Attributes"].items()} if answer else None

    def _tags(self, name: str, url: str) -> dict[str, str] | None:
        with calling("sqs:ListQueueTags", _what(name)):
            return _unless_missing(lambda: self._sqs.list_queue_tags(QueueUrl=url).get("Tags", {}))

    def _listed(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the URL of each queue whose name begins as the farm's do."""
        asked: dict[str, Any] = {"QueueNamePrefix": prefix_of(self._farm), "MaxResults": _PAGE}
        while True:
            with calling("sqs:ListQueues", "the queues"):
                page = self._sqs.list_queues(**asked)
            for url in page.get("QueueUrls", []):
                yield url.rpartition("/")[2], url
            if not page.get("NextToken"):
                return
            asked["NextToken"] = page["NextToken"]


def _unless_missing(call: Callable[[], T]) -> T | None:
    try:
        return call()
    except ClientError as error:
        if code_of(error) not in _MISSING:
            raise
        return None


def _what(name: str) -> str:
    return f"queue '{name}'"
