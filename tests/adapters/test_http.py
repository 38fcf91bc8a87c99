"""One HTTP request: what is told of a server that cannot be talked to, and that everything has an end."""

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from time import monotonic

import pytest

from nommerctl.adapters.http import ConnectionBrokenError, Line, attended, translated
from nommerctl.errors import NommerctlError, TransferError
from tests.web import Answer, Exchange, reply, serving, stall, trickle


def go_on() -> None:
    """Nothing stops the request."""


def get(url: str, limit: float = 20.0) -> bytes:
    def work(line: Line) -> bytes:
        answer = line.ask("GET", url, {})
        with translated(url):
            return answer.read()

    return attended(url, work, limit=limit, keep_on=go_on)


def failed(url: str, kind: type[NommerctlError] = ConnectionBrokenError, limit: float = 20.0) -> str:
    with pytest.raises(kind) as failure:
        get(url, limit)
    return str(failure.value)


def test_an_answer_is_returned_and_nothing_is_left_running() -> None:
    with serving({"/a": reply(200, b"film")}) as web:
        assert get(web.url("/a")) == b"film"
    assert web.asked[0].headers["User-Agent"].startswith("nommerctl/")
    assert not any(thread.name == "http" for thread in threading.enumerate())


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a?token=hunter2"
        assert failed(url) == f"'{url.replace('hunter2', '***')}' failed: connection refused"


def test_a_host_that_is_not_known_is_told() -> None:
    assert failed("http://nowhere.invalid/a") == "'http://nowhere.invalid/a' failed: its host is not known"


def test_what_is_not_http_at_all_is_told() -> None:
    with serving({"/a": lambda exchange: exchange.send(b"SSH-2.0-x\r\n\x1b[2J\r\n")}) as web:
        assert failed(web.url("/a")) == f"'{web.url('/a')}' failed: the connection broke off"


def test_a_url_with_credentials_is_not_asked_for() -> None:
    sentence = failed("http://ann:hunter2@127.0.0.1/a", TransferError)
    assert sentence == "a URL with a user name or password in it is refused"


@pytest.mark.parametrize("answer", [stall, trickle])
def test_a_request_ends_at_its_limit_whatever_the_server_does(answer: Answer) -> None:
    begun = monotonic()
    with serving({"/a": answer}) as web:
        assert failed(web.url("/a"), TransferError, 0.3) == f"'{web.url('/a')}' was not finished within 0.3 s"
    assert monotonic() - begun < 2
    assert not any(thread.name == "http" for thread in threading.enumerate())


@pytest.mark.slow
def test_a_server_that_falls_silent_is_given_up() -> None:
    def half(exchange: Exchange) -> None:
        exchange.begin(200, content_length=8)
        exchange.send(b"film")
        exchange.pause(60)

    with serving({"/a": half}) as web:
        assert failed(web.url("/a"), limit=60) == f"'{web.url('/a')}' failed: it sent nothing for too long"


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving({"/a": reply(200, b"film")}) as web:
        assert get(web.url("/a")) == b"film"


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    path = tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, "-out", str(path), "-keyout", "-"]
    key = subprocess.run(command, check=True, capture_output=True).stdout
    path.write_bytes(path.read_bytes() + key)
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def test_a_server_that_does_not_speak_tls_is_told() -> None:
    with serving({}) as web:
        url = web.url("/a").replace("http:", "https:")
        assert failed(url) == f"'{url}' failed: it does not speak TLS as it should"


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(certificate: Path) -> None:
    with serving({"/a": reply(200, b"film")}, server_side(certificate)) as web:
        sentence = failed(web.url("/a"))
        assert web.asked == []
    assert sentence.startswith(f"'{web.url('/a')}' failed: its certificate is not accepted: self")


def test_https_is_spoken_to_a_server_that_somebody_vouches_for(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving({"/a": reply(200, b"film"), "/slow": stall}, server_side(certificate)) as web:
        assert get(web.url("/a")) == b"film"
        assert failed(web.url("/slow"), TransferError, 0.3) == f"'{web.url('/slow')}' was not finished within 0.3 s"
    assert not any(thread.name == "http" for thread in threading.enumerate())
