"""Whose a part is, by its tags: nobody's name is proof, for several farms live in one account."""

from collections.abc import Iterable, Mapping
from typing import Any

from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.domain.stack import Properties, called
from nommerctl.domain.text import shown
from nommerctl.errors import ItemError

_STACK_TAG = "aws:cloudformation:stack-name"
"""CloudFormation puts it on what it makes."""


def farm_of(tags: Mapping[str, str]) -> str | None:
    """Return the farm that tags name, None if they name none."""
    return tags.get(FARM_TAG)


def maker_of(tags: Mapping[str, str]) -> str:
    """Return the CloudFormation stack that tags name, '' if they name none."""
    return tags.get(_STACK_TAG, "")


def prefix_of(farm: str) -> str:
    """Return what the names of a farm's parts begin with; those of another one may as well."""
    return f"nommerctl-{farm}-"


def shown_tags(tags: Mapping[str, str], wanted: Properties) -> list[dict[str, str]]:
    """Return tags in CloudFormation's form: those that are wanted, in that order, for others may be there."""
    return [{"Key": key, "Value": tags[key]} for each in wanted.get("Tags", ()) if (key := each["Key"]) in tags]


def tags_of(pairs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return tags, as most services give them and CloudFormation takes them, by their keys."""
    return {pair["Key"]: pair.get("Value", "") for pair in pairs}


def check_not_foreign(found: str | None, farm: str, kind: str, name: str) -> None:
    """ItemError if a part's tag names another farm than this one."""
    if found not in {None, farm}:
        msg = (
            f"{called(kind, name)} carries the tag {FARM_TAG} = {shown(found or '')}, so it is another farm's: call"
            f" this one otherwise (farm.name is {farm})"
        )
        raise ItemError(msg)


def check_ours(found: str | None, farm: str, kind: str, name: str) -> None:
    """ItemError unless a part's tag names this farm."""
    check_not_foreign(found, farm, kind, name)
    if found is None:
        msg = (
            f"{called(kind, name)} lacks the tag {FARM_TAG} = {farm}, so it is left alone: delete it by hand if it is"
            " this farm's"
        )
        raise ItemError(msg)
