"""The parts of a farm in its AWS account: each call goes to the kind that knows it."""

from collections.abc import Sequence

from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.adapters.aws.stack.kind import Kind
from nommerctl.domain.stack import Difference, Found, Part, Resource, called
from nommerctl.domain.text import shown
from nommerctl.errors import ItemError


class AwsStackReads:
    """A ports.StackReads."""

    def __init__(self, farm: str, kinds: Sequence[Kind]) -> None:
        self._farm = farm
        self._kinds = {kind.kind: kind for kind in kinds}

    def find(self, resource: Resource) -> Found | None:
        """Return a part as it is; ItemError for one that carries another farm's tag."""
        found = self._kinds[resource.kind].find(resource)
        if found is not None and found.farm not in {self._farm, None}:
            named, other = called(resource.kind, resource.name), shown(found.farm or "")
            msg = (
                f"{named} carries the tag {FARM_TAG} = {other}, so it is another farm's: call this one otherwise"
                f" (farm.name is {self._farm})"
            )
            raise ItemError(msg)
        return found

    def parts(self) -> list[Part]:
        """Return everything that carries the farm's tag."""
        return [part for kind in self._kinds.values() for part in kind.parts()]


class AwsStack(AwsStackReads):
    """A ports.Stack."""

    def create(self, resource: Resource) -> Found:
        """Make a part."""
        return self._kinds[resource.kind].create(resource)

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:
        """Make a part as it is wanted."""
        self._kinds[resource.kind].update(resource, found, differences)

    def delete(self, part: Part) -> None:
        """Delete a part."""
        self._kinds[part.kind].delete(part)
