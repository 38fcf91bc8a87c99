"""An output on its way to S3: a local file first, then a multipart upload, which is completed in one step."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.utils import ReadFileChunk

from nommerctl.adapters.aws.clients import PARALLEL
from nommerctl.adapters.aws.s3_content_types import content_type
from nommerctl.adapters.aws.s3_errands import Errand
from nommerctl.adapters.aws.s3_turns import MOST_PARTS, Turn, end_upload
from nommerctl.adapters.os_errors import reason
from nommerctl.domain.text import shown
from nommerctl.errors import NommerctlError, TransferError
from nommerctl.ports import Done, nobody, nothing

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

LEAST_PART = 16 * 1024 * 1024
"""Bytes of a part of an upload, unless it would have too many of them."""

JOB_NAME, TURN_NAME = "nommerctl-job", "nommerctl-turn"
"""The metadata of an object by which it is known whose it is."""

_POLL = 0.5
"""Seconds between two looks whether to go on."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def part_size(size: int) -> int:
    """Return how many bytes each part of an upload has, of which the last may have fewer."""
    return max(LEAST_PART, -(-size // MOST_PARTS))


class S3Output:
    """A ports.Output: the local file exists from the start, the upload only while the output is placed.

    Of uploads that were begun at one time and objects that were put since, S3 may take the later for the newest,
    whichever was completed last: so an upload is not begun before there is something to upload.
    """

    def __init__(self, s3: "S3Client", errand: Errand, turn: Turn, path: Path) -> None:
        self.path = path
        self._s3 = s3
        self._errand = errand
        self._turn = turn
        self._upload_id = ""
        os.close(os.open(path, _CREATE, 0o600))

    def check_permission(self) -> None:
        """Begin an upload and end it, so that whoever may not write is told before the encode and not after it."""
        self._begin()
        self._end()

    def place(self, permit: Callable[[], None], keep_on: Callable[[], None] = nothing, done: Done = nobody) -> None:
        """Upload all parts, call `permit`, complete the upload.

        TransferError if that fails, or if nothing was written; the destination is then as it was. If the error is a
        TransferInterruptedError, it may be called again: what is left of the upload is ended first.
        """
        self._end()
        try:
            size = self._size()
            self._begin()
            self._turn.mark(self._s3, self._errand, self._upload_id)
            parts = self._send(size, keep_on, done)
        except OSError as error:
            raise self._errand.failure(reason(error)) from error
        permit()
        self._complete(parts)

    def discard(self) -> None:
        """Remove the local file and end the upload. What cannot be ended is left to the next attempt."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        with suppress(NommerctlError):
            self._end()

    def _size(self) -> int:
        try:
            size = self.path.lstat().st_size
        except FileNotFoundError as error:
            why = "what was to be put there has been removed"
            raise self._errand.failure(why) from error
        if size == 0:
            msg = f"'{shown(self._errand.uri)}' is not replaced: what was to be put there is empty"
            raise TransferError(msg)
        return size

    def _begin(self) -> None:
        bucket, key = self._errand.place
        with self._errand.asking("s3:PutObject"):
            self._upload_id = self._s3.create_multipart_upload(
                Bucket=bucket,
                Key=key,
                ContentType=content_type(key),
                Metadata=self._metadata(),
                ChecksumAlgorithm="CRC32",
            )["UploadId"]

    def _metadata(self) -> Mapping[str, str]:
        return {JOB_NAME: self._turn.job, TURN_NAME: str(self._turn.number)}

    def _send(self, size: int, keep_on: Callable[[], None], done: Done) -> list["CompletedPartTypeDef"]:
        """Send all parts, side by side; what `keep_on` raises comes out when those on their way have arrived."""
        step = part_size(size)
        with ThreadPoolExecutor(PARALLEL) as threads:
            parts = [
                threads.submit(self._send_part, step, number, start)
                for number, start in enumerate(range(0, size, step), start=1)
            ]
            try:
                waiting = set(parts)
                while waiting:
                    sent, waiting = wait(waiting, _POLL, FIRST_COMPLETED)
                    for part in sent:
                        part.result()
                    done(1 - len(waiting) / len(parts))
                    keep_on()
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise
        return [part.result() for part in parts]

    def _send_part(self, step: int, number: int, start: int) -> "CompletedPartTypeDef":
        bucket, key = self._errand.place
        with ReadFileChunk.from_filename(str(self.path), start, step) as part, self._errand.asking("s3:PutObject"):
            answer = self._s3.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=cast("IO[bytes]", part),
                ChecksumAlgorithm="CRC32",
            )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]}

    def _complete(self, parts: list["CompletedPartTypeDef"]) -> None:
        bucket, key = self._errand.place
        try:
            self._s3.complete_multipart_upload(
                Bucket=bucket, Key=key, UploadId=self._upload_id, MultipartUpload={"Parts": parts}
            )
        except (ClientError, BotoCoreError) as error:
            if not self._is_placed():  # it is, where only the answer was lost: then the upload is not there any more
                raise self._errand.refusal(error, "s3:PutObject") from error
        self._upload_id = ""

    def _is_placed(self) -> bool:
        bucket, key = self._errand.place
        with suppress(ClientError, BotoCoreError):
            return self._s3.head_object(Bucket=bucket, Key=key)["Metadata"] == self._metadata()
        return False

    def _end(self) -> None:
        if self._upload_id:
            end_upload(self._s3, self._errand, self._upload_id)
            self._upload_id = ""
