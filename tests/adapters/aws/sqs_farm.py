"""The queues of a farm on a server that speaks as SQS does, and the wire to it, which can be made to fail."""

import json
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from nommerctl.adapters.aws.clients import Clients
from nommerctl.adapters.aws.names import dead_letters, new_jobs_queue
from nommerctl.adapters.aws.queue_urls import QueueUrls
from nommerctl.adapters.aws.resources import MAX_RECEIVES, create_queues
from nommerctl.adapters.aws.sqs import SqsQueue
from tests.aws_servers import CREDENTIALS

Fault: TypeAlias = Callable[[AWSPreparedRequest], AWSResponse | None]
"""What happens to a request instead of being sent; None lets it through."""


Answer: TypeAlias = Callable[[AWSPreparedRequest], AWSResponse]


class Wire:
    """Counts the requests of a client, each try of them, by operation, and does to them what a test asks for."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - botocore makes their classes
        self.requests: Counter[str] = Counter()
        self.asked: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._next: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._lock = threading.Lock()
        client.meta.events.register("before-parameter-build.sqs.ReceiveMessage", self._wait_for_nothing)
        client.meta.events.register("before-send.sqs", self._before_send)
        self.waits: list[int] = []

    def meets(self, operation: str, *faults: Fault) -> None:
        """Let the next requests of an operation meet these, one after the other."""
        self._next[operation].extend(faults)

    def always_meets(self, operation: str, fault: Fault) -> None:
        self._always[operation] = fault

    def _wait_for_nothing(self, params: dict[str, Any], **_: object) -> None:
        """Have no test wait for messages that do not come: the server knows at once that there are none."""
        self.waits.append(params["WaitTimeSeconds"])
        params["WaitTimeSeconds"] = 0

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        with self._lock:
            self.requests[operation] += 1
            self.asked[operation].append(_document(request))
            following = self._next[operation]
            fault = following.popleft() if following else self._always.get(operation)
        return fault(request) if fault else None


def answered(status: int, document: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    """Answer this instead of asking the server."""

    class Raw(BytesIO):
        def stream(self) -> Iterator[bytes]:
            yield self.read()

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        said = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0"} | (headers or {}))
        return AWSResponse(request.url, status, said, Raw(json.dumps(document).encode()))

    return fault


def refusal(code: str, message: str = "", *, status: int = 400) -> Fault:
    """Answer as SQS does when it refuses a request."""
    return answered(status, {"__type": f"com.amazonaws.sqs#{code}", "message": message})


MISSING = answered(
    400,
    {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "The specified queue does not exist."},
    {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
)


def entries_failed(*codes: str | None, sender_fault: bool = False, message: str = "") -> Fault:
    """Answer for a batch, without asking the server, which of its entries failed, by which codes."""
    failed = [
        {"Id": str(place), "Code": code, "SenderFault": sender_fault, "Message": message}
        for place, code in enumerate(codes)
        if code
    ]
    return answered(200, {"Successful": [], "Failed": failed})


def reset(request: AWSPreparedRequest) -> AWSResponse:
    """Lose the connection before the request gets there."""
    raise ConnectionClosedError(endpoint_url=request.url)


def timed_out(request: AWSPreparedRequest) -> AWSResponse:
    """Wait for a reply that does not come, to a request that never got there."""
    raise ReadTimeoutError(endpoint_url=request.url)


def reply_lost(request: AWSPreparedRequest) -> AWSResponse:
    """Have the request done, and lose the reply."""
    URLLib3Session().send(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def done_but_for(*places: int) -> Fault:
    """Have a batch done but for the entries at these places, at which SQS fails by its own fault."""

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        document = _document(request)
        entries = document["Entries"]
        document["Entries"] = [entry for place, entry in enumerate(entries) if place not in places]
        body = json.dumps(document).encode()
        headers = HeadersDict({**dict(request.headers.items()), "Content-Length": str(len(body))})
        rest = AWSPreparedRequest(request.method, request.url, headers, body, stream_output=False)  # type: ignore[arg-type]
        sent = URLLib3Session().send(rest)
        done = json.loads(sent.content)
        failed = [{"Id": entries[place]["Id"], "Code": "InternalError", "SenderFault": False} for place in places]
        return answered(200, done | {"Failed": done.get("Failed", []) + failed})(request)

    return fault


def _document(request: AWSPreparedRequest) -> dict[str, Any]:
    assert isinstance(request.body, str | bytes)
    document: dict[str, Any] = json.loads(request.body)
    return document


class SqsFarm:
    """Queues for one test alone. Its URLs are known already: requests that are counted are those of the test."""

    def __init__(self, folder: Path, max_receives: int) -> None:
        self.clients = Clients()
        farm = uuid4().hex[:12]
        create_queues(self.clients.sqs, farm, max_receives=max_receives)
        self.name = new_jobs_queue(farm)
        self.dead_name = dead_letters(self.name)
        self.urls_file = folder / "queues.json"
        self.urls = QueueUrls(self.clients, self.urls_file)
        self.url, self.dead_url = self.urls.of(self.name), self.urls.of(self.dead_name)
        self.pauses: list[float] = []
        self.queue = SqsQueue(self.clients, self.name, self.urls, self.pauses.append)
        self.wire = Wire(self.clients.sqs)

    def put_dead(self, bodies: Sequence[str]) -> None:
        """Send messages to where dead letters are, as SQS moves them there."""
        for body in bodies:
            self.clients.sqs.send_message(QueueUrl=self.dead_url, MessageBody=body)


@contextmanager
def sqs_farm(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, max_receives: int = MAX_RECEIVES
) -> Iterator[SqsFarm]:
    """Make queues on a server; nobody waits for botocore's pauses between its tries."""
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": url}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    farm = SqsFarm(folder, max_receives)
    try:
        yield farm
    finally:
        farm.clients.close()
