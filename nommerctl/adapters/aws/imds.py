"""The metadata service of EC2, which tells a machine who it is, and when it is to be taken back.

Version 2 only: whoever asks shows a token that the service gave it before. No answer is trusted: it is small, in time,
and of a known form, or it says nothing.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from time import monotonic
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from nommerctl.adapters.http import Line, attended, translated
from nommerctl.domain.times import Instant
from nommerctl.errors import TransferError, UnreachableError

ENDPOINT = "http://169.254.169.254"
"""The same address for every instance (EC2 User Guide, "Access instance metadata for an EC2 instance")."""

ANSWER_LIMIT = 1.0
"""Seconds that one answer may take, all of it: the service is no further away than the machine's own host."""

TOKEN_SECONDS = 6 * 3600
"""How long a token lasts: the most that the service allows."""

LARGEST = 16 * 1024
"""Bytes of an answer; those that are asked for have a few hundred."""

_ABSENT = 404
_FOUND = 200
_REFUSED = 401
_TOKEN = re.compile(rb"[!-~]{1,1024}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_ACTIONS = frozenset({"terminate", "stop", "hibernate"})
_MARKETS = {b"spot": "spot", b"on-demand": "on-demand"}


class NodeIdentity(Struct, frozen=True, kw_only=True):
    """Which instance this machine is. `market` is "spot", "on-demand", or empty for one bought in another way.

    `launched` is when it was launched, None if the service does not say.
    """

    instance: str
    instance_type: str
    zone: str
    region: str
    market: str
    public_ipv4: bool
    launched: Instant | None = None


class _Document(Struct, frozen=True, rename="camel"):
    """What is read of the instance identity document."""

    instance_id: Annotated[str, Meta(pattern=r"^i-[0-9a-f]{8,17}\Z")]
    instance_type: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}\.[a-z0-9-]{1,40}\Z")]
    availability_zone: Annotated[str, Meta(pattern=r"^[a-z]{2}[a-z0-9-]{1,40}\Z")]
    region: Annotated[str, Meta(pattern=r"^[a-z]{2}[a-z0-9-]{1,40}\Z")]
    pending_time: str = ""


class _Action(Struct, frozen=True):
    """What is to happen to a spot instance, and when."""

    action: str
    time: str


class InstanceMetadata:
    """The service, for one thread at a time. Its `announced` is that of ports.Notices."""

    def __init__(self, endpoint: str = ENDPOINT) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = ""
        self._token_ends = 0.0

    def identity(self) -> NodeIdentity | None:
        """Return which instance this is; None where nobody answers as the service does, as on a laptop."""
        try:
            document = msgspec.json.decode(self._get("dynamic/instance-identity/document") or b"", type=_Document)
            life_cycle = self._get("meta-data/instance-life-cycle") or b""
            public = self._get("meta-data/public-ipv4")
        except (UnreachableError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return NodeIdentity(
            instance=document.instance_id,
            instance_type=document.instance_type,
            zone=document.availability_zone,
            region=document.region,
            market=_MARKETS.get(life_cycle.strip(), ""),
            public_ipv4=bool(public),
            launched=_instant(document.pending_time),
        )

    def announced(self) -> str | None:
        """Return why the machine has to be left, as a sentence; None if nothing is announced.

        Raises:
            UnreachableError: the service does not answer, or fails.
        """
        action = self._get("meta-data/spot/instance-action")
        if action is not None:
            return _interruption(action)
        if self._get("meta-data/events/recommendations/rebalance") is not None:
            return "EC2 recommends to leave this spot instance: it may soon take it back"
        return None

    def _get(self, path: str) -> bytes | None:
        """Return an answer, None if there is no such thing to tell."""
        status, body = self._asked_with_token(path)
        if status == _REFUSED:  # the token is of before the machine was stopped, or the clock of either is wrong
            self._token = ""
            status, body = self._asked_with_token(path)
        if status == _ABSENT:
            return None
        if status != _FOUND:
            msg = f"the metadata service of EC2 answers {path} with {status}"
            raise UnreachableError(msg)
        return body

    def _asked_with_token(self, path: str) -> tuple[int, bytes]:
        if not self._token or monotonic() >= self._token_ends:
            self._renew_token()
        return self._asked("GET", path, {"X-aws-ec2-metadata-token": self._token})

    def _renew_token(self) -> None:
        asked = monotonic()
        seconds = str(TOKEN_SECONDS)
        status, body = self._asked("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": seconds})
        if status != _FOUND or not _TOKEN.fullmatch(body):
            msg = "the metadata service of EC2 gives out no token"
            raise UnreachableError(msg)
        self._token = body.decode()
        self._token_ends = asked + TOKEN_SECONDS

    def _asked(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Ask, by no proxy; return the status and as much of the body as is read."""
        url = f"{self._endpoint}/latest/{path}"

        def ask(line: Line) -> tuple[int, bytes]:
            with translated(url):
                answer = line.ask(method, url, headers)
                return answer.status, answer.read(LARGEST)

        try:
            return attended(url, ask, limit=ANSWER_LIMIT, keep_on=lambda: None)
        except TransferError as error:
            msg = f"the metadata service of EC2 does not answer: {error}"
            raise UnreachableError(msg) from error


def _instant(text: str) -> Instant | None:
    """Return the instant in a text such as `2026-01-01T09:00:00Z`, None if there is none."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1_000_000)
    except ValueError:
        return None


def _interruption(body: bytes) -> str:
    """What is announced; a text that is not understood is an announcement all the same: better to leave in vain."""
    try:
        notice = msgspec.json.decode(body, type=_Action)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        notice = _Action("", "")
    if notice.action not in _ACTIONS or not _TIME.fullmatch(notice.time):
        return "EC2 announces something for this spot instance that is not understood"
    return f"EC2 takes this spot instance back: {notice.action} at {notice.time}"
