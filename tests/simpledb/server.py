"""A SimpleDB server at an address of this machine, which counts, lags and fails as a test says."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

from tests.answering import Answer, answering
from tests.cloud import Cut
from tests.simpledb.answers import refusal, response
from tests.simpledb.domains import UNTIL_SETTLED, Domains, Pair
from tests.simpledb.operations import OPERATIONS
from tests.simpledb.parameters import Parameters
from tests.simpledb.refusals import RefusedError

__all__ = ["UNTIL_SETTLED", "Cut", "Request", "SimpleDB", "simpledb_server"]

LARGEST_REQUEST = 1 << 20


class Request(NamedTuple):
    """What was asked: parameters by their names on the wire."""

    operation: str
    parameters: Mapping[str, str]


_Fault: TypeAlias = Answer | Cut | Callable[[], None]


class SimpleDB:
    """A running server. `calls` counts requests by their operation, those that failed and were repeated too.

    What tests look at and write directly is always what is so now, whatever reads lag behind.
    """

    def __init__(self) -> None:
        self.url = ""
        self.calls: Counter[str] = Counter()
        self._domains = Domains()
        self._faults: dict[str, list[_Fault]] = {}
        self._requests: list[Request] | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()

    @property
    def lag(self) -> int:
        """How many writes a read without ConsistentRead is behind: 0 none, UNTIL_SETTLED all since `settle()`."""
        return self._domains.lag

    @lag.setter
    def lag(self, writes: int) -> None:
        with self._lock:
            self._domains.lag = writes

    def settle(self) -> None:
        """Let every read see all that has been written so far."""
        with self._lock:
            self._domains.settle()

    @property
    def domains(self) -> list[str]:
        """The names of all domains."""
        with self._lock:
            return self._domains.names()

    def items(self, domain: str) -> dict[str, dict[str, set[str]]]:
        """Return all that is in a domain."""
        with self._lock:
            items = self._domains.items(domain, consistent=True)
            return {
                item: {name: set(values) for name, values in attributes.items()} for item, attributes in items.items()
            }

    def put(self, domain: str, name: str, attributes: Mapping[str, str | Sequence[str]]) -> None:
        """Write as another program does: these attributes are replaced, whatever they are now. Makes the domain."""
        pairs = [
            Pair(attribute, value, replace=True)
            for attribute, values in attributes.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        with self._lock:
            self._domains.create(domain)
            self._domains.put(domain, {name: pairs})

    def delete(self, domain: str, name: str, *attributes: str) -> None:
        """Delete as another program does: these attributes, or the item if none are named."""
        with self._lock:
            self._domains.delete(domain, {name: [Pair(attribute, None) for attribute in attributes]})

    def fail(self, operation: str, code: str = "ServiceUnavailable", status: int = 503, times: int = 1) -> None:
        """Refuse the next calls of an operation, with no effect."""
        self._add(operation, _answer(status, refusal(code, "refused by the test")), times)

    def cut(self, operation: str, cut: Cut, times: int = 1) -> None:
        """Break the connection of the next calls of an operation, before they have had an effect or after."""
        self._add(operation, cut, times)

    def meanwhile(self, operation: str, act: Callable[[], None]) -> None:
        """Let something happen just before the next call of an operation is served: what another program does."""
        self._add(operation, act, 1)

    def heal(self) -> None:
        """Forget faults that nobody has met, the lag, and the calls so far."""
        with self._lock:
            self._faults.clear()
            self._domains.lag = 0
            self._domains.settle()
            self.calls.clear()

    def clear(self) -> None:
        """Be as if just started."""
        self.heal()
        with self._lock:
            self._domains = Domains()

    @contextmanager
    def recording(self) -> Iterator[list[Request]]:
        """Keep the requests that are made in this context."""
        requests: list[Request] = []
        with self._lock:
            self._requests = requests
        try:
            yield requests
        finally:
            with self._lock:
                self._requests = None

    def close(self) -> None:
        """Let go of those that wait."""
        self._closing.set()

    def answer(self, method: str, path: str, _: Mapping[str, str], body: bytes) -> Answer | None:
        """Return the answer to a request, None if the connection breaks instead."""
        form = "&".join(part for part in (urlsplit(path).query, body.decode("latin-1")) if part)
        try:
            asked = _parameters(method, form, len(body))
        except RefusedError as error:
            return _answer(error.status, refusal(error.code, error.message))
        operation = asked.get("Action") or ""
        fault = self._met(Request(operation, dict(asked.pairs)))
        if isinstance(fault, Answer):
            return fault
        if fault is Cut.BEFORE:
            return None
        if callable(fault):
            fault()
        answer = self._served(operation, asked)
        if fault is Cut.NEVER:
            self._closing.wait()
        return None if isinstance(fault, Cut) else answer

    def _served(self, operation: str, asked: Parameters) -> Answer:
        try:
            with self._lock:
                asked.check_signed()
                if operation not in OPERATIONS:
                    raise _no_action(operation)
                result = OPERATIONS[operation](self._domains, asked)
        except RefusedError as error:
            return _answer(error.status, refusal(error.code, error.message))
        return _answer(200, response(operation, result))

    def _add(self, operation: str, fault: _Fault, times: int) -> None:
        with self._lock:
            self._faults.setdefault(operation, []).extend([fault] * times)

    def _met(self, request: Request) -> _Fault | None:
        with self._lock:
            self.calls[request.operation] += 1
            if self._requests is not None:
                self._requests.append(request)
            faults = self._faults.get(request.operation)
            return faults.pop(0) if faults else None


@contextmanager
def simpledb_server() -> Iterator[SimpleDB]:
    """Run a server."""
    server = SimpleDB()
    with answering(server.answer) as server.url:
        try:
            yield server
        finally:
            server.close()


def _parameters(method: str, form: str, size: int) -> Parameters:
    if method not in {"GET", "POST"}:
        raise RefusedError(code="UnsupportedHttpVerb", message=f"The requested HTTP verb is not supported: {method}.")
    if size > LARGEST_REQUEST:
        raise RefusedError(
            code="InvalidHttpRequest", message="The HTTP request is invalid. Reason: it is larger than 1 MB."
        )
    return Parameters(form)


def _no_action(operation: str) -> RefusedError:
    if not operation:
        return RefusedError(code="MissingAction", message="No action was supplied with this request.")
    return RefusedError(code="InvalidAction", message=f"The action {operation} is not valid for this web service.")


def _answer(status: int, body: bytes) -> Answer:
    return Answer(status, {"Content-Type": "text/xml"}, body)
