"""What a farm keeps its jobs, its messages and its wheel in, as it is wanted."""

from nommerctl.adapters.aws.node.packages import WheelFile
from nommerctl.adapters.aws.resources import farm_tags, queues, tables
from nommerctl.adapters.aws.stack.bucket import BUCKET
from nommerctl.adapters.aws.stack.own_bucket import WHEELS, package_bucket
from nommerctl.adapters.aws.stack.wheel import WHEEL
from nommerctl.domain.stack import Resource

_ABORTED_AFTER = 1
"""Days after which S3 throws away an upload that came to no end: what is put there takes seconds."""


def storage_parts(farm: str, account: str, region: str, wheel: WheelFile | None) -> list[Resource]:
    """Return tables and queues, and the bucket with the wheel if there is one, each after what it refers to."""
    return [*tables(farm), *queues(farm), *(_packages(farm, account, region, wheel) if wheel else ())]


def _packages(farm: str, account: str, region: str, wheel: WheelFile) -> tuple[Resource, Resource]:
    bucket, key = package_bucket(farm, account, region), f"{WHEELS}{wheel.name}"
    return (
        Resource(logical="PackageBucket", kind=BUCKET, name=bucket, properties=_bucket(bucket, farm)),
        Resource(
            logical="Wheel",
            kind=WHEEL,
            name=f"{bucket}/{key}",
            properties={
                "Bucket": {"Ref": "PackageBucket"},
                "Key": key,
                "Sha256": wheel.sha256,
                "File": str(wheel.path),
            },
        ),
    )


def _bucket(name: str, farm: str) -> dict[str, object]:
    """Return a bucket that nobody else can read, encrypted with S3's own key, which costs nothing."""
    return {
        "BucketName": name,
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "unfinished-uploads",
                    "Status": "Enabled",
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORTED_AFTER},
                }
            ]
        },
        "Tags": farm_tags(farm),
    }
