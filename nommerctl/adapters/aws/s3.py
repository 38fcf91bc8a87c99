"""Sources and destinations that are objects of S3: the `s3` half of a ports.Storage.

A source is downloaded to the worker's folder. An output is written to a local file and uploaded when it is placed; the
upload is completed in one step, so the destination is the old object or the whole new one at any instant, and needs no
other name meanwhile. Requests go to a bucket's own region: botocore finds it by S3's answer to the first.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import code_of
from nommerctl.adapters.aws.s3_errands import DENIED, NO_SUCH_KEY, READ, WRITTEN, Errand
from nommerctl.adapters.os_errors import reason
from nommerctl.domain.s3_uris import s3_place
from nommerctl.domain.text import shown
from nommerctl.domain.times import micros
from nommerctl.errors import NommerctlError, TransferError, UsageError
from nommerctl.ports import Done, SourceLook, nobody

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import HeadObjectOutputTypeDef

    from nommerctl.adapters.aws.s3_output import S3Output

STAGED_NAME = "source"
"""What a fetched source is called. No extension: what it is shall be told by its content, never by its name."""

_ARCHIVES = frozenset({"ARCHIVE_ACCESS", "DEEP_ARCHIVE", "DEEP_ARCHIVE_ACCESS", "GLACIER"})
"""Where an object has to be restored from, for hours, before it can be read."""


class S3Storage:
    """Objects of S3. `scratch` is the folder of outputs that are not yet uploaded, made when the first is."""

    def __init__(self, clients: Clients, scratch: Path) -> None:
        self._clients = clients
        self._scratch = scratch

    def look(self, source: str) -> SourceLook:
        """Return size and modification time; UsageError unless it is an object that these credentials may read."""
        found = self._found(Errand(source, READ, UsageError))
        return SourceLook(size=found["ContentLength"], modified=micros(found["LastModified"].timestamp()))

    def check_destination(self, dest: str) -> None:
        """UsageError unless the bucket is there and tells what is being uploaded to it. Leaves no trace.

        That is what a worker asks first. Whether it may write as well, only writing shows.
        """
        errand = Errand(dest, WRITTEN, UsageError)
        _check_names_file(errand)
        bucket, key = errand.place
        with errand.asking("s3:ListBucketMultipartUploads"):
            self._clients.s3().list_multipart_uploads(Bucket=bucket, Prefix=key, MaxUploads=1)

    def is_same(self, source: str, dest: str) -> bool:
        """Whether both are one object."""
        return s3_place(source) == s3_place(dest)

    def fetch(self, source: str, folder: Path, keep_on: Callable[[], None], done: Done = nobody) -> Path:
        """Download to `folder`; TransferError if that fails or the source changes meanwhile, and nothing is there."""
        from nommerctl.adapters.aws.s3_download import download  # here, so that a look does not pay for it

        keep_on()
        errand = Errand(source, READ, TransferError)
        found = self._found(errand)
        staged = folder.absolute() / STAGED_NAME
        try:
            staged.unlink(missing_ok=True)
            download(self._clients.s3(), errand, found, staged, keep_on=keep_on, done=done)
        except OSError as error:
            msg = f"'{shown(source)}' cannot be saved as '{shown(str(staged))}': {reason(error)}"
            raise TransferError(msg) from error
        return staged

    @contextmanager
    def output(self, dest: str, tag: str, leave_word: Callable[[Path], None] = lambda _: None) -> Iterator["S3Output"]:
        """Open a local file to write to, once word was left of it; TransferError if it could not be uploaded.

        What earlier turns of the job left is removed, see s3_turns.py. Later turns are left alone, for this may be
        the one that was stopped.
        """
        from nommerctl.adapters.aws.s3_output import S3Output  # likewise
        from nommerctl.adapters.aws.s3_turns import Turn

        errand = Errand(dest, WRITTEN, TransferError)
        _check_names_file(errand)
        turn, s3 = Turn.of(tag), self._clients.s3()
        turn.end_earlier(s3, errand)
        unfinished = self._scratch.absolute() / f".nommerctl-{tag}.part"
        leave_word(unfinished)
        try:
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            _remove_earlier(self._scratch, turn.job, turn.number)
            output = S3Output(s3, errand, turn, unfinished)
        except OSError as error:
            msg = f"'{shown(str(unfinished))}' cannot be written: {reason(error)}"
            raise TransferError(msg) from error
        try:
            output.check_permission()
            yield output
        finally:
            output.discard()

    def _found(self, errand: Errand) -> "HeadObjectOutputTypeDef":
        """Return what S3 says of a source that can be read."""
        _check_names_file(errand)
        bucket, key = errand.place
        s3 = self._clients.s3()
        try:
            found = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise _why(s3, errand, error) from error
        except BotoCoreError as error:
            raise errand.refusal(error, "s3:GetObject") from error
        _check_not_archived(errand, found)
        return found


def _check_names_file(errand: Errand) -> None:
    key = errand.place.key
    if key and not key.endswith("/"):
        return
    if errand.to_be == READ:
        why = "it is a folder"
        raise errand.failure(why)
    msg = f"'{shown(errand.uri)}' is a folder: name the file to write in it"
    raise errand.kind(msg)


def _check_not_archived(errand: Errand, found: "HeadObjectOutputTypeDef") -> None:
    archives = _ARCHIVES & {found.get("ArchiveStatus"), found.get("StorageClass")}
    restored = found.get("Restore", "")
    if not archives or 'ongoing-request="false"' in restored:
        return
    hint = "wait until it has been restored" if restored else "restore it first"
    why = f"it is archived ({', '.join(archives)}): {hint}"
    raise errand.failure(why)


def _why(s3: "S3Client", errand: Errand, refused: ClientError) -> NommerctlError:
    """Ask in a way that S3 answers in words, as it does not when only the head of an answer was asked for."""
    bucket, key = errand.place
    try:
        s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].close()
    except ClientError as error:
        refused = error
    except BotoCoreError as error:
        return errand.refusal(error, "s3:GetObject")
    if code_of(refused) in NO_SUCH_KEY and _is_folder(s3, bucket, key):
        return errand.failure("it is a folder")
    if code_of(refused) in DENIED and _is_paid_by_requester(s3, bucket, key):
        return errand.failure("its bucket has whoever reads it pay (requester pays): copy it to a bucket of your own")
    return errand.refusal(refused, "s3:GetObject")


def _is_folder(s3: "S3Client", bucket: str, key: str) -> bool:
    with suppress(ClientError, BotoCoreError):
        return s3.list_objects_v2(Bucket=bucket, Prefix=f"{key}/", MaxKeys=1)["KeyCount"] > 0
    return False


def _is_paid_by_requester(s3: "S3Client", bucket: str, key: str) -> bool:
    """Whether it can be looked at by who pays for the request: a fraction of a cent per thousand."""
    with suppress(ClientError, BotoCoreError):
        s3.head_object(Bucket=bucket, Key=key, RequestPayer="requester")
        return True
    return False


def _remove_earlier(folder: Path, job: str, turn: int) -> None:
    """Remove the local files of earlier turns of the job on this machine."""
    unfinished = re.compile(rf"\.nommerctl-{re.escape(job)}-([0-9]+)(-.*)?\.part")
    for path in folder.iterdir():
        found = unfinished.fullmatch(path.name)
        if found and int(found[1]) < turn:
            with suppress(OSError):
                path.unlink(missing_ok=True)
