"""URIs of S3: `s3://bucket/key`. A key is no URL: `?`, `#`, `%` and blanks in it stand for themselves."""

import re
from typing import NamedTuple
from urllib.parse import unquote

from nommerctl.domain.text import shown
from nommerctl.errors import UsageError

S3 = "s3"

MOST_KEY_BYTES = 1024
"""Of UTF-8: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""

_KEYS = re.compile(r"s3://[^/?#:@]*(?P<secret>:[^@]*)?@(?P<rest>.*)", re.DOTALL | re.IGNORECASE)
"""As media-nommer read them: the first `@` ends them, whatever slashes the secret has. A key id holds none."""

_AWS_SECRET = re.compile(r":[A-Za-z0-9/+=]{40}")
_MORE_AT = re.compile("@|%40")

_WILD = re.compile(r"[*?$\\]")
"""What IAM reads as something else in the name of a resource: wildcards and variables."""

_IP_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class S3Place(NamedTuple):
    """What a URI names. A key that is empty or ends with a slash is a folder."""

    bucket: str
    key: str


def s3_place(uri: str) -> S3Place:
    """Return the bucket and the key of a URI that has been normalised."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return S3Place(bucket, key)


def normalised_s3(uri: str) -> str:
    """Return an S3 URI as it is stored, a bucket alone as its root folder; UsageError for what S3 cannot have."""
    rest = uri[len("s3:") :]
    place = s3_place(f"s3:{rest}")
    if not rest.startswith("//") or not place.bucket:
        msg = f"'{shown(uri)}' names no bucket: an S3 URI looks like s3://bucket/folder/name"
        raise UsageError(msg)
    if not _is_bucket(place.bucket):
        rule = "3 to 63 lower-case letters, digits, dots and hyphens"
        msg = f"'{shown(place.bucket)}' is not the name of a bucket, which is {rule}"
        raise UsageError(msg)
    if _CONTROLS.search(place.key):
        msg = f"'{shown(uri)}' has a control character in its key: rename the object"
        raise UsageError(msg)
    length = len(place.key.encode())
    if length > MOST_KEY_BYTES:
        msg = f"'{shown(uri)}' is too long for S3: its key has {length} bytes, the limit is {MOST_KEY_BYTES}"
        raise UsageError(msg)
    return f"s3://{place.bucket}/{place.key}"


def without_keys(uri: str) -> str:
    """Return an S3 URI without the keys of AWS that media-nommer had before its bucket: `s3://KEY:SECRET@bucket/key`.

    It stays as it is if it has none, and if they cannot be told from the rest: where there is another `@`, the secret
    ends at the first one only if it is as long as AWS makes them, and of their characters, encoded or not.
    """
    found = _KEYS.match(uri)
    if found is None:
        return uri
    secret, rest = found["secret"], found["rest"]
    if secret is not None and _MORE_AT.search(secret + rest) and not _AWS_SECRET.fullmatch(unquote(secret)):
        return uri
    return f"s3://{rest}"


def is_part_of_bucket(text: str) -> bool:
    """Whether text names a bucket, or a folder in one (`films/out`), that a policy can name: as a URI too."""
    bucket, _, folder = text.removeprefix("s3://").rstrip("/").partition("/")
    if not _is_bucket(bucket) or _CONTROLS.search(folder) or _WILD.search(folder):
        return False
    return not folder or "" not in folder.split("/")


def _is_bucket(name: str) -> bool:
    return _BUCKET.fullmatch(name) is not None and _IP_ADDRESS.fullmatch(name) is None
