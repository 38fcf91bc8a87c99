"""The parts of a farm in its AWS account: each call goes to the kind that knows it."""

from collections.abc import Sequence

from nommerctl.adapters.aws.stack.kind import Kind
from nommerctl.adapters.aws.stack.ownership import check_not_foreign
from nommerctl.domain.stack import Difference, Found, Part, Resource
from nommerctl.errors import ItemError, SettingsError


class AwsStackReads:
    """A ports.StackReads."""

    def __init__(self, farm: str, kinds: Sequence[Kind]) -> None:
        self._farm = farm
        self._kinds = {kind.kind: kind for kind in kinds}

    def find(self, resource: Resource) -> Found | None:
        """Return a part as it is; SettingsError for one that carries another farm's tag."""
        found = self._kinds[resource.kind].find(resource)
        if found is not None:
            try:
                check_not_foreign(found.farm, self._farm, resource.kind, resource.name)
            except ItemError as error:  # here it is the farm's name that has to be another
                raise SettingsError(str(error)) from error
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
