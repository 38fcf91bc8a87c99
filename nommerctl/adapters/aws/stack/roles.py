"""What nodes may do: `AWS::IAM::Role`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.names import node_role
from nommerctl.adapters.aws.stack.ownership import check_not_foreign, check_ours, farm_of, maker_of, shown_tags, tags_of
from nommerctl.adapters.aws.stack.profiles import SHOWN_WITHIN, not_shown, remove_role
from nommerctl.adapters.aws.stack.waiting import shown_at_last, tries
from nommerctl.domain.stack import Difference, Found, Part, Resource, called

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import RoleTypeDef

_THERE = "EntityAlreadyExists"


class Roles:
    """A Kind: roles with inline policies. What else is attached to one is not compared, and let go before its end."""

    kind = "AWS::IAM::Role"

    def __init__(self, clients: Clients, farm: str, sleep: Callable[[float], None]) -> None:
        self._clients = clients
        self._farm = farm
        self._sleep = sleep

    def find(self, resource: Resource) -> Found | None:
        """Return the role of that name."""
        role = self._role(resource.name)
        if role is None:
            return None
        tags = tags_of(role.get("Tags", []))
        return Found(
            id=role["RoleName"],
            properties={
                "RoleName": role["RoleName"],
                "AssumeRolePolicyDocument": _json(role["AssumeRolePolicyDocument"]),
                "Policies": self._policies(resource),
                "Tags": shown_tags(tags, resource.properties),
            },
            attributes={"Arn": role["Arn"], "RoleId": role["RoleId"]},
            farm=farm_of(tags),
            made_by=maker_of(tags),
        )

    def create(self, resource: Resource) -> Found:
        """Make the role with its tag, then its policies."""
        wanted = resource.properties
        with calling("iam:CreateRole", called(self.kind, resource.name)):
            try:
                self._clients.iam.create_role(
                    RoleName=resource.name,
                    AssumeRolePolicyDocument=_text(wanted["AssumeRolePolicyDocument"]),
                    Tags=wanted["Tags"],
                )
            except ClientError as error:
                if code_of(error) != _THERE:
                    raise
                there = self._shown(resource)
                check_not_foreign(there.farm, self._farm, resource.kind, resource.name)
                return there
        self._shown(resource)
        for policy in wanted["Policies"]:
            self._put(resource, policy)
        return self._shown(resource)

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:
        """Set who may assume it, its inline policies, its tags."""
        check_not_foreign(found.farm, self._farm, resource.kind, resource.name)
        wanted, iam, what = resource.properties, self._clients.iam, called(self.kind, resource.name)
        changed = {each.path.partition(".")[0] for each in differences}
        if "Tags" in changed:
            with calling("iam:TagRole", what):
                iam.tag_role(RoleName=resource.name, Tags=wanted["Tags"])
        if "AssumeRolePolicyDocument" in changed:
            with calling("iam:UpdateAssumeRolePolicy", what):
                iam.update_assume_role_policy(
                    RoleName=resource.name, PolicyDocument=_text(wanted["AssumeRolePolicyDocument"])
                )
        policies = found.properties["Policies"]
        for policy in wanted["Policies"]:
            if policy not in policies:
                self._put(resource, policy)
        names = {policy["PolicyName"] for policy in wanted["Policies"]}
        for policy in policies:
            if policy["PolicyName"] not in names:
                with calling("iam:DeleteRolePolicy", what):
                    iam.delete_role_policy(RoleName=resource.name, PolicyName=policy["PolicyName"])

    def delete(self, part: Part) -> None:
        """Delete the role, after all that holds it."""
        role = self._role(part.name)
        if role is None:
            return
        check_ours(farm_of(tags_of(role.get("Tags", []))), self._farm, part.kind, part.name)
        iam, what = self._clients.iam, called(part.kind, part.name)
        with calling("iam:ListInstanceProfilesForRole", what):
            profiles = iam.list_instance_profiles_for_role(RoleName=part.name)["InstanceProfiles"]
        for profile in profiles:
            remove_role(self._clients, profile["InstanceProfileName"], part.name)
        with calling("iam:ListAttachedRolePolicies", what):
            attached = iam.list_attached_role_policies(RoleName=part.name)["AttachedPolicies"]
        for each in attached:
            with calling("iam:DetachRolePolicy", what), suppress(iam.exceptions.NoSuchEntityException):
                iam.detach_role_policy(RoleName=part.name, PolicyArn=each["PolicyArn"])
        for name in self._policy_names(part.name):
            with calling("iam:DeleteRolePolicy", what), suppress(iam.exceptions.NoSuchEntityException):
                iam.delete_role_policy(RoleName=part.name, PolicyName=name)
        at_an_end = f"{what} is still held by something: run 'nommerctl aws teardown' again"
        for _ in tries(self._sleep, SHOWN_WITHIN, at_an_end):
            with calling("iam:DeleteRole", what), suppress(iam.exceptions.NoSuchEntityException):
                try:
                    iam.delete_role(RoleName=part.name)
                except iam.exceptions.DeleteConflictException:
                    continue
            return

    def parts(self) -> list[Part]:
        """Return the role of this farm's nodes, if it carries the farm's tag: IAM finds no role by its tags."""
        role = self._role(node_role(self._farm))
        tags = tags_of([] if role is None else role.get("Tags", []))
        return [Part(self.kind, node_role(self._farm), maker_of(tags))] if farm_of(tags) == self._farm else []

    def _role(self, name: str) -> "RoleTypeDef | None":
        with calling("iam:GetRole", called(self.kind, name)):
            try:
                return self._clients.iam.get_role(RoleName=name)["Role"]
            except self._clients.iam.exceptions.NoSuchEntityException:
                return None

    def _policy_names(self, name: str) -> list[str]:
        with calling("iam:ListRolePolicies", called(self.kind, name)):
            try:
                pages = self._clients.iam.get_paginator("list_role_policies").paginate(RoleName=name)
                return [policy for page in pages for policy in page["PolicyNames"]]
            except self._clients.iam.exceptions.NoSuchEntityException:
                return []

    def _policies(self, resource: Resource) -> list[dict[str, Any]]:
        """Return the inline policies: those with names that are wanted first, in their order."""
        wanted = [policy["PolicyName"] for policy in resource.properties["Policies"]]
        found = []
        for name in self._policy_names(resource.name):
            with calling("iam:GetRolePolicy", called(self.kind, resource.name)):
                try:
                    policy = self._clients.iam.get_role_policy(RoleName=resource.name, PolicyName=name)
                except self._clients.iam.exceptions.NoSuchEntityException:
                    continue
            found.append({"PolicyName": name, "PolicyDocument": _json(policy["PolicyDocument"])})
        return sorted(found, key=lambda each: [each["PolicyName"] == name for name in wanted], reverse=True)

    def _put(self, resource: Resource, policy: Mapping[str, Any]) -> None:
        with calling("iam:PutRolePolicy", called(self.kind, resource.name)):
            self._clients.iam.put_role_policy(
                RoleName=resource.name,
                PolicyName=policy["PolicyName"],
                PolicyDocument=_text(policy["PolicyDocument"]),
            )

    def _shown(self, resource: Resource) -> Found:
        return shown_at_last(lambda: self.find(resource), self._sleep, SHOWN_WITHIN, not_shown(resource))


def _text(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document, order="sorted").decode()


def _json(document: Any) -> Any:  # noqa: ANN401 - botocore decodes it, whatever its type says
    """Return a policy as JSON; what is none stays text, and so is not as it is wanted."""
    if not isinstance(document, str):
        return document
    try:
        return msgspec.json.decode(document)
    except msgspec.DecodeError:
        return document
