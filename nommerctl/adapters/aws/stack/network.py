"""Security groups: `AWS::EC2::SecurityGroup`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.names import FARM_TAG
from nommerctl.adapters.aws.stack.ownership import check_not_foreign, check_ours, farm_of, maker_of, shown_tags, tags_of
from nommerctl.adapters.aws.stack.waiting import shown_at_last, tries
from nommerctl.domain.stack import Difference, Found, Part, Resource, called
from nommerctl.errors import ItemError

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import (
        FilterTypeDef,
        IpPermissionTypeDef,
        SecurityGroupRuleTypeDef,
        SecurityGroupTypeDef,
    )

SHOWN_WITHIN = 30.0
"""Seconds within which EC2 shows what it has made: mostly it does at once."""

FREED_WITHIN = 300.0
"""Seconds within which the network interfaces of nodes that were ended are gone: mostly it is one minute or two."""

_DUPLICATE = "InvalidGroup.Duplicate"
_DONE_BEFORE = frozenset(
    {"InvalidPermission.Duplicate", "InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"}
)
"""What EC2 answers to a change of rules that an earlier try has made, without an answer."""

INBOUND, OUTBOUND = "SecurityGroupIngress", "SecurityGroupEgress"

_UNCHANGEABLE = ("GroupName", "GroupDescription", "VpcId")

_GONE = "InvalidGroup.NotFound"
_IN_USE = "DependencyViolation"

_EVERY_PORT = -1


class SecurityGroups:
    """A Kind. A group is known by its name and its VPC; its rules are compared whole, their descriptions are not."""

    kind = "AWS::EC2::SecurityGroup"

    def __init__(self, clients: Clients, farm: str, sleep: Callable[[float], None]) -> None:
        self._clients = clients
        self._farm = farm
        self._sleep = sleep

    def find(self, resource: Resource) -> Found | None:
        """Return the group of that name in that VPC."""
        vpc: FilterTypeDef = {"Name": "vpc-id", "Values": [resource.properties["VpcId"]]}
        group = next(iter(self._described(resource.name, vpc)), None)
        if group is None:
            return None
        rules, tags = self._rules(group["GroupId"]), tags_of(group.get("Tags", []))
        return Found(
            id=group["GroupId"],
            properties={
                "GroupName": group["GroupName"],
                "GroupDescription": group["Description"],
                "VpcId": group["VpcId"],
                INBOUND: _ordered(rules, resource, INBOUND),
                OUTBOUND: _ordered(rules, resource, OUTBOUND),
                "Tags": shown_tags(tags, resource.properties),
            },
            attributes={"GroupId": group["GroupId"], "VpcId": group["VpcId"]},
            farm=farm_of(tags),
            made_by=maker_of(tags),
        )

    def create(self, resource: Resource) -> Found:
        """Make the group with its tag, then its rules: until these are there, it lets through less than it is to."""
        wanted = resource.properties
        with calling("ec2:CreateSecurityGroup", called(self.kind, resource.name)):
            try:
                self._clients.ec2.create_security_group(
                    GroupName=resource.name,
                    Description=wanted["GroupDescription"],
                    VpcId=wanted["VpcId"],
                    TagSpecifications=[{"ResourceType": "security-group", "Tags": wanted["Tags"]}],
                )
            except ClientError as error:
                if code_of(error) != _DUPLICATE:
                    raise
                there = self._shown(resource)
                check_not_foreign(there.farm, self._farm, resource.kind, resource.name)
                return there
        self._set_rules(resource, self._shown(resource))
        return self._shown(resource)

    def update(self, resource: Resource, found: Found, differences: Sequence[Difference]) -> None:  # noqa: ARG002 - `found` says it
        """Set rules and tags; ItemError for what cannot be changed."""
        check_not_foreign(found.farm, self._farm, resource.kind, resource.name)
        _check_unchanged(resource, found)
        if found.properties["Tags"] != resource.properties["Tags"]:
            with calling("ec2:CreateTags", called(self.kind, resource.name)):
                self._clients.ec2.create_tags(Resources=[found.id], Tags=resource.properties["Tags"])
        self._set_rules(resource, found)

    def delete(self, part: Part) -> None:
        """Delete the groups of that name that are ours; where there are several, each is in a VPC of its own."""
        found = {group["GroupId"]: farm_of(tags_of(group.get("Tags", []))) for group in self._described(part.name)}
        ours = [group for group, farm in found.items() if farm == self._farm]
        for farm in () if ours else found.values():
            check_ours(farm, self._farm, part.kind, part.name)
        for group in ours:
            self._delete(part, group)

    def parts(self) -> list[Part]:
        """Return the groups with the farm's tag, whatever they are called."""
        groups = self._pages("security groups", [{"Name": f"tag:{FARM_TAG}", "Values": [self._farm]}])
        found = {Part(self.kind, each["GroupName"], maker_of(tags_of(each.get("Tags", [])))) for each in groups}
        return sorted(found)

    def _described(self, name: str, *further: "FilterTypeDef") -> "list[SecurityGroupTypeDef]":
        return self._pages(called(self.kind, name), [{"Name": "group-name", "Values": [name]}, *further])

    def _pages(self, what: str, filters: "list[FilterTypeDef]") -> "list[SecurityGroupTypeDef]":
        with calling("ec2:DescribeSecurityGroups", what):
            pages = self._clients.ec2.get_paginator("describe_security_groups").paginate(Filters=filters)
            return [group for page in pages for group in page["SecurityGroups"]]

    def _rules(self, group: str) -> "list[SecurityGroupRuleTypeDef]":
        with calling("ec2:DescribeSecurityGroupRules", called(self.kind, group)):
            pages = self._clients.ec2.get_paginator("describe_security_group_rules").paginate(
                Filters=[{"Name": "group-id", "Values": [group]}]
            )
            return [rule for page in pages for rule in page["SecurityGroupRules"]]

    def _shown(self, resource: Resource) -> Found:
        at_an_end = (
            f"{called(self.kind, resource.name)} is made, and EC2 does not show it yet: run 'nommerctl aws bootstrap'"
            " again"
        )
        return shown_at_last(lambda: self.find(resource), self._sleep, SHOWN_WITHIN, at_an_end)

    def _set_rules(self, resource: Resource, found: Found) -> None:
        """Take away what is too much and add what is missing."""
        ec2, what = self._clients.ec2, called(self.kind, resource.name)
        for name, side, authorize, revoke in (
            (INBOUND, "Ingress", ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress),
            (OUTBOUND, "Egress", ec2.authorize_security_group_egress, ec2.revoke_security_group_egress),
        ):
            wanted, there = resource.properties[name], found.properties[name]
            if _without(there, wanted):
                rules = [each for each in self._rules(found.id) if each["IsEgress"] == (name == OUTBOUND)]
                surplus = [each["SecurityGroupRuleId"] for each in rules if _rule(each) not in wanted]
                with calling(f"ec2:RevokeSecurityGroup{side}", what), _unless_done_before():
                    revoke(GroupId=found.id, SecurityGroupRuleIds=surplus)
            if missing := _without(wanted, there):
                with calling(f"ec2:AuthorizeSecurityGroup{side}", what), _unless_done_before():
                    authorize(GroupId=found.id, IpPermissions=_permissions(missing))

    def _delete(self, part: Part, group: str) -> None:
        at_an_end = (
            f"{called(part.kind, part.name)} ({group}) is still in use, by a network interface or a rule of another"
            " group: end what uses it, and run 'nommerctl aws teardown' again"
        )
        for _ in tries(self._sleep, FREED_WITHIN, at_an_end):
            with calling("ec2:DeleteSecurityGroup", called(part.kind, part.name)):
                try:
                    self._clients.ec2.delete_security_group(GroupId=group)
                except ClientError as error:
                    if code_of(error) == _IN_USE:
                        continue
                    if code_of(error) != _GONE:
                        raise
                return


def _check_unchanged(resource: Resource, found: Found) -> None:
    """ItemError if one of these properties is not as it is wanted, for they cannot be changed any more."""
    for name in _UNCHANGEABLE:
        if found.properties.get(name) != resource.properties[name]:
            msg = (
                f"{called(resource.kind, resource.name)}: AWS does not let {name} be changed: delete it, and run"
                " 'nommerctl aws bootstrap' again"
            )
            raise ItemError(msg)


@contextmanager
def _unless_done_before() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code_of(error) not in _DONE_BEFORE:
            raise


def _ordered(rules: "Iterable[SecurityGroupRuleTypeDef]", resource: Resource, name: str) -> list[dict[str, Any]]:
    """Return the rules of one direction, those that are wanted first and in the order in which they are."""
    wanted: list[dict[str, Any]] = list(resource.properties[name])
    found = [_rule(rule) for rule in rules if rule["IsEgress"] == (name == OUTBOUND)]
    return sorted(found, key=lambda rule: wanted.index(rule) if rule in wanted else len(wanted))


def _rule(rule: "SecurityGroupRuleTypeDef") -> dict[str, Any]:
    """Return a rule in CloudFormation's form."""
    side = "Destination" if rule["IsEgress"] else "Source"
    peers = {
        "CidrIp": rule.get("CidrIpv4"),
        "CidrIpv6": rule.get("CidrIpv6"),
        f"{side}PrefixListId": rule.get("PrefixListId"),
        f"{side}SecurityGroupId": rule.get("ReferencedGroupInfo", {}).get("GroupId"),
    }
    ports = {name: port for name in ("FromPort", "ToPort") if (port := rule.get(name)) not in {None, _EVERY_PORT}}
    return {"IpProtocol": rule["IpProtocol"], **ports, **{key: value for key, value in peers.items() if value}}


def _without(rules: Iterable[dict[str, Any]], others: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for rule in rules if rule not in others]


def _permissions(rules: Iterable[dict[str, Any]]) -> "list[IpPermissionTypeDef]":
    """Return rules for addresses in EC2's form; others are never wanted."""
    return [
        {
            **{key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule},  # type: ignore[typeddict-item]
            **({"IpRanges": [{"CidrIp": rule["CidrIp"]}]} if "CidrIp" in rule else {}),
            **({"Ipv6Ranges": [{"CidrIpv6": rule["CidrIpv6"]}]} if "CidrIpv6" in rule else {}),
        }
        for rule in rules
    ]
