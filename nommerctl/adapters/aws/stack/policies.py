"""What operators, nodes, and who brings a farm up may do in its account: the least policy of each.

A policy names the parts of one farm. What has no name of its own beforehand (instances, launch templates, security
groups) it grants by the farm's tag: made only with it, changed and ended only where it is. Source of the actions, of
what each is granted upon and of the condition keys: the Service Authorization Reference. A launch template or security
group that has lost the tag is nobody's to change: who brings the farm up may not give it the tag again.

None grants anything of KMS: tables, queues and disks are encrypted by keys that AWS manages, which take no permission.
Where media buckets, or an account's disks, have keys of their own, their key policies have to name the role.
"""

from collections.abc import Mapping, Sequence

from nommerctl.adapters.aws.ledger_items import FARM
from nommerctl.adapters.aws.names import FAILURE_TAG, FARM_TAG, changes_queue, dead_letters, new_jobs_queue, node_role
from nommerctl.adapters.aws.stack.own_bucket import WHEELS
from nommerctl.adapters.aws.stack.statements import Names, Policy, allow, document, named
from nommerctl.domain.s3_uris import S3

IMPLIED: Mapping[str, str] = {
    "iam:CreateServiceLinkedRole": "EC2 makes the role for spot instances with the account's first order for one",
    "iam:PassRole": "asked for by an order whose launch template gives nodes their role",
    "ssm:GetParameters": "asked for by an order whose launch template names its image by a parameter",
}
"""Granted, though no call of that name may be seen: why each is needed."""

IMAGE_PARAMETERS = "aws/service/debian/release/12/latest"
"""The public parameters that name the newest Debian 12 image, by architecture."""


def trust_policy(names: Names) -> Policy:
    """Return who may assume the role of nodes: EC2."""
    return document([allow("BeANode", ["sts:AssumeRole"], principal={"Service": [names.service]})])


def worker_policy(names: Names) -> Policy:
    """Return what a node may do.

    That it tags itself and no other node is said as in AWS's own policy AWSEC2VssSnapshotPolicy: the instance whose
    credentials ask is the one that is asked about.
    """
    new, changes = names.queue(new_jobs_queue(names.farm)), names.queue(changes_queue(names.farm))
    told_by_nodes = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [FARM]}}
    itself = {
        "StringEquals": {f"ec2:ResourceTag/{FARM_TAG}": names.farm},
        "ForAllValues:StringEquals": {"aws:TagKeys": [FAILURE_TAG]},
        "ArnEquals": {"ec2:SourceInstanceARN": names.arn("ec2", "instance/${ec2:InstanceID}")},
    }
    return document([
        allow("MoveJobs", named("dynamodb", "GetItem", "PutItem"), names.jobs),
        allow("ReadLedger", named("dynamodb", "GetItem", "Query"), names.ledger),
        allow("KeepLedger", named("dynamodb", "DeleteItem", "PutItem"), names.ledger, condition=told_by_nodes),
        allow("TakeJobs", named("sqs", *_LOOK_AT_QUEUE, *_TAKE_MESSAGES), new),
        allow("TellOfChanges", named("sqs", "GetQueueUrl", "SendMessage"), changes),
        *_media(
            names, named("s3", "AbortMultipartUpload", "GetObject", "ListMultipartUploadParts", "PutObject")
        ),
        *_package(names, named("s3", "GetObject")),
        allow("AskPrices", ["ec2:DescribeSpotPriceHistory", "pricing:GetProducts"], "*"),
        allow("SayWhyBootFailed", ["ec2:CreateTags"], *names.ec2("instance"), condition=itself),
    ])  # fmt: skip


def operator_policy(names: Names) -> Policy:
    """Return what passes, submit and doctor may do.

    Of the roles that EC2 makes for itself, instant fleets need that for spot instances alone (EC2's user guide, "EC2
    Fleet prerequisites"). What doctor would ask IAM's simulator is left out: it says what it could not find out.
    """
    new, changes = names.queue(new_jobs_queue(names.farm)), names.queue(changes_queue(names.farm))
    dead = dead_letters(new)
    tables = named("dynamodb", "DeleteItem", "DescribeTable", "DescribeTimeToLive", "PutItem", "Query")
    return document([
        allow("KeepJobs", [*tables, *named("dynamodb", *_READ)], names.jobs, f"{names.jobs}/index/*"),
        allow("KeepLedger", [*tables, "dynamodb:UpdateItem"], names.ledger),
        allow("LookAtQueues", named("sqs", *_LOOK_AT_QUEUE), new, changes, dead, dead_letters(changes)),
        allow("TellOfJobs", named("sqs", "SendMessage"), new, changes),
        allow("HearOfChanges", named("sqs", "DeleteMessage", "ReceiveMessage"), changes),
        allow("SeeToDeadLetters", named("sqs", *_TAKE_MESSAGES), dead),
        *_media(names, named("s3", "GetObject")),
        allow("Look", [*named("ec2", *_LOOK_AT_NODES), "servicequotas:GetServiceQuota"], "*"),
        allow(
            "FindImage",
            ["ssm:GetParameters"],
            f"arn:{names.partition}:ssm:{names.region}::parameter/{IMAGE_PARAMETERS}/*",
        ),
        allow(
            "OrderNodesWithTag",
            named("ec2", "CreateFleet", "RunInstances"),
            *names.ec2("fleet", "instance"),
            condition={"StringEquals": {f"aws:RequestTag/{FARM_TAG}": names.farm}},
        ),
        allow(
            "OrderNodesOf",
            named("ec2", "CreateFleet", "RunInstances"),
            *names.public("image", "snapshot"),
            *names.ec2(*_NODES_ARE_MADE_OF),
        ),
        allow(
            "TagWhatIsOrdered",
            ["ec2:CreateTags"],
            *names.ec2("fleet", "instance", "network-interface", "volume"),
            condition={"StringEquals": {"ec2:CreateAction": ["CreateFleet", "RunInstances"]}},
        ),
        allow(
            "GiveNodesTheirRole",
            ["iam:PassRole"],
            names.node_role,
            condition={"StringEquals": {"iam:PassedToService": names.service}},
        ),
        allow(
            "MakeRoleForSpot",
            ["iam:CreateServiceLinkedRole"],
            f"arn:{names.partition}:iam::{names.account}:role/aws-service-role/spot.amazonaws.com/*",
            condition={"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}},
        ),
        _end_nodes(names),
    ])  # fmt: skip


def bootstrap_policy(names: Names) -> Policy:
    """Return what bringing a farm up, and taking it down, takes."""
    both = (new_jobs_queue(names.farm), changes_queue(names.farm))
    queues = [names.queue(each) for name in both for each in (name, dead_letters(name))]
    role = node_role(names.farm)
    profile = f"arn:{names.partition}:iam::{names.account}:instance-profile/{role}"
    own_role = f"arn:{names.partition}:iam::{names.account}:role/{role}"
    made = ("launch-template", "security-group")
    return document([
        allow("MakeTables", named("dynamodb", *_TABLE), names.jobs, names.ledger),
        allow("CountUnfinishedJobs", named("dynamodb", "Query", *_READ), names.jobs, f"{names.jobs}/index/*"),
        allow("MakeQueues", named("sqs", *_QUEUE), *queues),
        *_bucket(names),
        allow("MakeRole", named("iam", *_ROLE), own_role),
        allow("MakeProfile", named("iam", *_PROFILE), profile),
        allow(
            "PutRoleInProfile",
            ["iam:PassRole"],
            own_role,
            condition={"StringEqualsIfExists": {"iam:PassedToService": names.service}},
        ),
        allow(
            "MakeWithTag",
            named("ec2", "CreateLaunchTemplate", "CreateSecurityGroup"),
            *names.ec2(*made),
            condition={"StringEquals": {f"aws:RequestTag/{FARM_TAG}": names.farm}},
        ),
        allow("MakeGroupInVpc", ["ec2:CreateSecurityGroup"], *names.ec2("vpc")),
        allow(
            "TagWhatIsMade",
            ["ec2:CreateTags"],
            *names.ec2(*made),
            condition={"StringEquals": {"ec2:CreateAction": ["CreateLaunchTemplate", "CreateSecurityGroup"]}},
        ),
        allow("ChangeWhatIsTagged", named("ec2", *_CHANGE), *names.ec2(*made), condition=_tagged(names)),
        allow("Look", ["dynamodb:ListTables", "sqs:ListQueues", *named("ec2", *_LOOK_AT_ALL)], "*"),
        _end_nodes(names),
    ])  # fmt: skip


_READ = ("BatchGetItem", "GetItem")
_LOOK_AT_QUEUE = ("GetQueueAttributes", "GetQueueUrl")
_TAKE_MESSAGES = ("ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage")

_LOOK_AT_NODES = (
    "DescribeImages",
    "DescribeInstanceTypes",
    "DescribeInstances",
    "DescribeLaunchTemplateVersions",
)

_NODES_ARE_MADE_OF = (
    "key-pair",
    "launch-template",
    "network-interface",
    "security-group",
    "spot-instances-request",
    "subnet",
    "volume",
)

_TABLE = (
    "CreateTable",
    "DeleteTable",
    "DescribeContinuousBackups",
    "DescribeTable",
    "DescribeTimeToLive",
    "ListTagsOfResource",
    "TagResource",
    "UpdateContinuousBackups",
    "UpdateTable",
    "UpdateTimeToLive",
)

_QUEUE = (
    "CreateQueue",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListQueueTags",
    "SetQueueAttributes",
    "TagQueue",
)

_BUCKET = (
    "CreateBucket",
    "DeleteBucket",
    "GetBucketOwnershipControls",
    "GetBucketPublicAccessBlock",
    "GetBucketTagging",
    "GetEncryptionConfiguration",
    "GetLifecycleConfiguration",
    "ListBucket",
    "ListBucketVersions",
    "PutBucketOwnershipControls",
    "PutBucketPublicAccessBlock",
    "PutBucketTagging",
    "PutEncryptionConfiguration",
    "PutLifecycleConfiguration",
)

_ROLE = (
    "CreateRole",
    "DeleteRole",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "GetRole",
    "GetRolePolicy",
    "ListAttachedRolePolicies",
    "ListInstanceProfilesForRole",
    "ListRolePolicies",
    "PutRolePolicy",
    "TagRole",
    "UpdateAssumeRolePolicy",
)

_PROFILE = (
    "AddRoleToInstanceProfile",
    "CreateInstanceProfile",
    "DeleteInstanceProfile",
    "GetInstanceProfile",
    "RemoveRoleFromInstanceProfile",
    "TagInstanceProfile",
)

_CHANGE = (
    "AuthorizeSecurityGroupEgress",
    "CreateLaunchTemplateVersion",
    "DeleteLaunchTemplate",
    "DeleteLaunchTemplateVersions",
    "DeleteSecurityGroup",
    "ModifyLaunchTemplate",
    "RevokeSecurityGroupEgress",
    "RevokeSecurityGroupIngress",
)

_LOOK_AT_ALL = (
    *_LOOK_AT_NODES,
    "DescribeLaunchTemplates",
    "DescribeSecurityGroupRules",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcs",
)


def _media(names: Names, on_objects: Sequence[str]) -> list[Policy]:
    """Return what may be done with sources and outputs: nothing where no bucket is named, which IAM cannot say."""
    if not names.buckets:
        return []
    places = [place.removeprefix(f"{S3}://").strip("/") for place in names.buckets]
    whole = sorted({place for place in places if "/" not in place})
    parts = sorted({tuple(place.split("/", 1)) for place in places if place.partition("/")[0] not in whole})
    buckets = sorted({place.partition("/")[0] for place in places})
    statements = [
        allow("UseMedia", on_objects, *(names.s3(f"{place}/*") for place in sorted(set(places)))),
        allow("ListUploads", ["s3:ListBucketMultipartUploads"], *map(names.s3, buckets)),
    ]
    if whole:
        statements.append(allow("ListMedia", ["s3:ListBucket"], *map(names.s3, whole)))
    if parts:
        within = {"StringLike": {"s3:prefix": sorted({f"{prefix}/*" for _, prefix in parts})}}
        listed = sorted({names.s3(bucket) for bucket, _ in parts})
        statements.append(allow("ListPartsOfMedia", ["s3:ListBucket"], *listed, condition=within))
    return statements


def _package(names: Names, actions: Sequence[str]) -> list[Policy]:
    if not names.package_bucket:
        return []
    return [allow("FetchPackage", actions, names.s3(f"{names.package_bucket}/{WHEELS}*"))]


def _bucket(names: Names) -> list[Policy]:
    """Return what making, filling and emptying the farm's own bucket takes."""
    if not names.package_bucket:
        return []
    objects = named("s3", "DeleteObject", "DeleteObjectVersion", "GetObject", "PutObject")
    return [
        allow("MakeBucket", named("s3", *_BUCKET), names.s3(names.package_bucket)),
        allow("FillBucket", objects, names.s3(f"{names.package_bucket}/*")),
    ]


def _end_nodes(names: Names) -> Policy:
    return allow("EndOwnNodes", ["ec2:TerminateInstances"], *names.ec2("instance"), condition=_tagged(names))


def _tagged(names: Names) -> Policy:
    return {"StringEquals": {f"ec2:ResourceTag/{FARM_TAG}": names.farm}}
