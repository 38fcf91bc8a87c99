"""What every kind of part has."""

from collections.abc import Sequence
from typing import Protocol

from nommerctl.domain.stack import Difference, Found, Part, Resource


class Kind(Protocol):
    """One kind of part: a service's words for what ports.Stack promises."""

    kind: str
    """CloudFormation's type of it."""

    def find(self, resource: Resource) -> Found | None:
        """Return the part as it is, in CloudFormation's form, whether it carries the farm's tag or not."""

    def create(self, resource: Resource) -> Found:
        """Make it with all its properties, its farm tag in the same step where the service can do that."""

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:
        """Make it as it is wanted, in as few calls as that takes."""

    def delete(self, part: Part) -> None:
        """Delete it and wait until it is gone."""

    def parts(self) -> list[Part]:
        """Return those that carry the farm's tag, by its exact value."""
