"""The URLs of queues, asked for once and remembered in a file: every start would pay a request for each otherwise."""

import contextlib
import os
import tempfile
import threading
from pathlib import Path

import msgspec

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.errors import calling


class QueueUrls:
    """The URL of each queue by its name, for any number of threads.

    `path` names the file, JSON of URLs by region, endpoint and queue. One that is damaged or cannot be read is as good
    as none; where it cannot be written, SQS is asked at each start. Without `remember` nothing is written.
    """

    def __init__(self, clients: Clients, path: Path, *, remember: bool = True) -> None:
        self._clients = clients
        self._path = path
        self._remember = remember
        self._remembered: dict[str, str] | None = None
        self._asked: dict[str, str] = {}
        self._one_at_a_time = threading.Lock()

    def of(self, name: str) -> str:
        """Return the URL of a queue; SettingsError if there is no such queue."""
        key = self._key(name)
        with self._one_at_a_time:
            if self._remembered is None:
                self._remembered = self._read()
            return self._asked.get(key) or self._remembered.get(key) or self._ask(key, name)

    def instead_of(self, url: str, name: str) -> str | None:
        """Return another URL of a queue than one that did not serve; None if there is no other.

        SQS is asked, unless it was since the start; SettingsError if there is no such queue.
        """
        key = self._key(name)
        with self._one_at_a_time:
            found = self._asked.get(key) or self._ask(key, name)
        return None if found == url else found

    def _key(self, name: str) -> str:
        meta = self._clients.sqs.meta
        return f"{meta.region_name} {meta.endpoint_url} {name}"

    def _ask(self, key: str, name: str) -> str:
        with calling("sqs:GetQueueUrl", f"queue '{name}'"):
            url = self._clients.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self._asked[key] = url
        if self._remember:
            with contextlib.suppress(OSError):
                self._write()
        return url

    def _read(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def _write(self) -> None:
        """Replace the file in one step; what others have added to it since stays."""
        text = msgspec.json.encode(self._read() | self._asked)
        descriptor, temporary = tempfile.mkstemp(prefix=f"{self._path.name}.", dir=self._path.parent)  # for us alone
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            Path(temporary).replace(self._path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
