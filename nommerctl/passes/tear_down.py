"""Taking a farm down: end its nodes, delete what carries its tag, and look again."""

from collections.abc import Callable, Sequence

from nommerctl.domain.outcome import Change, Held, Outcome
from nommerctl.domain.stack import KINDS, Part, called
from nommerctl.domain.text import counted
from nommerctl.errors import SettingsError, UsageError
from nommerctl.passes.means import AccountReads, AccountWrites, Doing

LEFT = "left"
"""The fact that says how many parts and nodes there still are."""

_TEMPLATE = "AWS::EC2::LaunchTemplate"


def tear_down(reads: AccountReads, perform: Doing[AccountWrites], *, force: bool, pause: Callable[[], None]) -> Outcome:
    """End the nodes and delete the parts. What CloudFormation made, and what lacks the farm's tag, is left alone.

    The launch template goes first, so that no new node comes up behind the others' backs. Any of it may be repeated.
    `pause` is called between two looks at what takes its time. The fact LEFT is there if anything was done.

    Raises:
        UsageError: there are unfinished jobs, and nothing forces it; nothing was changed.
    """
    parts = sorted(reads.stack.parts(), key=_order)
    if not force:
        _check_jobs(reads)
    held = [Held("CloudFormation", _made_by(part)) for part in parts if part.made_by]
    ours = [part for part in parts if not part.made_by]
    _delete(perform, [part for part in ours if part.kind == _TEMPLATE])
    _end_nodes(reads, perform, pause)
    _delete(perform, [part for part in ours if part.kind != _TEMPLATE])
    facts: dict[str, int] = {}

    def look_again(_: AccountWrites) -> None:
        _end_nodes(reads, perform, pause)  # what was ordered just before, and is shown only now
        facts[LEFT] = len(reads.stack.parts()) + len(_nodes(reads))

    perform.quietly(look_again)
    return perform.outcome("teardown", held=held, facts=facts)


def _check_jobs(reads: AccountReads) -> None:
    try:
        unfinished = sum(1 for _ in reads.store.unfinished())
    except SettingsError:  # the table of jobs is not there any more
        return
    if unfinished:
        verb, them = ("is", "it") if unfinished == 1 else ("are", "them")
        msg = (
            f"{counted(unfinished, 'job')} of this farm {verb} unfinished: wait for {them}, cancel {them}, or give"
            f" --force to lose {them}"
        )
        raise UsageError(msg)


def _end_nodes(reads: AccountReads, perform: Doing[AccountWrites], pause: Callable[[], None]) -> None:
    """End all nodes that are the farm's, and wait until they are gone."""
    ended: set[str] = set()

    def end(node: str) -> None:
        if perform(Change("end", f"node {node}"), lambda writes: writes.fleet.end_instances([node])):
            ended.add(node)

    def wait(_: AccountWrites) -> None:
        while ended & set(_nodes(reads)):
            perform.heed()
            pause()

    for node in _nodes(reads):
        end(node)
    perform.quietly(wait)


def _nodes(reads: AccountReads) -> list[str]:
    """Return the farm's nodes that cost something: those that somebody stopped have their disks still."""
    return [each.id for each in reads.fleet.get_instances() if each.ours and (each.stopped or not each.gone)]


def _delete(perform: Doing[AccountWrites], parts: Sequence[Part]) -> None:
    def delete(part: Part) -> None:
        perform(Change("delete", called(part.kind, part.name)), lambda writes: writes.stack.delete(part))

    for part in parts:
        delete(part)


def _order(part: Part) -> tuple[int, str]:
    kinds = list(KINDS)
    return kinds.index(part.kind) if part.kind in KINDS else len(kinds), part.name


def _made_by(part: Part) -> str:
    return f"{called(part.kind, part.name)} was made by the CloudFormation stack {part.made_by}: delete it there"
