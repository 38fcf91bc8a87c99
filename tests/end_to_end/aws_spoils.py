"""What may have befallen a farm's account since it was brought up: every part changed by hand."""

import json
from typing import Any

from nommerctl.adapters.aws.names import (
    FARM_TAG,
    dead_letters,
    jobs_table,
    launch_template,
    ledger_table,
    new_jobs_queue,
    node_role,
    security_group,
)
from nommerctl.adapters.aws.resources import BY_ID, EXPIRES
from tests.aws_bring_up import Account
from tests.aws_servers import REGION

ACCOUNT = "123456789012"
"""That of the servers."""


def spoil(farm: Account) -> None:
    """Change every part, in every respect in which bootstrap can put it right."""
    _spoil_tables(farm)
    _spoil_queues(farm)
    _spoil_bucket(farm)
    _spoil_group(farm)
    _spoil_role(farm)
    _spoil_template(farm)


def own_bucket(farm: Account) -> str:
    """What the farm's bucket for the wheel is called."""
    return f"nommerctl-{farm.name}-{ACCOUNT}-{REGION}"


def _spoil_tables(farm: Account) -> None:
    dynamodb = farm.clients.dynamodb
    jobs, ledger = jobs_table(farm.name), ledger_table(farm.name)
    dynamodb.update_table(TableName=jobs, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": BY_ID}}])
    dynamodb.update_continuous_backups(
        TableName=jobs, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    dynamodb.update_time_to_live(TableName=ledger, TimeToLiveSpecification={"AttributeName": EXPIRES, "Enabled": False})
    arn = dynamodb.describe_table(TableName=jobs)["Table"]["TableArn"]
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=[FARM_TAG])


def _spoil_queues(farm: Account) -> None:
    sqs = farm.clients.sqs
    for name in (new_jobs_queue(farm.name), dead_letters(new_jobs_queue(farm.name))):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "60"})
        sqs.untag_queue(QueueUrl=url, TagKeys=[FARM_TAG])


def _spoil_bucket(farm: Account) -> None:
    """There are old versions in it besides."""
    s3, bucket = farm.clients.s3(), own_bucket(farm)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    (wheel,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    for content in (b"another wheel", b"a third one"):
        s3.put_object(Bucket=bucket, Key=wheel["Key"], Body=content)
    s3.put_object(Bucket=bucket, Key="wheels/older.whl", Body=b"an older one")
    s3.delete_object(Bucket=bucket, Key="wheels/older.whl")
    s3.delete_bucket_encryption(Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    s3.delete_bucket_lifecycle(Bucket=bucket)
    s3.delete_bucket_tagging(Bucket=bucket)


def _spoil_group(farm: Account) -> None:
    ec2, name = farm.clients.ec2, security_group(farm.name)
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]
    anyone: Any = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=anyone)
    ec2.authorize_security_group_egress(GroupId=group["GroupId"], IpPermissions=anyone)
    everything: Any = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=everything)


def _spoil_role(farm: Account) -> None:
    iam, role = farm.clients.iam, node_role(farm.name)
    other = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=_policy(other))
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    look = _policy({"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"})
    for each in (name, "by-hand"):
        iam.put_role_policy(RoleName=role, PolicyName=each, PolicyDocument=look)
    made = iam.create_policy(PolicyName=f"{role}-by-hand", PolicyDocument=look)
    iam.attach_role_policy(RoleName=role, PolicyArn=made["Policy"]["Arn"])
    iam.untag_role(RoleName=role, TagKeys=[FARM_TAG])
    iam.remove_role_from_instance_profile(InstanceProfileName=role, RoleName=role)
    iam.untag_instance_profile(InstanceProfileName=role, TagKeys=[FARM_TAG])


def _spoil_template(farm: Account) -> None:
    """There are older versions than are kept besides."""
    ec2, name = farm.clients.ec2, launch_template(farm.name)
    for image in ("ami-1", "ami-2", "ami-3"):
        ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData={"ImageId": image})
    ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion="4")


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
