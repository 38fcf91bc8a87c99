"""Whose an unfinished upload is: a mark that each has, by which later turns of the job find and end it.

S3 says of an unfinished upload its key, when it was begun and by whom, and of which parts. Neither of these tells two
turns of a job from two jobs that write to one place: nodes with one role are each another initiator, and a turn that
comes late begins its upload last. So each upload has one part more, which is not named when the upload is completed
(S3 drops such parts): its number stands for the job, its size in bytes is the turn. (ETags would say more, but where a
bucket encrypts with KMS they are no checksums.)

Why no earlier turn places anything: an upload is begun, then marked, then permitted, then completed. A turn lists the
uploads when it has claimed the job. An earlier turn's that is marked by then is ended, and S3 completes it no more. One
that is marked later asks for its permit after the job was claimed, and gets none.
"""

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from nommerctl.adapters.aws.s3_errands import Errand

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MOST_PARTS = 9_000
"""Of the 10,000 that an upload may have: those that hold the output."""

_MARKS = 1_000


class Turn(NamedTuple):
    """One claim of a job: `number` is higher for each later one."""

    job: str
    number: int

    @staticmethod
    def of(tag: str) -> "Turn":
        """Return the turn of a tag `JOB-TURN-LEASE`."""
        job, number = tag.split("-")[:2]
        return Turn(job, int(number))

    @property
    def _mark(self) -> int:
        """The number of the part that marks this job's uploads.

        Of a thousand pairs of jobs, one has the same. If such two write to one place at one time, one of them may end
        the other's upload, which then fails.
        """
        return MOST_PARTS + 1 + zlib.crc32(self.job.encode()) % _MARKS

    def mark(self, s3: "S3Client", errand: Errand, upload_id: str) -> None:
        """Mark an upload as this turn's."""
        bucket, key = errand.place
        with errand.asking("s3:PutObject"):
            s3.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=self._mark,
                Body=bytes(self.number),
                ChecksumAlgorithm="CRC32",
            )

    def end_earlier(self, s3: "S3Client", errand: Errand) -> None:
        """End the unfinished uploads of the job's earlier turns to this very key."""
        for upload_id in _uploads(s3, errand):
            if self._is_earlier(s3, errand, upload_id):
                end_upload(s3, errand, upload_id)

    def _is_earlier(self, s3: "S3Client", errand: Errand, upload_id: str) -> bool:
        bucket, key = errand.place
        marks: list[tuple[int, int]] = []
        with errand.asking("s3:ListMultipartUploadParts"), suppress(s3.exceptions.NoSuchUpload):
            for page in s3.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=upload_id):
                parts = ((part["PartNumber"], part["Size"]) for part in page.get("Parts", []))
                marks += [part for part in parts if part[0] > MOST_PARTS]
        return len(marks) == 1 and marks[0][0] == self._mark and marks[0][1] < self.number


def end_upload(s3: "S3Client", errand: Errand, upload_id: str) -> None:
    """End an unfinished upload and have S3 forget its parts; no error if it is over already."""
    bucket, key = errand.place
    with errand.asking("s3:AbortMultipartUpload"), suppress(s3.exceptions.NoSuchUpload):
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)


def _uploads(s3: "S3Client", errand: Errand) -> list[str]:
    """Return the unfinished uploads to this key. S3 lists them before those to keys that only begin with it."""
    bucket, key = errand.place
    found: list[str] = []
    with errand.asking("s3:ListBucketMultipartUploads"):
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key):
            uploads = page.get("Uploads", [])
            found += [upload["UploadId"] for upload in uploads if upload["Key"] == key]
            if uploads and uploads[-1]["Key"] != key:
                break
    return found
