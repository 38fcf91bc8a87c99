"""What gives nodes their role: `AWS::IAM::InstanceProfile`.

IAM shows what was just made or changed only after seconds, and not everywhere at once: so what is made is looked for
until it is shown.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.names import node_role
from nommerctl.adapters.aws.stack.ownership import check_not_foreign, check_ours, farm_of, maker_of, shown_tags, tags_of
from nommerctl.adapters.aws.stack.waiting import shown_at_last, tries
from nommerctl.domain.stack import Difference, Found, Part, Resource, called
from nommerctl.domain.text import shown
from nommerctl.errors import SettingsError

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import InstanceProfileTypeDef

SHOWN_WITHIN = 60.0
"""Seconds within which IAM shows what it has made."""

_GONE = "NoSuchEntity"
_THERE = "EntityAlreadyExists"
_FULL = "LimitExceeded"


class InstanceProfiles:
    """A Kind: instance profiles, each with one role: IAM allows no more."""

    kind = "AWS::IAM::InstanceProfile"

    def __init__(self, clients: Clients, farm: str, sleep: Callable[[float], None]) -> None:
        self._clients = clients
        self._farm = farm
        self._sleep = sleep

    def find(self, resource: Resource) -> Found | None:
        """Return the profile of that name."""
        profile = self._profile(resource.name)
        if profile is None:
            return None
        tags = tags_of(profile.get("Tags", []))
        return Found(
            id=profile["InstanceProfileName"],
            properties={
                "InstanceProfileName": profile["InstanceProfileName"],
                "Roles": [role["RoleName"] for role in profile["Roles"]],
                "Tags": shown_tags(tags, resource.properties),
            },
            attributes={"Arn": profile["Arn"]},
            farm=farm_of(tags),
            made_by=maker_of(tags),
        )

    def create(self, resource: Resource) -> Found:
        """Make the profile with its tag, then put the role into it."""
        with calling("iam:CreateInstanceProfile", called(self.kind, resource.name)):
            try:
                self._clients.iam.create_instance_profile(
                    InstanceProfileName=resource.name, Tags=resource.properties["Tags"]
                )
            except ClientError as error:
                if code_of(error) != _THERE:
                    raise
                there = self._shown(resource)
                check_not_foreign(there.farm, self._farm, resource.kind, resource.name)
                return there
        self._shown(resource)
        for role in resource.properties["Roles"]:
            self._add(resource, role)
        return self._shown(resource)

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:  # noqa: ARG002 - `found` says it
        """Set its role and its tags."""
        check_not_foreign(found.farm, self._farm, resource.kind, resource.name)
        wanted = resource.properties
        if found.properties["Tags"] != wanted["Tags"]:
            with calling("iam:TagInstanceProfile", called(self.kind, resource.name)):
                self._clients.iam.tag_instance_profile(InstanceProfileName=resource.name, Tags=wanted["Tags"])
        there = found.properties["Roles"]
        for role in there:
            if role not in wanted["Roles"]:
                remove_role(self._clients, resource.name, role)
        for role in wanted["Roles"]:
            if role not in there:
                self._add(resource, role)

    def delete(self, part: Part) -> None:
        """Take its role out and delete the profile."""
        profile = self._profile(part.name)
        if profile is None:
            return
        check_ours(farm_of(tags_of(profile.get("Tags", []))), self._farm, part.kind, part.name)
        iam, what = self._clients.iam, called(part.kind, part.name)
        for role in profile["Roles"]:
            remove_role(self._clients, part.name, role["RoleName"])
        for _ in tries(self._sleep, SHOWN_WITHIN, f"{what} still holds a role: run 'nommerctl aws teardown' again"):
            with calling("iam:DeleteInstanceProfile", what), suppress(iam.exceptions.NoSuchEntityException):
                try:
                    iam.delete_instance_profile(InstanceProfileName=part.name)
                except iam.exceptions.DeleteConflictException:
                    continue
            return

    def parts(self) -> list[Part]:
        """Return the profile of this farm's nodes, if it carries the farm's tag: IAM finds none by its tags."""
        profile = self._profile(node_role(self._farm))
        tags = tags_of([] if profile is None else profile.get("Tags", []))
        return [Part(self.kind, node_role(self._farm), maker_of(tags))] if farm_of(tags) == self._farm else []

    def _profile(self, name: str) -> "InstanceProfileTypeDef | None":
        with calling("iam:GetInstanceProfile", called(self.kind, name)):
            try:
                return self._clients.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            except self._clients.iam.exceptions.NoSuchEntityException:
                return None

    def _add(self, resource: Resource, role: str) -> None:
        """Put a role into it, which IAM may not show there yet."""
        for _ in tries(self._sleep, SHOWN_WITHIN, not_shown(resource)):
            with calling("iam:AddRoleToInstanceProfile", called(self.kind, resource.name)):
                try:
                    self._clients.iam.add_role_to_instance_profile(InstanceProfileName=resource.name, RoleName=role)
                except ClientError as error:
                    if code_of(error) == _GONE:
                        continue
                    if code_of(error) == _FULL and self._holds(resource.name, role):
                        return  # an earlier try has done it, and its answer was lost
                    raise
                return

    def _holds(self, name: str, role: str) -> bool:
        profile = self._profile(name)
        return profile is not None and any(each["RoleName"] == role for each in profile["Roles"])

    def _shown(self, resource: Resource) -> Found:
        return shown_at_last(lambda: self.find(resource), self._sleep, SHOWN_WITHIN, not_shown(resource))


def remove_role(clients: Clients, profile: str, role: str) -> None:
    """Take a role out of an instance profile; no error if it is not in it."""
    iam = clients.iam
    with (
        calling("iam:RemoveRoleFromInstanceProfile", called(InstanceProfiles.kind, profile)),
        suppress(iam.exceptions.NoSuchEntityException),
    ):
        iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role)


def role_in(clients: Clients, profile: str) -> str:
    """Return the role that an instance profile of somebody's own gives to nodes, with its path (`team/nodes`).

    It need not be called like the profile. SettingsError if there is none.
    """
    iam, roles = clients.iam, []
    with (
        calling("iam:GetInstanceProfile", called(InstanceProfiles.kind, profile)),
        suppress(iam.exceptions.NoSuchEntityException),
    ):
        roles = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
    if not roles:
        msg = f"aws.instance_profile: there is no instance profile {shown(profile)} in this account that holds a role"
        raise SettingsError(msg)
    return roles[0]["Arn"].partition(":role/")[2]


def not_shown(resource: Resource) -> str:
    """Return what to say when the wait for IAM is at an end."""
    return (
        f"{called(resource.kind, resource.name)}, or what it refers to, is made, and IAM does not show it yet: run"
        " 'nommerctl aws bootstrap' again"
    )
