"""What nodes are launched from: `AWS::EC2::LaunchTemplate`.

A template is what its default version says. A change makes a new version, then makes that the default, then deletes
versions that are older than the last two. Each of these may be where an earlier run was interrupted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.adapters.aws.stack.ownership import check_not_foreign, check_ours, farm_of, maker_of, shown_tags, tags_of
from nommerctl.adapters.aws.stack.waiting import shown_at_last, tries
from nommerctl.domain.stack import Difference, Found, Part, Resource, called, differences, present

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        FilterTypeDef,
        LaunchTemplateTypeDef,
        LaunchTemplateVersionTypeDef,
    )

SHOWN_WITHIN = 60.0
"""Seconds within which EC2 shows what was made, and knows of an instance profile that IAM has just made."""

KEPT = 2
"""Versions: the default one, and that before it for whoever wants to go back."""

_THERE = "InvalidLaunchTemplateName.AlreadyExistsException"
_GONE = frozenset({"InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.NotFound"})
_NO_VERSION = "InvalidLaunchTemplateId.VersionNotFound"


class LaunchTemplates:
    """A Kind."""

    kind = "AWS::EC2::LaunchTemplate"

    def __init__(self, clients: Clients, farm: str, sleep: Callable[[float], None]) -> None:
        self._clients = clients
        self._farm = farm
        self._sleep = sleep

    def find(self, resource: Resource) -> Found | None:
        """Return the template of that name, by its default version."""
        template = self._template(resource.name)
        if template is None:
            return None
        tags, wanted = tags_of(template.get("Tags", [])), resource.properties
        (specification,) = wanted["TagSpecifications"]
        version = self._version(template, "$Default")
        return Found(
            id=template["LaunchTemplateId"],
            properties={
                "LaunchTemplateName": template["LaunchTemplateName"],
                "LaunchTemplateData": _like(version, wanted["LaunchTemplateData"]),
                "TagSpecifications": [{**specification, "Tags": shown_tags(tags, specification)}],
            },
            attributes={
                "LaunchTemplateId": template["LaunchTemplateId"],
                "DefaultVersionNumber": str(template["DefaultVersionNumber"]),
                "LatestVersionNumber": str(template["LatestVersionNumber"]),
            },
            farm=farm_of(tags),
            made_by=maker_of(tags),
        )

    def create(self, resource: Resource) -> Found:
        """Make the template, with its tag."""
        wanted = resource.properties

        def create() -> None:
            self._clients.ec2.create_launch_template(
                LaunchTemplateName=resource.name,
                LaunchTemplateData=present(wanted["LaunchTemplateData"]),
                TagSpecifications=wanted["TagSpecifications"],
            )

        made = self._patiently(resource, "ec2:CreateLaunchTemplate", create)
        at_an_end = (
            f"{called(self.kind, resource.name)} is made, and EC2 does not show it yet: run 'nommerctl aws bootstrap'"
            " again"
        )
        found = shown_at_last(lambda: self.find(resource), self._sleep, SHOWN_WITHIN, at_an_end)
        if not made:
            check_not_foreign(found.farm, self._farm, resource.kind, resource.name)
        return found

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:
        """Make the default version, and the tags, as they are wanted."""
        check_not_foreign(found.farm, self._farm, resource.kind, resource.name)
        changed = {each.path.partition(".")[0] for each in differences}
        if "TagSpecifications" in changed:
            (specification,) = resource.properties["TagSpecifications"]
            with calling("ec2:CreateTags", called(self.kind, resource.name)):
                self._clients.ec2.create_tags(Resources=[found.id], Tags=specification["Tags"])
        if "LaunchTemplateData" in changed:
            number = self._fitting(resource, found) or self._next_version(resource, found)
            with calling("ec2:ModifyLaunchTemplate", called(self.kind, resource.name)):
                self._clients.ec2.modify_launch_template(LaunchTemplateId=found.id, DefaultVersion=str(number))
            self._tidy(resource, found, number)

    def delete(self, part: Part) -> None:
        """Delete the template with all its versions."""
        template = self._template(part.name)
        if template is None:
            return
        check_ours(farm_of(tags_of(template.get("Tags", []))), self._farm, part.kind, part.name)
        with calling("ec2:DeleteLaunchTemplate", called(part.kind, part.name)):
            try:
                self._clients.ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])
            except ClientError as error:
                if code_of(error) not in _GONE:
                    raise

    def parts(self) -> list[Part]:
        """Return the templates with the farm's tag, whatever they are called."""
        found = self._described("launch templates", {"Name": f"tag:{FARM_TAG}", "Values": [self._farm]})
        return sorted(
            Part(self.kind, each["LaunchTemplateName"], maker_of(tags_of(each.get("Tags", [])))) for each in found
        )

    def _template(self, name: str) -> "LaunchTemplateTypeDef | None":
        found = self._described(called(self.kind, name), {"Name": "launch-template-name", "Values": [name]})
        return next(iter(found), None)

    def _described(self, what: str, by: "FilterTypeDef") -> "list[LaunchTemplateTypeDef]":
        with calling("ec2:DescribeLaunchTemplates", what):
            pages = self._clients.ec2.get_paginator("describe_launch_templates").paginate(Filters=[by])
            return [template for page in pages for template in page["LaunchTemplates"]]

    def _version(self, template: "LaunchTemplateTypeDef", which: str) -> Mapping[str, Any]:
        """Return the data of one version, empty if it was deleted just now."""
        with calling("ec2:DescribeLaunchTemplateVersions", called(self.kind, template["LaunchTemplateName"])):
            try:
                found = self._clients.ec2.describe_launch_template_versions(
                    LaunchTemplateId=template["LaunchTemplateId"], Versions=[which]
                )["LaunchTemplateVersions"]
            except ClientError as error:
                if code_of(error) not in _GONE | {_NO_VERSION}:
                    raise
                return {}
        return found[0]["LaunchTemplateData"] if found else {}

    def _versions(self, resource: Resource, found: Found) -> "list[LaunchTemplateVersionTypeDef]":
        """Return all versions, the newest first."""
        with calling("ec2:DescribeLaunchTemplateVersions", called(self.kind, resource.name)):
            pages = self._clients.ec2.get_paginator("describe_launch_template_versions").paginate(
                LaunchTemplateId=found.id
            )
            versions = [version for page in pages for version in page["LaunchTemplateVersions"]]
        return sorted(versions, key=lambda each: each["VersionNumber"], reverse=True)

    def _fitting(self, resource: Resource, found: Found) -> int | None:
        """Return the newest version if it is as it is wanted: an earlier run made it and did not come any further."""
        wanted = resource.properties["LaunchTemplateData"]
        newest = next(iter(self._versions(resource, found)), None)
        if newest is None or differences(_like(newest["LaunchTemplateData"], wanted), wanted):
            return None
        return newest["VersionNumber"]

    def _next_version(self, resource: Resource, found: Found) -> int:
        made: list[int] = []

        def create() -> None:
            answer = self._clients.ec2.create_launch_template_version(
                LaunchTemplateId=found.id, LaunchTemplateData=present(resource.properties["LaunchTemplateData"])
            )
            made.append(answer["LaunchTemplateVersion"]["VersionNumber"])

        self._patiently(resource, "ec2:CreateLaunchTemplateVersion", create)
        return made[0]

    def _tidy(self, resource: Resource, found: Found, default: int) -> None:
        """Delete the versions that are older than those that are kept."""
        numbers = [each["VersionNumber"] for each in self._versions(resource, found)]
        old = [number for number in numbers[KEPT:] if number != default]
        if old:
            with calling("ec2:DeleteLaunchTemplateVersions", called(self.kind, resource.name)):
                self._clients.ec2.delete_launch_template_versions(
                    LaunchTemplateId=found.id, Versions=[str(number) for number in old]
                )

    def _patiently(self, resource: Resource, action: str, call: Callable[[], None]) -> bool:
        """Make a call again as long as EC2 does not know the instance profile; False if the template is there."""
        at_an_end = (
            f"{called(self.kind, resource.name)}: EC2 does not know its instance profile yet: run 'nommerctl aws"
            " bootstrap' again"
        )
        for _ in tries(self._sleep, SHOWN_WITHIN, at_an_end):
            with calling(action, called(self.kind, resource.name)):
                try:
                    call()
                except ClientError as error:
                    if code_of(error) == _THERE:
                        return False
                    if not _lacks_profile(error):
                        raise
                    continue
                return True
        raise AssertionError  # tries never ends of its own accord


def _lacks_profile(error: ClientError) -> bool:
    said = str(error).lower().replace(" ", "")
    return "iaminstanceprofile" in said and ("invalid" in said or "doesnotexist" in said)


def _like(found: Any, wanted: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON without what EC2 adds of its own accord, and tags in the order in which they are wanted."""
    match found, wanted:
        case Mapping(), Mapping():
            return {
                key: _like(_arranged(value, wanted[key]) if key == "TagSpecifications" else value, wanted[key])
                for key, value in found.items()
                if key in wanted
            }
        case list(), list() | tuple() if len(found) == len(wanted):
            return [_like(one, other) for one, other in zip(found, wanted, strict=True)]
        case _:
            return found


def _arranged(found: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    kinds = [each["ResourceType"] for each in wanted]
    return sorted(
        (each for each in found if each["ResourceType"] in kinds), key=lambda each: kinds.index(each["ResourceType"])
    )
