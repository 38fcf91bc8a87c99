"""What bringing a farm up has to know of its account: who and where it is, and what nodes can be made of."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from msgspec import Struct

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of, message_of
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.text import shown
from nommerctl.errors import SettingsError

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import InstanceTypeInfoTypeDef

ARCHITECTURES = ("x86_64", "arm64")
"""Those of which there is an image."""

ROOT_DEVICE = "/dev/xvda"
"""What the disk of Debian's images is called."""

_NO_SUCH_TYPE = "InvalidInstanceType"


class AccountFacts(Struct, frozen=True, kw_only=True):
    """An account and region. `architecture` is that of all instance types: x86_64 or arm64.

    `vpc` is where nodes are, '' where nothing has to be made in it; `root_device` is what the image calls its disk.
    """

    account: str
    region: str
    partition: str
    vpc: str
    architecture: str
    root_device: str = ROOT_DEVICE


def account_facts(clients: Clients, settings: AwsSettings) -> AccountFacts:
    """Ask AWS; SettingsError for settings with which no nodes can be launched."""
    with calling("sts:GetCallerIdentity", "these credentials"):
        identity = clients.sts.get_caller_identity()
        account, partition = identity["Account"], identity["Arn"].split(":")[1]
    return AccountFacts(
        account=account,
        region=clients.ec2.meta.region_name,
        partition=partition,
        vpc="" if settings.security_groups else _vpc(clients, settings),
        architecture=_architecture(clients, settings),
        root_device=_root_device(clients, settings.ami) if settings.ami else ROOT_DEVICE,
    )


def _vpc(clients: Clients, settings: AwsSettings) -> str:
    """Return the VPC of the subnets that are set, or else the default one."""
    if not settings.subnets:
        with calling("ec2:DescribeVpcs", "the default VPC"):
            found = clients.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        if not found:
            msg = (
                "this account has no default VPC in this region: set aws.subnets to subnets from which nodes reach the"
                " internet"
            )
            raise SettingsError(msg)
        return found[0]["VpcId"]
    with calling("ec2:DescribeSubnets", f"aws.subnets ({', '.join(map(shown, settings.subnets))})"):
        subnets = clients.ec2.describe_subnets(SubnetIds=settings.subnets)["Subnets"]
        by_vpc = {subnet["VpcId"]: subnet["SubnetId"] for subnet in subnets}
    if len(by_vpc) > 1:
        places = ", ".join(f"{subnet} in {vpc}" for vpc, subnet in sorted(by_vpc.items()))
        msg = f"aws.subnets are in different VPCs ({places}): name subnets of one"
        raise SettingsError(msg)
    return next(iter(by_vpc))


def _architecture(clients: Clients, settings: AwsSettings) -> str:
    """Return the one architecture that all instance types have."""
    if not settings.instance_types:
        msg = "aws.instance_types is empty: name at least one instance type"
        raise SettingsError(msg)
    with calling("ec2:DescribeInstanceTypes", "aws.instance_types"):
        try:
            pages = clients.ec2.get_paginator("describe_instance_types").paginate(
                InstanceTypes=list(dict.fromkeys(settings.instance_types))  # type: ignore[arg-type]
            )
            kinds = {str(each["InstanceType"]): _of(each) for page in pages for each in page["InstanceTypes"]}
        except ClientError as error:
            if code_of(error) != _NO_SUCH_TYPE:
                raise
            msg = f"aws.instance_types: {shown(message_of(error)).rstrip('. ')}: name types that this region has"
            raise SettingsError(msg) from error
    return _only(kinds)


def _of(found: "InstanceTypeInfoTypeDef") -> str:
    offered: list[str] = list(found["ProcessorInfo"]["SupportedArchitectures"])
    return next((architecture for architecture in ARCHITECTURES if architecture in offered), " or ".join(offered))


def _only(kinds: Mapping[str, str]) -> str:
    found = sorted(set(kinds.values()))
    if len(found) == 1 and found[0] in ARCHITECTURES:
        return found[0]
    said = "; ".join(
        f"{architecture}: {', '.join(sorted(kind for kind, its in kinds.items() if its == architecture))}"
        for architecture in found
    )
    msg = (
        "aws.instance_types must all be of one architecture, x86_64 or arm64, for nodes come from one image, and these"
        f" are not ({said})"
    )
    raise SettingsError(msg)


def _root_device(clients: Clients, ami: str) -> str:
    with calling("ec2:DescribeImages", f"image {shown(ami)} (aws.ami)"):
        images = clients.ec2.describe_images(ImageIds=[ami])["Images"]
    if not images:
        msg = f"aws.ami: there is no image {shown(ami)} in this region, or it is not shared with this account"
        raise SettingsError(msg)
    return images[0].get("RootDeviceName", ROOT_DEVICE)
