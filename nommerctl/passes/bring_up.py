"""Bringing a farm up: make what is missing in its account, and change what is not as it is wanted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nommerctl.domain.outcome import Change, Outcome
from nommerctl.domain.stack import Deed, Found, Resource, Step, called, differences, planned, with_resolved
from nommerctl.errors import ItemError
from nommerctl.passes.means import AccountWrites, Doing
from nommerctl.ports import StackReads


def bring_up(reads: StackReads, perform: Doing[AccountWrites], wanted: Sequence[Resource]) -> Outcome:
    """Look at every part, plan, and make or change them in the order given. What is as it is wanted is left alone.

    A part that fails keeps those from being made that refer to it; the next run goes on from there. SettingsError,
    with nothing changed, for a part that is another farm's.
    """
    found: dict[str, Found] = {}
    for resource in wanted:
        perform.heed()
        there = reads.find(with_resolved(resource, found))
        if there is not None:
            found[resource.logical] = there
    steps = planned(wanted, found)
    made = dict(found)
    for step in steps:
        if step.deed is not Deed.KEEP:
            change = Change(step.deed.value, called(step.resource.kind, step.resource.name), _reason(step))
            perform(change, _done(step, found, made))
    return perform.outcome("bootstrap")


def _reason(step: Step) -> str:
    """A line for each difference, as a diff has it."""
    return "\n".join(
        f"{each.path}: {each.found or 'nothing'} -> {each.wanted or 'nothing'}" for each in step.differences
    )


def _done(step: Step, found: Mapping[str, Found], made: dict[str, Found]) -> Callable[[AccountWrites], object]:
    """Return the effect of a step. What it makes is noted in `made`, for those after it to refer to."""
    logical = step.resource.logical

    def effect(writes: AccountWrites) -> None:
        resource = with_resolved(step.resource, made)
        missing = _missing(resource.properties)
        if missing:
            msg = f"it needs {missing}, which is not there: see above, and run 'nommerctl aws bootstrap' again"
            raise ItemError(msg)
        if step.deed is Deed.CREATE:
            made[logical] = there = writes.stack.create(resource)
            # it may have been there: a try whose answer was lost, or another run, and neither need have come to an end
            if gaps := differences(there.properties, resource.properties):
                writes.stack.update(resource, there, gaps)
        else:
            writes.stack.update(resource, found[logical], step.differences)

    return effect


def _missing(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the first part that JSON still refers to, '' if it refers to none."""
    match value:
        case {"Ref": str(logical), **others} if not others:
            return logical
        case {"Fn::GetAtt": [str(logical), str()], **others} if not others:
            return logical
        case Mapping():
            return next((found for inner in value.values() if (found := _missing(inner))), "")
        case list() | tuple():
            return next((found for inner in value if (found := _missing(inner))), "")
        case _:
            return ""
