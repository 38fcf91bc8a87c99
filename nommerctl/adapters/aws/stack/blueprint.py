"""What nodes are launched with, as parts: security group, role, instance profile, launch template."""

import base64
from typing import Any

from nommerctl.adapters.aws.names import FARM_TAG, launch_template, node_role, security_group
from nommerctl.adapters.aws.stack.facts import AccountFacts
from nommerctl.adapters.aws.stack.policies import IMAGE_PARAMETERS, trust_policy, worker_policy
from nommerctl.adapters.aws.stack.statements import Names
from nommerctl.domain.config import Settings
from nommerctl.domain.stack import Resource
from nommerctl.errors import SettingsError

GROUP, ROLE, PROFILE, TEMPLATE = "NodeSecurityGroup", "NodeRole", "NodeProfile", "NodeTemplate"
"""The logical names of the parts."""

POLICY = "nommerctl"
"""The name of the role's inline policy."""

_DEBIAN = {"x86_64": "amd64", "arm64": "arm64"}

_OUTBOUND = [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}, {"IpProtocol": "-1", "CidrIpv6": "::/0"}]
"""To everywhere: sources, buckets, queues and package indexes are anywhere."""


def node_parts(settings: Settings, facts: AccountFacts, boot_text: str, *, package_bucket: str = "") -> list[Resource]:
    """Return the parts in the order in which they are made; none if nodes are launched without a template of ours.

    `boot_text` is the user data. `package_bucket` is the farm's own bucket, where nodes install from it.
    """
    farm, aws = settings.farm.name, settings.aws
    if not has_own_template(settings):
        return []
    names = Names(
        farm=farm,
        account=facts.account,
        region=facts.region,
        partition=facts.partition,
        buckets=aws.buckets,
        package_bucket=package_bucket,
    )
    parts = []
    if not aws.security_groups:
        parts.append(_security_group(farm, facts))
    if not aws.instance_profile:
        parts += [_role(names), _profile(farm)]
    return [*parts, _template(settings, facts, boot_text)]


def has_own_template(settings: Settings) -> bool:
    """Whether nodes are launched from the template that 'aws bootstrap' makes."""
    named = settings.aws.launch_template or ("" if settings.aws.ami else launch_template(settings.farm.name))
    return named == launch_template(settings.farm.name)


def farm_tags(farm: str) -> list[dict[str, str]]:
    """Return the tags of every part."""
    return [{"Key": FARM_TAG, "Value": farm}]


def _security_group(farm: str, facts: AccountFacts) -> Resource:
    if not facts.vpc:
        msg = "no VPC is known for the security group of nodes: set aws.subnets"
        raise SettingsError(msg)
    return Resource(
        logical=GROUP,
        kind="AWS::EC2::SecurityGroup",
        name=security_group(farm),
        properties={
            "GroupName": security_group(farm),
            "GroupDescription": f"Nodes of the nommerctl farm {farm}: nothing comes in",
            "VpcId": facts.vpc,
            "SecurityGroupIngress": [],
            "SecurityGroupEgress": _OUTBOUND,
            "Tags": farm_tags(farm),
        },
    )


def _role(names: Names) -> Resource:
    return Resource(
        logical=ROLE,
        kind="AWS::IAM::Role",
        name=node_role(names.farm),
        properties={
            "RoleName": node_role(names.farm),
            "AssumeRolePolicyDocument": trust_policy(names),
            "Policies": [{"PolicyName": POLICY, "PolicyDocument": worker_policy(names)}],
            "Tags": farm_tags(names.farm),
        },
    )


def _profile(farm: str) -> Resource:
    return Resource(
        logical=PROFILE,
        kind="AWS::IAM::InstanceProfile",
        name=node_role(farm),
        properties={"InstanceProfileName": node_role(farm), "Roles": [{"Ref": ROLE}], "Tags": farm_tags(farm)},
    )


def _template(settings: Settings, facts: AccountFacts, boot_text: str) -> Resource:
    farm, aws, tags = settings.farm.name, settings.aws, farm_tags(settings.farm.name)
    image = aws.ami or f"resolve:ssm:/{IMAGE_PARAMETERS}/{_DEBIAN[facts.architecture]}"
    group: list[Any] = list(aws.security_groups) or [{"Fn::GetAtt": [GROUP, "GroupId"]}]
    data = {
        "ImageId": image,
        "IamInstanceProfile": {"Name": aws.instance_profile or {"Ref": PROFILE}},
        "SecurityGroupIds": group,
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "InstanceMetadataTags": "disabled",
        },
        "BlockDeviceMappings": [
            {
                "DeviceName": facts.root_device,
                "Ebs": {
                    "VolumeType": "gp3",
                    "VolumeSize": aws.disk_gb,
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                },
            }
        ],
        "InstanceInitiatedShutdownBehavior": "terminate",
        "KeyName": aws.key_name or None,
        "UserData": base64.b64encode(boot_text.encode()).decode(),
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume", "network-interface")
        ],
    }
    return Resource(
        logical=TEMPLATE,
        kind="AWS::EC2::LaunchTemplate",
        name=launch_template(farm),
        properties={
            "LaunchTemplateName": launch_template(farm),
            "LaunchTemplateData": data,
            "TagSpecifications": [{"ResourceType": "launch-template", "Tags": tags}],
        },
    )
