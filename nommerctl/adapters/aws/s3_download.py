"""The download of one object, in ranges side by side, that can be stopped at any second."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.exceptions import RetriesExceededError, S3DownloadFailedError, S3ValidationError
from s3transfer.manager import TransferConfig, TransferManager
from s3transfer.subscribers import BaseSubscriber

from nommerctl.adapters.aws.clients import PARALLEL
from nommerctl.domain.text import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3transfer.futures import TransferFuture
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import HeadObjectOutputTypeDef

    from nommerctl.adapters.aws.s3_errands import Errand
    from nommerctl.ports import Done

RANGE = 16 * 1024 * 1024
"""Bytes of one request."""

_POLL = 0.5
"""Seconds between two looks whether to go on."""


class _Watched(BaseSubscriber):
    """Tells the transfer what is known of the object, `done` how much is there, and the waiting thread when it is over.

    Bytes that are asked for again, after a connection broke off, are taken back first.
    """

    def __init__(self, found: "HeadObjectOutputTypeDef", over: threading.Event, done: "Done") -> None:
        self._found = found
        self._over = over
        self._done = done
        self._bytes = 0
        self._one_at_a_time = threading.Lock()

    def on_queued(self, future: "TransferFuture", **_: Any) -> None:  # noqa: ANN401 - the base's signature
        future.meta.provide_transfer_size(self._found["ContentLength"])
        future.meta.provide_object_etag(self._found["ETag"])  # every range is asked for of the same version

    def on_progress(self, future: "TransferFuture", bytes_transferred: int, **_: Any) -> None:  # noqa: ANN401, ARG002
        with self._one_at_a_time:
            self._bytes += bytes_transferred
            self._done(self._bytes / max(self._found["ContentLength"], 1))

    def on_done(self, future: "TransferFuture", **_: Any) -> None:  # noqa: ANN401, ARG002 - the base's signature
        self._over.set()


def download(
    s3: "S3Client",
    errand: "Errand",
    found: "HeadObjectOutputTypeDef",
    path: Path,
    *,
    keep_on: "Callable[[], None]",
    done: "Done",
) -> None:
    """Write the object, as it was `found`, to `path`: whole, or not at all.

    What `keep_on` raises ends the transfer and comes out, once the requests on their way have ended.
    """
    config = TransferConfig(
        multipart_threshold=1,  # ranges alone are asked for by the ETag
        multipart_chunksize=RANGE,
        max_request_concurrency=PARALLEL,
    )
    bucket, key = errand.place
    over = threading.Event()
    try:
        with TransferManager(s3, config) as manager:
            future = manager.download(bucket, key, str(path), subscribers=[_Watched(found, over, done)])
            while not over.wait(_POLL):
                keep_on()
            future.result()
    except (ClientError, BotoCoreError) as error:
        raise errand.refusal(error, "s3:GetObject") from error
    except (S3DownloadFailedError, S3ValidationError) as error:
        reason = "it changed while it was fetched: submit it again when it is complete"
        raise errand.failure(reason) from error
    except RetriesExceededError as error:
        reason = f"the connection to S3 breaks off again and again: {shown(str(error.last_exception))}"
        raise errand.interruption(reason) from error
