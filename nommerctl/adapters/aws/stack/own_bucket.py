"""The one bucket of a farm's own, for the wheel that its nodes install. Sources and outputs are never in it."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict, TypeVar

from botocore.exceptions import ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling, code_of
from nommerctl.adapters.aws.stack.ownership import prefix_of, tags_of
from nommerctl.errors import SettingsError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

T = TypeVar("T")

WHEELS = "wheels/"
"""What keys of wheels begin with."""

NO_SUCH_BUCKET = frozenset({"NoSuchBucket", "404", "NotFound"})
"""S3's words for a bucket that is not there; its status where an answer has no body."""

_LONGEST_NAME = 63
"""Characters of a bucket's name: what S3 takes."""


class Asked(TypedDict):
    """What each call names: a bucket, and the account to which it must belong."""

    Bucket: str
    ExpectedBucketOwner: str


def package_bucket(farm: str, account: str, region: str) -> str:
    """Return the name of a farm's bucket, which names account and region since all accounts share the names of S3.

    SettingsError if the farm's name is too long for that.
    """
    name = f"{prefix_of(farm)}{account}-{region}"
    if len(name) > _LONGEST_NAME:
        msg = (
            f"farm.name: '{farm}' is too long for a bucket to be named after it: shorten it by"
            f" {len(name) - _LONGEST_NAME} characters, or leave aws.package empty and let nodes install from an index"
        )
        raise SettingsError(msg)
    return name


class OwnBucket:
    """Looks at the bucket of a farm, in the account and the region of the clients."""

    def __init__(self, clients: Clients, farm: str) -> None:
        self._clients = clients
        self._farm = farm

    @property
    def s3(self) -> "S3Client":
        """A client in the bucket's region."""
        return self._clients.s3()

    @cached_property
    def account(self) -> str:
        """The account's number."""
        with calling("sts:GetCallerIdentity", "the account"):
            return self._clients.sts.get_caller_identity()["Account"]

    @cached_property
    def name(self) -> str | None:
        """What the farm's bucket is called, None if its name is too long to have one."""
        try:
            return package_bucket(self._farm, self.account, self.s3.meta.region_name)
        except SettingsError:
            return None

    def asked(self, name: str) -> Asked:
        """Return what a call names; S3 refuses it if the bucket is another account's."""
        return {"Bucket": name, "ExpectedBucketOwner": self.account}

    def tags(self, name: str) -> dict[str, str] | None:
        """Return the tags of a bucket, None if there is no such bucket."""

        def read() -> dict[str, str]:
            try:
                return tags_of(self.s3.get_bucket_tagging(**self.asked(name))["TagSet"])
            except ClientError as error:
                if code_of(error) != "NoSuchTagSet":
                    raise
                return {}

        with calling("s3:GetBucketTagging", what(name)):
            return unless_missing(read)


def what(name: str) -> str:
    """Return how a sentence names a bucket."""
    return f"bucket '{name}'"


def unless_missing(call: Callable[[], T]) -> T | None:
    """Return what a call returns, None if it says that what it asks for is not there."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) not in NO_SUCH_BUCKET:
            raise
        return None
