"""The tags of a part: whose it is, who made it, and those that are compared."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.domain.stack import Found, Part, Resource, called
from nommerctl.domain.text import shown
from nommerctl.errors import ItemError

STACK_TAG = "aws:cloudformation:stack-name"
"""By which CloudFormation marks what it makes."""


class Tags:
    """The tags of something in the account, as AWS gives them: pairs of `Key` and `Value`."""

    def __init__(self, pairs: Iterable[Mapping[str, Any]]) -> None:
        self._values = {str(pair["Key"]): str(pair.get("Value", "")) for pair in pairs}

    @property
    def farm(self) -> str | None:
        """The farm that it carries the tag of, None for none."""
        return self._values.get(FARM_TAG)

    @property
    def made_by(self) -> str:
        """The CloudFormation stack that made it, '' if none did."""
        return self._values.get(STACK_TAG, "")

    def among(self, wanted: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
        """Return those with the keys that are wanted, in their order: others are somebody else's business."""
        keys = [pair["Key"] for pair in wanted]
        return [{"Key": key, "Value": self._values[key]} for key in keys if key in self._values]

    def check_ours(self, part: Part, farm: str) -> None:
        """ItemError if it does not carry the farm's tag."""
        if self.farm != farm:
            msg = (
                f"{called(part.kind, part.name)} {_carries(self.farm)}, so it is not deleted: what is farm '{farm}'s"
                f" carries {FARM_TAG} = {farm}"
            )
            raise ItemError(msg)


def check_not_foreign(resource: Resource, found: Found, farm: str) -> None:
    """ItemError if it carries another farm's tag."""
    if found.farm not in {farm, None}:
        msg = f"{called(resource.kind, resource.name)} {_carries(found.farm)}, so it is not farm '{farm}'s"
        raise ItemError(msg)


def _carries(farm: str | None) -> str:
    return f"lacks the tag {FARM_TAG}" if farm is None else f"carries the tag {FARM_TAG} = {shown(farm)}"


def unchangeable(resource: Resource, found: Found, names: Sequence[str]) -> None:
    """ItemError if one of these properties is not as it is wanted, for they cannot be changed any more."""
    for name in names:
        if found.properties.get(name) != resource.properties[name]:
            msg = (
                f"{called(resource.kind, resource.name)}: AWS does not let {name} be changed: delete it, and run"
                " 'nommerctl aws bootstrap' again"
            )
            raise ItemError(msg)
