"""What the tables and queues of a farm on AWS must be like, and what is said of them if they are not."""

from collections.abc import Iterator

from msgspec import Struct

from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.text import counted

BOOTSTRAP = "run 'nommerctl aws bootstrap'"

_USABLE = frozenset({"ACTIVE", "UPDATING"})
"""The states in which DynamoDB serves a table, or an index of it."""


class Key(Struct, frozen=True):
    """The key of a table or an index: its attributes in order, each with its type; and what an index shows besides."""

    attributes: tuple[tuple[str, str], ...]
    shows: tuple[str, ...] = ()


class TableFacts(Struct, frozen=True, kw_only=True):
    """A table as it is, or as it is wanted: its key, its indexes and their states, and by what its entries expire."""

    key: Key
    indexes: dict[str, Key] = {}
    expires: str = ""
    state: str = "ACTIVE"
    unusable: tuple[str, ...] = ()


class QueueForm(Struct, frozen=True, kw_only=True):
    """A queue as it is: the name of the queue of its dead letters ('' if it has none), and how many there are.

    `dead` is None if that queue is not there.
    """

    dead_letters: str
    dead: int | None


def table_troubles(check: str, name: str, found: TableFacts | None, wanted: TableFacts) -> Iterator[Finding]:
    """Yield what is wrong with a table, nothing if it is as it should be; `found` is None if there is none."""
    table = f"table '{name}'"
    if found is None:
        yield Finding(check, Verdict.FAILED, f"{table} is not there in this account and region", BOOTSTRAP)
    elif found.state not in _USABLE:
        found_so = f"{table} is in state {found.state}"
        yield Finding(check, Verdict.FAILED, found_so, "wait a minute, then run 'nommerctl doctor' again")
    elif found.key != wanted.key:
        advice = "it is none of nommerctl's: give the farm another name (farm.name), or take the table away"
        yield Finding(check, Verdict.FAILED, f"{table} has the key {_words(found.key)}", advice)
    else:
        yield from _lesser_troubles(check, table, found, wanted)


def _lesser_troubles(check: str, table: str, found: TableFacts, wanted: TableFacts) -> Iterator[Finding]:
    for name, key in wanted.indexes.items():
        index = f"index '{name}' of {table}"
        if name not in found.indexes:
            yield Finding(check, Verdict.FAILED, f"{index} is not there", BOOTSTRAP)
        elif found.indexes[name] != key:
            advice = f"delete that index, then {BOOTSTRAP}"
            yield Finding(
                check, Verdict.FAILED, f"{index} is not as it should be: {_words(found.indexes[name])}", advice
            )
        elif name in found.unusable:
            advice = "wait until it is filled, then run 'nommerctl doctor' again"
            yield Finding(check, Verdict.FAILED, f"{index} cannot be used yet", advice)
    if found.expires != wanted.expires:
        found_so = f"the entries of {table} do not expire by '{wanted.expires}': it grows for ever"
        yield Finding(check, Verdict.WARNING, found_so, BOOTSTRAP)


def _words(key: Key) -> str:
    attributes = ", ".join(f"{name} ({kind})" for name, kind in key.attributes)
    return f"{attributes}; with {', '.join(key.shows)}" if key.shows else attributes


def no_queue(check: str, name: str) -> Finding:
    """Return what is said of a queue that is not there."""
    return Finding(check, Verdict.FAILED, f"queue '{name}' is not there in this account and region", BOOTSTRAP)


def queue_troubles(check: str, name: str, found: QueueForm, dead_letters: str) -> Iterator[Finding]:
    """Yield what is wrong with a queue that is there; `dead_letters` is where its dead letters should go."""
    if found.dead_letters != dead_letters:
        where = f"to '{found.dead_letters}'" if found.dead_letters else "nowhere"
        found_so = f"the dead letters of queue '{name}' go {where}, not to '{dead_letters}'"
        yield Finding(check, Verdict.WARNING, found_so, BOOTSTRAP)
    elif found.dead is None:
        found_so = f"the queue of its dead letters, '{dead_letters}', is not there"
        yield Finding(check, Verdict.FAILED, found_so, BOOTSTRAP)


def judge_changes(found: QueueForm, waiting: int) -> Finding:
    """Judge the queue of changes of state, of which each message is a hint: refresh finds in the store what is lost."""
    said = f"{counted(waiting, 'change')} waiting"
    if found.dead:
        advice = "see whether refresh does its work; they need not be kept, the resync learns what they say"
        return Finding("changes", Verdict.WARNING, f"{said}, {found.dead} dead", advice)
    return Finding("changes", Verdict.OK, said)
