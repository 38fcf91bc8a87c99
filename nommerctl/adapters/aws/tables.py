"""A table of DynamoDB: reads that are whole, writes that say what stood in their way, and patience with both."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.errors import TryAgainError

T = TypeVar("T")

Item: TypeAlias = Mapping[str, Any]
"""An item, or its key, as DynamoDB has it: `{"id": {"S": "0f"}, "version": {"N": "1"}}`."""

READ_AT_ONCE = 100
"""Items of one BatchGetItem."""

WRITTEN_AT_ONCE = 100
"""Items of one transaction."""

TRANSACTION_BYTES = 4_000_000
"""Of all items of one transaction, a little less than the 4 MB that DynamoDB takes."""

ITEM_BYTES = 400_000
"""Of one item, the names of its attributes counted: what DynamoDB takes, 400 KB, whichever way they are counted."""

_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between tries of what DynamoDB leaves undone without an error that botocore would repeat."""

_BUSY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons for which a transaction is cancelled that are no fault of what was to be written."""

_NAME = re.compile(r"#(\w+)")


class Write(NamedTuple):
    """A write of one item, alone or together with others."""

    kind: Literal["Put", "Update", "Delete"]
    asked: Item

    @property
    def action(self) -> str:
        """What it is called in IAM, in a transaction too."""
        return f"dynamodb:{self.kind}Item"


def put(item: Item, *, condition: str = "", values: Item | None = None) -> Write:
    """Write an item over the one with its key; see `update` for the expressions."""
    return Write("Put", {"Item": item, **_expressed({"ConditionExpression": condition}, values)})


def update(key: Item, change: str, *, condition: str = "", values: Item) -> Write:
    """Change attributes of an item, or make it.

    Attributes are written `#name` in expressions, for the sake of all the words that are reserved; values are `:name`.
    """
    expressions = {"UpdateExpression": change, "ConditionExpression": condition}
    return Write("Update", {"Key": key, **_expressed(expressions, values)})


def delete(key: Item, *, condition: str = "", values: Item | None = None) -> Write:
    """Delete an item; see `update` for the expressions."""
    return Write("Delete", {"Key": key, **_expressed({"ConditionExpression": condition}, values)})


def transactions(things: Iterable[T], most: int, *, size: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield lists of what fits into one transaction each, by number and by the sizes of the items."""
    batch: list[T] = []
    room = TRANSACTION_BYTES
    for thing in things:
        needed = size(thing)
        if len(batch) == most or needed > room:
            yield batch
            batch, room = [], TRANSACTION_BYTES
        batch.append(thing)
        room -= needed
    if batch:
        yield batch


def _expressed(expressions: Mapping[str, str], values: Item | None) -> dict[str, Any]:
    asked: dict[str, Any] = {kind: expression for kind, expression in expressions.items() if expression}
    names = {f"#{name}": name for expression in asked.values() for name in _NAME.findall(expression)}
    if names:
        asked["ExpressionAttributeNames"] = names
    if values:
        asked["ExpressionAttributeValues"] = values
    if "ConditionExpression" in asked:
        asked["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return asked


class Standing(NamedTuple):
    """What stood in the way of a conditional write: the `item` as it is, empty if there is none.

    `repeated` says that it was tried before and may have been done then, without an answer.
    """

    item: Item
    repeated: bool


class Table:
    """A table of DynamoDB. It may be used by several threads at once; `sleep` takes seconds."""

    def __init__(self, clients: Clients, name: str, sleep: Callable[[float], None]) -> None:
        self.name = name
        self._clients = clients
        self._sleep = sleep
        self._what = f"table '{name}'"

    def get(self, key: Item) -> Item | None:
        """Return an item as it is now, None if there is none."""
        with calling("dynamodb:GetItem", self._what):
            return self._clients.dynamodb.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")

    def get_batch(self, keys: Sequence[Item]) -> list[Item]:
        """Return those of up to READ_AT_ONCE items that there are, each as it is now, in no order; no key twice."""
        action = "dynamodb:BatchGetItem"
        found: list[Item] = []
        patience = self._patience(action)
        while True:
            with calling(action, self._what):
                answer = self._clients.dynamodb.batch_get_item(
                    RequestItems={self.name: {"Keys": keys, "ConsistentRead": True}}
                )
                read = answer["Responses"].get(self.name, [])
                left = answer["UnprocessedKeys"].get(self.name)
            found += read
            if not left:
                return found
            keys = left["Keys"]
            if read:  # it is getting on, as when the items are more than an answer holds
                patience = self._patience(action)
            patience.wait()

    def query(
        self,
        condition: str,
        values: Item,
        *,
        index: str = "",
        where: str = "",
        limit: int = 0,
        backwards: bool = False,
    ) -> Iterator[Item]:
        """Yield the items that an expression on their key selects, and an expression `where`; see `update` for these.

        They come in the order of their range key, page by page, of up to `limit` items if it is given: of the table as
        it is now, or of an index, which may be behind.
        """
        what = f"index '{index}' of {self._what}" if index else self._what
        expressions = {"KeyConditionExpression": condition, "FilterExpression": where}
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "ScanIndexForward": not backwards,
            **({"IndexName": index} if index else {"ConsistentRead": True}),
            **({"Limit": limit} if limit else {}),
            **_expressed(expressions, values),
        }
        while True:
            with calling("dynamodb:Query", what):
                page = self._clients.dynamodb.query(**parameters)
                items = page["Items"]
            yield from items
            if "LastEvaluatedKey" not in page:
                return
            parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(self, write: Write) -> Standing | None:
        """Write one item; return what stands instead if the condition of the write does not hold."""
        client = self._clients.dynamodb
        calls: dict[str, Callable[..., object]] = {
            "Put": client.put_item,
            "Update": client.update_item,
            "Delete": client.delete_item,
        }
        patience = self._patience(write.action)
        while True:
            with calling(write.action, self._what):
                try:
                    calls[write.kind](TableName=self.name, **write.asked)
                except ClientError as error:
                    if code_of(error) == "ConditionalCheckFailedException":
                        return Standing(_told(error).get("Item", {}), repeated=_repeated(error))
                    if code_of(error) != "TransactionConflictException":
                        raise
                else:
                    return None
            patience.wait()

    def write_together(self, writes: Sequence[Write]) -> dict[int, Standing]:
        """Write up to WRITTEN_AT_ONCE items, all or none, no item twice; it costs twice as many write units.

        Return an empty dict when they are written. Else nothing is, and it has by their places what stands instead of
        those writes whose conditions do not hold.
        """
        client = self._clients.dynamodb
        action = " and ".join(sorted({write.action for write in writes}))
        patience = self._patience(action)
        while True:
            with calling(action, self._what):
                try:
                    client.transact_write_items(
                        TransactItems=[{write.kind: {"TableName": self.name, **write.asked}} for write in writes]  # type: ignore[misc]
                    )
                except ClientError as error:
                    if failed := _failed(error):
                        return failed
                    if not any(reason.get("Code") in _BUSY for reason in _reasons(error)):
                        raise
                else:
                    return {}
            patience.wait()

    def _patience(self, action: str) -> "_Patience":
        return _Patience(
            self._sleep, f"AWS does not get round to {action} on {self._what} for now: the next run tries again"
        )


class _Patience:
    """Growing pauses between tries, until it is at an end."""

    def __init__(self, sleep: Callable[[float], None], at_an_end: str) -> None:
        self._sleep = sleep
        self._at_an_end = at_an_end
        self._pauses = iter(_PAUSES)

    def wait(self) -> None:
        pause = next(self._pauses, None)
        if pause is None:
            raise TryAgainError(self._at_an_end)
        self._sleep(pause)


def _failed(error: ClientError) -> dict[int, Standing]:
    return {
        place: Standing(reason.get("Item", {}), repeated=_repeated(error))
        for place, reason in enumerate(_reasons(error))
        if reason.get("Code") == "ConditionalCheckFailed"
    }


def _reasons(error: ClientError) -> list[dict[str, Any]]:
    """Why each write of a transaction was cancelled."""
    return list(_told(error).get("CancellationReasons", []))


def _told(error: ClientError) -> dict[str, Any]:
    """What AWS answered besides its word and its sentence."""
    return dict(error.response)


def _repeated(error: ClientError) -> bool:
    return bool(error.response.get("ResponseMetadata", {}).get("RetryAttempts"))
