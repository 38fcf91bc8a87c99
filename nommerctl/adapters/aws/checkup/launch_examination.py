"""What nodes are launched from, and the account's limits, looked at: in the words of domain/aws_launch.py."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.orders import named_template
from nommerctl.domain.aws_launch import ImageFacts, Quota, TemplateFacts, TypeFacts

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import DescribeLaunchTemplateVersionsRequestTypeDef

BY_PARAMETER = "resolve:ssm:"
"""What the image of a launch template begins with that is named by a parameter of SSM."""

_NO_TEMPLATE = frozenset(
    {
        "InvalidLaunchTemplateId.Malformed",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.VersionNotFound",
        "InvalidLaunchTemplateName.MalformedException",
        "InvalidLaunchTemplateName.NotFoundException",
    }
)
_NO_IMAGE = "InvalidAMIID."
_NO_PARAMETER = frozenset({"ParameterNotFound", "ParameterVersionNotFound", "ValidationException"})
_NO_QUOTA = frozenset({"NoSuchResourceException"})


def template_facts(clients: Clients, template: str) -> TemplateFacts | None:
    """Return the default version of a launch template, by its name or id; None if there is none."""
    with calling("ec2:DescribeLaunchTemplateVersions", f"launch template '{template}'"):
        try:
            answer = clients.ec2.describe_launch_template_versions(**_default_version(template))
        except ClientError as error:
            if code_of(error) in _NO_TEMPLATE:
                return None
            raise
        (version,) = answer["LaunchTemplateVersions"] or (None,)
    if version is None:
        return None
    data = version.get("LaunchTemplateData", {})
    return TemplateFacts(
        version=version.get("VersionNumber", 0),
        image=data.get("ImageId", ""),
        tokens=data.get("MetadataOptions", {}).get("HttpTokens", ""),
        shutdown=data.get("InstanceInitiatedShutdownBehavior", ""),
        has_user_data=bool(data.get("UserData")),
    )


def _default_version(template: str) -> "DescribeLaunchTemplateVersionsRequestTypeDef":
    return {"Versions": ["$Default"], **named_template(template)}  # type: ignore[typeddict-item]


def image_of_parameter(clients: Clients, parameter: str) -> str | None:
    """Return the id of an image that a parameter of SSM names, None if there is no such parameter."""
    with calling("ssm:GetParameters", f"parameter '{parameter}'"):
        try:
            found = clients.ssm.get_parameters(Names=[parameter])["Parameters"]
        except ClientError as error:
            if code_of(error) in _NO_PARAMETER:
                return None
            raise
    return found[0].get("Value") if found else None


def image_facts(clients: Clients, image: str) -> ImageFacts | None:
    """Return an image, None if there is none that this account may use."""
    with calling("ec2:DescribeImages", f"image '{image}'"):
        try:
            found = clients.ec2.describe_images(ImageIds=[image])["Images"]
        except ClientError as error:
            if code_of(error).startswith(_NO_IMAGE):
                return None
            raise
    if not found:
        return None
    return ImageFacts(id=image, state=found[0].get("State", ""), architecture=found[0].get("Architecture", ""))


def type_facts(clients: Clients, types: Sequence[str]) -> dict[str, TypeFacts]:
    """Return those of the instance types that EC2 has in the region, in the order in which they are named."""
    if not types:
        return {}
    wanted = list(dict.fromkeys(types))
    with calling("ec2:DescribeInstanceTypes", "the instance types"):
        pages = clients.ec2.get_paginator("describe_instance_types").paginate(
            Filters=[{"Name": "instance-type", "Values": wanted}]
        )
        found = {
            each["InstanceType"]: TypeFacts(
                vcpus=each["VCpuInfo"]["DefaultVCpus"],
                architectures=tuple(each["ProcessorInfo"]["SupportedArchitectures"]),
            )
            for page in pages
            for each in page["InstanceTypes"]
        }
    return {name: found[name] for name in wanted if name in found}


def quota_limit(clients: Clients, quota: Quota) -> float | None:
    """Return what the account may have by a quota of EC2 in the region, None if Service Quotas does not know it."""
    with calling("servicequotas:GetServiceQuota", f"quota {quota.code}"):
        try:
            found = clients.service_quotas.get_service_quota(ServiceCode="ec2", QuotaCode=quota.code)["Quota"]
        except ClientError as error:
            if code_of(error) in _NO_QUOTA:
                return None
            raise
    return found.get("Value")
