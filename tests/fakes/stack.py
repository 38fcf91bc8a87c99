"""A cloud account in memory."""

from collections.abc import Sequence

from msgspec import structs

from nommerctl.domain.stack import Difference, Found, Part, Resource
from nommerctl.errors import ItemError, SettingsError


class FakeStack:
    """A ports.Stack of one farm. `standing` has what is in the account by kind and name; `broken` fails to be made."""

    def __init__(self, farm: str = "films") -> None:
        self.farm = farm
        self.standing: dict[tuple[str, str], Found] = {}
        self.broken: set[str] = set()

    def find(self, resource: Resource) -> Found | None:
        found = self.standing.get((resource.kind, resource.name))
        if found is not None and found.farm not in {self.farm, None}:
            msg = f"{resource.name} is farm '{found.farm}''s"
            raise SettingsError(msg)
        return found

    def parts(self) -> list[Part]:
        return [
            Part(kind, name, found.made_by) for (kind, name), found in self.standing.items() if found.farm == self.farm
        ]

    def create(self, resource: Resource) -> Found:
        if resource.name in self.broken:
            msg = f"{resource.name} cannot be made"
            raise ItemError(msg)
        made = Found(
            id=f"id-{resource.name}",
            properties=resource.properties,
            attributes={"Arn": f"arn:{resource.name}"},
            farm=self.farm,
        )
        return self.standing.setdefault((resource.kind, resource.name), made)

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:
        assert differences
        self.standing[resource.kind, resource.name] = structs.replace(found, properties=resource.properties)

    def delete(self, part: Part) -> None:
        if part.name in self.broken:
            msg = f"{part.name} cannot be deleted"
            raise ItemError(msg)
        self.standing.pop((part.kind, part.name), None)
