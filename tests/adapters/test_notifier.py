"""Telling real listeners: what they get, and which of their answers count."""

from time import monotonic

import pytest

from nommerctl.adapters.notifier import FormNotifier
from nommerctl.errors import TransferError
from tests.web import Answer, Exchange, reply, serving, stall, trickle

FIELDS = {"unique_id": "0" * 50, "job_state": "ERROR", "job_state_details": "it's 100% & füße"}


def refused(url: str, timeout: float = 5.0) -> str:
    with pytest.raises(TransferError) as failed:
        FormNotifier(timeout).tell(url, FIELDS)
    return str(failed.value)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_listener_gets_the_three_fields_as_a_form(status: int) -> None:
    with serving({"/hook": reply(status)}) as web:
        FormNotifier(5.0).tell(web.url("/hook?token=abc"), FIELDS)
    (asked,) = web.asked
    assert (asked.method, asked.path) == ("POST", "/hook?token=abc")
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.body == (
        b"unique_id=00000000000000000000000000000000000000000000000000&job_state=ERROR"
        b"&job_state_details=it%27s+100%25+%26+f%C3%BC%C3%9Fe"
    )


@pytest.mark.parametrize("status", [302, 307, 400, 404, 410, 500, 503])
def test_any_answer_but_2xx_is_a_failure(status: int) -> None:
    with serving({"/hook": reply(status, location="/other"), "/other": reply(200)}) as web:
        assert refused(web.url("/hook?token=hunter2")) == f"'{web.url('/hook?token=***')}' answered {status}"
    assert [asked.path for asked in web.asked] == ["/hook?token=hunter2"]


@pytest.mark.parametrize("answer", [stall, trickle])
def test_a_listener_that_does_not_answer_in_time_is_a_failure(answer: Answer) -> None:
    begun = monotonic()
    with serving({"/hook": answer}) as web:
        assert refused(web.url("/hook"), timeout=0.3) == f"'{web.url('/hook')}' was not finished within 0.3 s"
    assert monotonic() - begun < 2


def test_the_body_of_an_answer_is_not_waited_for() -> None:
    def endless(exchange: Exchange) -> None:
        exchange.begin(200)
        while exchange.pause(0.01):
            exchange.send(b"x")

    begun = monotonic()
    with serving({"/hook": endless}) as web:
        FormNotifier(10.0).tell(web.url("/hook"), FIELDS)
    assert monotonic() - begun < 2


def test_a_url_that_should_not_have_been_stored_is_not_asked() -> None:
    assert refused("http://ann:hunter2@127.0.0.1/hook") == "a URL with a user name or password in it is refused"
    assert refused("file:///etc/passwd") == "'file:///etc/passwd' is not an http: or https: URL"


def test_details_that_are_not_utf_8_are_told_all_the_same() -> None:
    with serving({"/hook": reply(200)}) as web:
        FormNotifier(5.0).tell(web.url("/hook"), {"job_state_details": "caf\udce9"})
    assert web.asked[0].body == b"job_state_details=caf%3F"
