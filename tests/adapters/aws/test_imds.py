"""The metadata service of EC2, asked over the wire: what is believed of its answers, and what is made of the others."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from nommerctl.adapters.aws import imds
from nommerctl.adapters.aws.imds import InstanceMetadata, NodeIdentity
from nommerctl.errors import UnreachableError
from tests import metadata
from tests.conftest import CLOSED_PORT
from tests.fakes.clock import START
from tests.metadata import ACTION, DOCUMENT, GIVES_TOKENS, INSTANCE, Metadata

IDENTITY_DOCUMENT = "/latest/dynamic/instance-identity/document"
LIFE_CYCLE = "/latest/meta-data/instance-life-cycle"
PUBLIC_IPV4 = "/latest/meta-data/public-ipv4"


@pytest.fixture
def service() -> Iterator[Metadata]:
    with metadata.serving() as running:
        yield running


@pytest.fixture
def instance(service: Metadata) -> InstanceMetadata:
    return InstanceMetadata(service.url)


# --- identity


def test_a_machine_learns_which_instance_it_is(instance: InstanceMetadata, service: Metadata) -> None:
    assert instance.identity() == NodeIdentity(
        instance=INSTANCE,
        instance_type="c7i.large",
        zone="eu-central-1b",
        region="eu-central-1",
        market="spot",
        public_ipv4=False,
        launched=START,
    )
    assert service.asked == [
        f"PUT {GIVES_TOKENS}",
        *(f"GET {path}" for path in (IDENTITY_DOCUMENT, LIFE_CYCLE, PUBLIC_IPV4)),
    ]


@pytest.mark.parametrize("said", [{}, {"pendingTime": ""}, {"pendingTime": "2026-13-01T09:00:00Z"}])
def test_it_knows_who_it_is_though_not_since_when(
    instance: InstanceMetadata, service: Metadata, said: dict[str, str]
) -> None:
    document = {key: value for key, value in DOCUMENT.items() if key != "pendingTime"} | said
    service.answers[IDENTITY_DOCUMENT] = (200, json.dumps(document).encode())
    identity = instance.identity()
    assert identity is not None
    assert (identity.instance, identity.launched) == (INSTANCE, None)


@pytest.mark.parametrize(
    ("life_cycle", "market"), [(b"on-demand", "on-demand"), (b"spot\n", "spot"), (b"capacity-block", ""), (b"", "")]
)
def test_it_learns_how_it_was_bought(
    instance: InstanceMetadata, service: Metadata, life_cycle: bytes, market: str
) -> None:
    service.answers[LIFE_CYCLE] = (200, life_cycle)
    identity = instance.identity()
    assert identity is not None
    assert identity.market == market


def test_it_learns_that_it_has_a_public_address(instance: InstanceMetadata, service: Metadata) -> None:
    service.answers[PUBLIC_IPV4] = (200, b"198.51.100.7")
    identity = instance.identity()
    assert identity is not None
    assert identity.public_ipv4


@pytest.mark.parametrize("endpoint", [CLOSED_PORT, "", "no url", "http://[half"])
def test_where_nobody_answers_it_is_no_instance(endpoint: str) -> None:
    assert InstanceMetadata(endpoint).identity() is None


@pytest.mark.parametrize(
    "document",
    [
        b"<html>Log in to this network</html>",
        b"",
        b"\xff\xfe",
        json.dumps(DOCUMENT | {"instanceId": "i-0a1b2c3d/../../etc"}).encode(),
        json.dumps(DOCUMENT | {"instanceId": INSTANCE + "\n"}).encode(),
        json.dumps(DOCUMENT | {"instanceType": "\x1b[2J"}).encode(),
        json.dumps(DOCUMENT | {"availabilityZone": None}).encode(),
        json.dumps(DOCUMENT | {"padding": "x" * imds.LARGEST}).encode(),
    ],
)
def test_nor_where_what_answers_is_not_understood(
    instance: InstanceMetadata, service: Metadata, document: bytes
) -> None:
    service.answers[IDENTITY_DOCUMENT] = (200, document)
    assert instance.identity() is None


@pytest.mark.parametrize("token", [(403, b""), (200, b"two\r\nlines"), (200, b""), (200, b"x" * 2000)])
def test_nor_where_no_token_is_given_out(
    instance: InstanceMetadata, service: Metadata, token: tuple[int, bytes]
) -> None:
    service.answers[GIVES_TOKENS] = token
    assert instance.identity() is None


# --- notices


def test_where_nothing_is_announced_there_is_no_notice(instance: InstanceMetadata, service: Metadata) -> None:
    assert [instance.announced() for _ in range(2)] == [None, None]
    assert service.asked.count(f"PUT {GIVES_TOKENS}") == 1, "one token for all"


def test_the_end_of_a_spot_instance_is_a_notice(instance: InstanceMetadata, service: Metadata) -> None:
    service.interrupt()
    assert instance.announced() == "EC2 takes this spot instance back: terminate at 2026-01-01T09:02:00Z"


def test_so_is_a_recommendation_to_leave_it(instance: InstanceMetadata, service: Metadata) -> None:
    service.recommend()
    assert instance.announced() == "EC2 recommends to leave this spot instance: it may soon take it back"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"terminate",
        b"\xff",
        b'{"action": "terminate"}',
        b'{"action": "explode", "time": "2026-01-01T09:02:00Z"}',
        b'{"action": "stop", "time": "\\u001b[2J"}',
        b'{"action": "stop", "time": "2026-01-01T09:02:00Z", "padding": "' + b"x" * imds.LARGEST + b'"}',
    ],
)
def test_and_whatever_is_announced_in_words_that_are_not_understood(
    instance: InstanceMetadata, service: Metadata, body: bytes
) -> None:
    service.answers[ACTION] = (200, body)
    assert instance.announced() == "EC2 announces something for this spot instance that is not understood"


@pytest.mark.parametrize("status", [500, 503, 403, 302])
def test_a_service_that_fails_announces_nothing(instance: InstanceMetadata, service: Metadata, status: int) -> None:
    service.answers[ACTION] = (status, b"terminate")
    with pytest.raises(UnreachableError, match=f"instance-action with {status}"):
        instance.announced()


def test_a_service_that_never_comes_to_an_end_is_not_waited_for(
    instance: InstanceMetadata, service: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not service.ended.wait(0.02):
            handler.wfile.write(b" ")

    monkeypatch.setattr(imds, "ANSWER_LIMIT", 0.2)
    service.answers[ACTION] = trickle
    with pytest.raises(UnreachableError, match=r"was not finished within 0\.2 s"):
        instance.announced()


def test_a_token_that_is_refused_is_renewed(instance: InstanceMetadata, service: Metadata) -> None:
    instance.announced()
    service.forget_tokens()
    service.interrupt()
    assert instance.announced() is not None
    assert service.asked.count(f"PUT {GIVES_TOKENS}") == 2


def test_a_token_that_has_expired_is_not_tried_again(
    instance: InstanceMetadata, service: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imds, "TOKEN_SECONDS", 0)
    assert [instance.announced() for _ in range(2)] == [None, None]
    assert service.asked.count(f"PUT {GIVES_TOKENS}") == 4, "one for each question"


def test_no_token_helps_where_all_are_refused(instance: InstanceMetadata, service: Metadata) -> None:
    service.answers[GIVES_TOKENS] = (200, b"of-another-service")
    with pytest.raises(UnreachableError, match="instance-action with 401"):
        instance.announced()


def test_no_proxy_is_asked(instance: InstanceMetadata, service: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, CLOSED_PORT)
    service.recommend()
    assert instance.announced() is not None
