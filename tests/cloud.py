"""AWS as a farm meets it, at one address: MiniStack and moto behind a proxy that counts, and fails where it is told to.

EC2 honours client tokens here, as AWS does and no emulator: an order that is repeated gets the answer of the first. A
receive of SQS does not wait for messages, since these servers show at once all that there are.
"""

import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import Enum, auto
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

from tests.answering import Answer, answering

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request")
_WAIT = re.compile(rb'("WaitTimeSeconds": )\d')

_JSON = "application/x-amz-json-1.0"

_MISMATCH = """<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>IdempotentParameterMismatch</Code>\
<Message>Arguments on this idempotent request are inconsistent with arguments used in previous request(s).</Message>\
</Error></Errors><RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"""


class Call(NamedTuple):
    """What was asked: `sqs`, `SendMessage`. Operations of S3 are `HEAD` and the like, and `GET uploads`."""

    service: str
    operation: str


class Request(NamedTuple):
    """A whole request, as it came."""

    call: Call
    method: str
    path: str
    body: bytes


class Cut(Enum):
    """How an answer fails to come."""

    BEFORE = auto()
    """The connection breaks before anything has come about."""
    AFTER = auto()
    """It breaks after it has come about: the answer is lost."""
    NEVER = auto()
    """It has come about, and nobody says so: the client waits."""


class Half(NamedTuple):
    """The first half of a batch is done, for the rest there is an error: SQS's `code`, DynamoDB's UnprocessedKeys."""

    code: str = "InternalError"


Fault: TypeAlias = Answer | Cut | Half | Mapping[str, Answer]
"""What goes wrong: a mapping has an answer for each service that it has to do with."""


def refusal(service: str, code: str, status: int = 400, message: str = "refused by the test") -> Answer:
    """Return an answer by which a service refuses something, in the service's own form."""
    if service in {"dynamodb", "servicequotas", "sqs", "ssm"}:
        body = f'{{"__type": "com.amazonaws.{service}#{code}", "message": "{message}"}}'
        return _answer(status, _JSON, body)
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    body = error if service == "s3" else f"<Response><Errors>{error}</Errors><RequestID>0</RequestID></Response>"
    return _answer(status, "text/xml", body)


def answered(text: str | dict[str, Any]) -> Answer:
    """Return an answer that is XML, or JSON."""
    return _answer(200, "text/xml", text) if isinstance(text, str) else _answer(200, _JSON, json.dumps(text))


def _answer(status: int, content_type: str, body: str) -> Answer:
    return Answer(status, {"Content-Type": content_type, "Date": formatdate(usegmt=True)}, body.encode())


class Reach(Enum):
    """How much goes wrong, from some call on."""

    ONE = auto()
    """That call alone."""
    OPERATION = auto()
    """That call and all further ones of its operation."""
    ALL = auto()
    """That call and all further ones."""
    EVERY_OTHER = auto()
    """That call and every other one after it."""


@dataclass
class Trouble:
    """What goes wrong once `served` calls have been answered, and the calls that `met` it, repeated ones too."""

    fault: Fault
    reach: Reach
    served: int = 0
    met: list[Call] = field(default_factory=list)
    _seen: int = 0

    def meets(self, call: Call) -> bool:
        """Whether a call that comes now meets it."""
        self._seen += 1
        meets = self._seen > self.served and (not self.met or self._meets_too(call))
        if meets:
            self.met.append(call)
        return meets

    def _meets_too(self, call: Call) -> bool:
        match self.reach:
            case Reach.ONE:
                return False
            case Reach.OPERATION:
                return call == self.met[0]
            case Reach.ALL:
                return True
            case Reach.EVERY_OTHER:
                return (self._seen - self.served) % 2 == 1


@dataclass
class Cloud:
    """One address for all services. `servers` has for each service the host and port that stand behind it."""

    servers: Mapping[str, str]
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    _requests: list[Request] | None = None
    _faults: dict[Call, list[Fault]] = field(default_factory=dict)
    _instead: dict[Call, Callable[[bytes], Answer]] = field(default_factory=dict)
    _trouble: Trouble | None = None
    _orders: dict[str, tuple[bytes, Answer]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: threading.Event = field(default_factory=threading.Event)

    def fail(self, service: str, operation: str, *faults: Fault) -> None:
        """Let the next calls of an operation fail, each by one fault; those after it are served again."""
        with self._lock:
            self._faults.setdefault(Call(service, operation), []).extend(faults)

    def stand_in(self, service: str, operation: str, answer: Callable[[bytes], Answer]) -> None:
        """Let all calls of an operation that no emulator has be answered by the body of the request."""
        with self._lock:
            self._instead[Call(service, operation)] = answer

    def heal(self) -> None:
        """Forget the faults that nobody has met, what stands in for emulators, and the calls so far."""
        with self._lock:
            self._faults.clear()
            self._instead.clear()
            self.calls.clear()

    @contextmanager
    def trouble(self, fault: Fault, reach: Reach, *, served: int = 0) -> Iterator[Trouble]:
        """Let calls fail in this context, whichever they are, once so many have been served."""
        trouble = Trouble(fault, reach, served)
        with self._lock:
            self._trouble = trouble
        try:
            yield trouble
        finally:
            with self._lock:
                self._trouble = None

    @contextmanager
    def counting(self) -> Iterator[Counter[Call]]:
        """Count the calls that are made in this context; the counter is filled when it is left."""
        counted: Counter[Call] = Counter()
        with self._lock:
            before = len(self.calls)
        yield counted
        with self._lock:
            counted.update(self.calls[before:])

    @contextmanager
    def recording(self) -> Iterator[list[Request]]:
        """Keep the requests that are made in this context."""
        requests: list[Request] = []
        with self._lock:
            self._requests = requests
        yield requests
        with self._lock:
            self._requests = None

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """Return the answer to a request, None if the connection breaks instead."""
        call = _call(method, path, headers, body)
        fault = self._met(Request(call, method, path, body))
        if isinstance(fault, Answer):
            return fault
        if isinstance(fault, Mapping):
            return fault.get(call.service) or self._served(call, method, path, headers, body)
        if fault is Cut.BEFORE:
            return None
        body = _WAIT.sub(rb"\g<1>0", body)
        if isinstance(fault, Half):
            done, failed = _halved(body, fault.code)
            served = self._served(call, method, path, headers, done) if done else _answer(200, _JSON, "{}")
            return _with(served, failed)
        answer = self._served(call, method, path, headers, body)
        if fault is Cut.NEVER:
            self._closing.wait()
        return answer if fault is None else None

    def close(self) -> None:
        """Let go of those that wait."""
        self._closing.set()

    def _met(self, request: Request) -> Fault | None:
        call = request.call
        with self._lock:
            self.calls.append(call)
            if self._requests is not None:
                self._requests.append(request)
            if faults := self._faults.get(call):
                return faults.pop(0)
            return self._trouble.fault if self._trouble and self._trouble.meets(call) else None

    def _served(self, call: Call, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if call in self._instead:
            return self._instead[call](body)
        token = parse_qs(body.decode(errors="replace")).get("ClientToken", [""])[0] if call.service == "ec2" else ""
        if not token:
            return self._forwarded(call.service, method, path, headers, body)
        with self._lock:
            if token not in self._orders:
                self._orders[token] = body, self._forwarded(call.service, method, path, headers, body)
            asked, answer = self._orders[token]
        return answer if asked == body else _answer(400, "text/xml", _MISMATCH)

    def _forwarded(self, service: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self.servers[service], timeout=60)
        try:
            connection.request(method, path, body, {**headers, "Content-Length": str(len(body))})
            found = connection.getresponse()
            return Answer(found.status, dict(found.getheaders()), found.read())
        finally:
            connection.close()


def _halved(body: bytes, code: str) -> tuple[bytes, dict[str, Any]]:
    """Return a request for the first half of a batch, b"" if that is empty, and what to answer for the other half."""
    asked = json.loads(body)
    if "Entries" in asked:
        entries = asked["Entries"]
        asked["Entries"], rest = entries[: len(entries) // 2], entries[len(entries) // 2 :]
        return json.dumps(asked).encode() if asked["Entries"] else b"", {
            "Failed": [{"Id": entry["Id"], "Code": code, "SenderFault": False} for entry in rest]
        }
    ((table, wanted),) = asked["RequestItems"].items()
    keys = wanted["Keys"]
    rest = {**wanted, "Keys": keys[len(keys) // 2 :]}
    wanted["Keys"] = keys[: len(keys) // 2]
    return json.dumps(asked).encode(), {"UnprocessedKeys": {table: rest}}


def _with(answer: Answer, more: dict[str, Any]) -> Answer:
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "x-amz-crc32"}
    return Answer(answer.status, headers, json.dumps(json.loads(answer.body) | more).encode())


def _call(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    scope = _SCOPE.search(headers.get("Authorization", ""))
    service = scope[1] if scope else "s3"
    target = headers.get("X-Amz-Target", "")
    if target:
        return Call(service, target.rpartition(".")[2])
    if service == "s3":
        query = urlsplit(path).query.partition("&")[0].partition("=")[0]
        return Call(service, f"{method} {query}".strip())
    return Call(service, parse_qs(body.decode(errors="replace")).get("Action", [""])[0])


@contextmanager
def cloud(ministack_url: str, moto_url: str) -> Iterator[Cloud]:
    """Run a cloud on these servers."""
    ministack, moto = urlsplit(ministack_url).netloc, urlsplit(moto_url).netloc
    of_moto = dict.fromkeys(("ec2", "s3", "pricing", "iam", "ssm", "sts", "servicequotas", "cloudformation"), moto)
    made = Cloud(servers={"dynamodb": ministack, "sqs": ministack, **of_moto})
    with answering(made.answer) as made.url:
        try:
            yield made
        finally:
            made.close()
