"""Tables of DynamoDB for tests, on servers of tests/aws_servers.py, and a wire to them that can be made to fail."""

import io
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

from nommerctl.adapters.aws.clients import ATTEMPTS, Clients
from nommerctl.adapters.aws.names import jobs_table, ledger_table
from nommerctl.adapters.aws.resources import create_tables
from tests import aws_servers

Body: TypeAlias = dict[str, Any]

THROTTLED = "ProvisionedThroughputExceededException"

Fault: TypeAlias = Callable[[AWSPreparedRequest], AWSResponse]
"""What becomes of a request instead of being sent: it returns a response, or raises."""


@contextmanager
def clients_of(url: str) -> Iterator[Clients]:
    """Clients that speak to a server, whatever the environment is later; making them takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (aws_servers.CREDENTIALS | {"AWS_ENDPOINT_URL": url}).items():
            patch.setenv(name, value)
        clients = Clients()
        assert clients.dynamodb.meta.endpoint_url == url  # made now
    yield clients
    clients.close()


@contextmanager
def farm_in(clients: Clients) -> Iterator[str]:
    """The name of a farm that has empty tables; a table is made in some ten milliseconds, sooner than it is emptied."""
    farm = f"test-{secrets.token_hex(8)}"
    create_tables(clients.dynamodb, farm)
    yield farm
    for table in (jobs_table(farm), ledger_table(farm)):
        clients.dynamodb.delete_table(TableName=table)


class Wire:
    """The wire to DynamoDB: `sent` has the operations that were sent over it, repeated ones too, in order.

    What botocore repeats, it repeats without its pauses.
    """

    def __init__(self, clients: Clients) -> None:
        self.sent: list[str] = []
        self.bodies: list[Body] = []
        self._faults: list[tuple[str, Fault]] = []
        self._session = URLLib3Session()
        events: Any = clients.dynamodb.meta.events  # the stubs say that handlers return nothing
        self._events = events
        self._events.register("before-send.dynamodb", self._before_send)
        self._events.register_first("needs-retry.dynamodb", _repeated_at_once)

    def close(self) -> None:
        self._events.unregister("before-send.dynamodb", self._before_send)
        self._events.unregister("needs-retry.dynamodb", _repeated_at_once)
        self._session.close()

    def on(self, operation: str, *faults: Fault) -> None:
        """Let the next requests of an operation have these faults, one after the other."""
        self._faults += [(operation, fault) for fault in faults]

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request as it is."""
        return self._session.send(request)

    def lost(self, request: AWSPreparedRequest) -> AWSResponse:
        """The request is heeded, its answer gets lost."""
        self.send(request)
        raise ReadTimeoutError(endpoint_url=request.url)

    def changed(self, change: Callable[[Body], Body]) -> Fault:
        """The answer is a little different."""

        def fault(request: AWSPreparedRequest) -> AWSResponse:
            return answer(request, 200, change(json.loads(self.send(request).content)))

        return fault

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        self.sent.append(operation)
        self.bodies.append(body_of(request))
        for place, (awaited, fault) in enumerate(self._faults):
            if awaited == operation:
                del self._faults[place]
                return fault(request)
        return None


@contextmanager
def wire_to(clients: Clients) -> Iterator[Wire]:
    wire = Wire(clients)
    yield wire
    wire.close()


def _repeated_at_once(attempts: int, response: object, caught_exception: Exception | None, **_: object) -> float | None:
    failed = isinstance(caught_exception, NoConnectionError | ReadTimeoutError)
    if isinstance(response, tuple):
        http, parsed = response
        failed = http.status_code >= 500 or parsed.get("Error", {}).get("Code") == THROTTLED
    return 0 if failed and attempts < ATTEMPTS else None


def body_of(request: AWSPreparedRequest) -> Body:
    """What a request says."""
    assert isinstance(request.body, bytes)
    body: Body = json.loads(request.body)
    return body


def answer(request: AWSPreparedRequest, status: int, body: Body) -> AWSResponse:
    raw = HTTPResponse(io.BytesIO(json.dumps(body).encode()), preload_content=False)
    return AWSResponse(request.url, status, HTTPHeaders(), raw)


def error(code: str, message: str = "no", *, status: int = 400, **more: object) -> Fault:
    """The request is refused."""
    return lambda request: answer(
        request, status, {"__type": f"com.amazonaws.dynamodb#{code}", "message": message, **more}
    )


def cancelled(*reasons: str) -> Fault:
    """A transaction is cancelled, each write for a reason of its own, `None` for none."""
    return error("TransactionCanceledException", CancellationReasons=[{"Code": reason} for reason in reasons])


def reset(_: AWSPreparedRequest) -> AWSResponse:
    """The connection breaks before anything was done."""
    raise NoConnectionError(error=ConnectionResetError())
