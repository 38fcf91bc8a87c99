"""The entries of SQS's batches: what fits into one request, and what becomes of those that failed in it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.errors import translated
from nommerctl.errors import NommerctlError, TryAgainError

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef as FailedEntry

BATCH = 10
"""Entries in one request: the most that SQS takes."""

BATCH_BYTES = 256 * 1024
"""Bytes of text in one request. SQS takes 1 MiB by now, but not for a queue whose own limit is the older one."""

PAUSES = (0.1, 0.4, 1.6)
"""Seconds before each further try of the entries of a batch that SQS failed at while it did the others."""

Ask: TypeAlias = "Callable[[Mapping[str, str]], Sequence[FailedEntry]]"
"""Asks SQS to do something with each of the texts, bodies or receipt handles; returns the entries that failed."""

_SERVER_ERROR, _SENDER_ERROR = 500, 400


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts in order, as many at a time as one request takes."""
    batch: list[str] = []
    room = BATCH_BYTES
    for text in texts:
        size = len(text.encode(errors="replace"))
        if batch and (len(batch) == BATCH or size > room):
            yield batch
            batch, room = [], BATCH_BYTES
        batch.append(text)
        room -= size
    if batch:
        yield batch


def settle(
    batch: Sequence[str],
    ask: Ask,
    *,
    action: str,
    what: str,
    sleep: Callable[[float], None],
    harmless: Callable[["FailedEntry"], bool] = lambda _: False,
) -> dict[int, NommerctlError]:
    """Ask for every text of a batch; return those that failed for good, by their places, and why.

    Those that failed by no fault of ours are asked for a few times more. `action` and `what` are those of `calling`.
    """
    waiting = {str(place): text for place, text in enumerate(batch)}
    errors: dict[int, NommerctlError] = {}
    pauses = iter(PAUSES)
    while waiting:
        again = {}
        pause = next(pauses, None)
        for entry in ask(waiting):
            if harmless(entry):
                continue
            error = _error(entry, action, what)
            if pause is not None and (isinstance(error, TryAgainError) or not entry["SenderFault"]):
                again[entry["Id"]] = waiting[entry["Id"]]
            else:
                errors[int(entry["Id"])] = error
        waiting = again
        if waiting and pause is not None:
            sleep(pause)
    return errors


def gone(entry: "FailedEntry") -> bool:
    """Whether SQS knows a receipt no more: the message was deleted, given back, or received by somebody else."""
    if entry["Code"].rpartition(".")[2] in {"ReceiptHandleIsInvalid", "MessageNotInflight"}:
        return True
    said = _said(entry)
    return _bad_value(entry) and ("receipt handle has expired" in said or "message does not exist" in said)


def at_ceiling(entry: "FailedEntry") -> bool:
    """Whether a message cannot be hidden for so long: more than 12 hours since it was received."""
    return _bad_value(entry) and "total visibilitytimeout" in _said(entry)


def _bad_value(entry: "FailedEntry") -> bool:
    return entry["Code"].rpartition(".")[2] == "InvalidParameterValue"


def _said(entry: "FailedEntry") -> str:
    return entry.get("Message", "").lower()


def _error(entry: "FailedEntry", action: str, what: str) -> NommerctlError:
    """Return the project's error for an entry, the same as if the whole request had failed by it."""
    said = {"Code": entry["Code"], "Message": entry.get("Message", "")}
    status = _SENDER_ERROR if entry["SenderFault"] else _SERVER_ERROR
    answer = ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": status}}, action)  # type: ignore[typeddict-item]
    return translated(answer, action, what)
