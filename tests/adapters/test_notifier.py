"""Telling real listeners: what they get, which of their answers count, and whom nobody tells anything."""

import socket
from time import monotonic

import pytest

from nommerctl.adapters import http
from nommerctl.adapters.notifier import FormNotifier, Post
from nommerctl.domain.delivery import StateChange
from nommerctl.domain.states import JobState
from nommerctl.errors import GoneError, HostAwayError, TransferError, UnansweredError
from tests.fakes.clock import START
from tests.web import Answer, Exchange, reply, serving, stall, trickle

HERE = ("127.0.0.0/8", "::1")


def change(details: str | None = "it's 100% & füße") -> StateChange:
    return StateChange(
        id="0" * 50, seq=1, state=JobState.ERROR, at=START, now=START, source="/a.mov", dest="/a.mp4", details=details
    )


def tell(
    url: str, *, timeout: float = 5.0, allow_private: tuple[str, ...] = HERE, told: StateChange | None = None
) -> None:
    FormNotifier(Post(timeout, allow_private=allow_private)).tell(url, told or change())


def refused(url: str, timeout: float = 5.0, kind: type[TransferError] = TransferError) -> str:
    with pytest.raises(kind) as failed:
        tell(url, timeout=timeout)
    return str(failed.value)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_listener_gets_the_three_fields_as_a_form(status: int) -> None:
    with serving({"/hook": reply(status)}) as web:
        tell(web.url("/hook?token=abc"))
    (asked,) = web.asked
    assert (asked.method, asked.path) == ("POST", "/hook?token=abc")
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.body == (
        b"unique_id=00000000000000000000000000000000000000000000000000&job_state=ERROR"
        b"&job_state_details=it%27s+100%25+%26+f%C3%BC%C3%9Fe"
    )


def test_details_that_there_are_none_of_are_an_empty_field() -> None:
    with serving({"/hook": reply(200)}) as web:
        tell(web.url("/hook"), told=change(None))
    assert web.asked[0].body.endswith(b"&job_state=ERROR&job_state_details=")


@pytest.mark.parametrize("status", [302, 307, 400, 404, 410, 500, 503])
def test_any_answer_but_2xx_is_a_failure(status: int) -> None:
    with serving({"/hook": reply(status, location="/other"), "/other": reply(200)}) as web:
        assert refused(web.url("/hook?token=hunter2")) == f"'{web.url('/hook?token=***')}' answered {status}"
    assert [asked.path for asked in web.asked] == ["/hook?token=hunter2"]


def test_410_says_that_nobody_listens_any_more() -> None:
    with serving({"/hook": reply(410)}) as web:
        assert refused(web.url("/hook"), kind=GoneError) == f"'{web.url('/hook')}' answered 410"


def test_a_listener_may_think_for_as_long_as_the_limit_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SILENCE_LIMIT", 0.05)  # of servers that are read from

    def thinks(exchange: Exchange) -> None:
        exchange.pause(0.3)
        reply(200)(exchange)

    with serving({"/hook": thinks}) as web:
        tell(web.url("/hook"))
    assert len(web.asked) == 1


@pytest.mark.parametrize("answer", [stall, trickle])
def test_a_listener_that_does_not_answer_in_time_is_a_failure(answer: Answer) -> None:
    begun = monotonic()
    with serving({"/hook": answer}) as web, pytest.raises(UnansweredError) as failed:
        tell(web.url("/hook"), timeout=0.3)
    assert str(failed.value) == f"'{web.url('/hook')}' was not finished within 0.3 s"
    assert not isinstance(failed.value, HostAwayError)
    assert monotonic() - begun < 2


def test_a_host_that_cannot_be_connected_to_is_away() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/hook"
        assert refused(url, kind=HostAwayError) == f"'{url}' failed: connection refused"
    assert "its host is not known" in refused("http://nowhere.invalid/hook", kind=HostAwayError)


def test_the_body_of_an_answer_is_not_waited_for() -> None:
    def endless(exchange: Exchange) -> None:
        exchange.begin(200)
        while exchange.pause(0.01):
            exchange.send(b"x")

    begun = monotonic()
    with serving({"/hook": endless}) as web:
        tell(web.url("/hook"), timeout=10.0)
    assert monotonic() - begun < 2


def test_a_url_that_should_not_have_been_stored_is_not_asked() -> None:
    assert refused("http://ann:hunter2@127.0.0.1/hook") == "a URL with a user name or password in it is refused"
    assert refused("file:///etc/passwd") == "'file:///etc/passwd' is not an http: or https: URL"


def test_details_that_are_not_utf_8_are_told_all_the_same() -> None:
    with serving({"/hook": reply(200)}) as web:
        tell(web.url("/hook"), told=change("caf\udce9"))
    assert web.asked[0].body.endswith(b"job_state_details=caf%3F")


# --- whom nobody tells anything --------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"])
def test_a_listener_that_is_not_on_the_internet_is_not_even_connected_to(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://{host}:{server.getsockname()[1]}/hook"
        with pytest.raises(HostAwayError) as failed:
            tell(url, allow_private=("10.0.0.0/8",))
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert str(failed.value) == (
        f"'{url}' leads to this machine: listeners have to be on the internet, or in a network that the setting"
        " notify.allow_private names"
    )


def resolving(patch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let the name `listener.test` stand for these addresses, one list a look; return the names looked up."""
    looked_up: list[str] = []
    known = socket.getaddrinfo

    def looked(host: str, *arguments: object, **named: object) -> object:
        if host != "listener.test":
            return known(host, *arguments, **named)  # type: ignore[arg-type]
        looked_up.append(host)
        found = answers[min(len(looked_up), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, arguments[0])) for address in found]

    patch.setattr(socket, "getaddrinfo", looked)
    return looked_up


def test_a_name_is_looked_up_once_and_asked_for_at_the_address_that_it_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/hook": reply(200)}) as web:
        port = web.origin.rpartition(":")[2]
        looked_up = resolving(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
        tell(f"http://listener.test:{port}/hook", allow_private=("127.0.0.1",))
    assert looked_up == ["listener.test"]
    assert web.asked[0].headers["Host"] == f"listener.test:{port}"


def test_one_address_of_a_name_that_may_not_be_asked_is_enough_to_ask_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/hook": reply(200)}) as web:
        resolving(monkeypatch, ["127.0.0.1", "169.254.169.254"])
        with pytest.raises(HostAwayError, match="leads to a link of this machine"):
            tell(f"http://listener.test:{web.origin.rpartition(':')[2]}/hook")
    assert web.asked == []


def test_the_next_address_of_a_name_is_tried_if_the_first_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/hook": reply(200)}) as web:
        resolving(monkeypatch, ["127.99.0.1", "127.0.0.1"])
        tell(f"http://listener.test:{web.origin.rpartition(':')[2]}/hook")
    assert len(web.asked) == 1
