"""Notifications to real listeners, by the real passes and commands."""

import base64
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from standardwebhooks import Webhook

from nommerctl.adapters.notifier import FormNotifier, Post
from nommerctl.domain.moves import submitted
from nommerctl.wiring.farm import Farm, Invocation, load
from nommerctl.wiring.process import clock
from tests.builders import make_job
from tests.cli import InProcessCli
from tests.passes.farm import FakeFarm
from tests.terminal import run_in_terminal
from tests.web import Answer, Asked, Exchange, Web, reply, serving, stall

HERE = "127.0.0.0/8"
OLD, NEW = (f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"o", b"n"))


def answering(*statuses: int) -> Answer:
    """Answer with one status after the other, the last one for ever."""
    left = list(statuses)

    def answer(exchange: Exchange) -> None:
        reply(left.pop(0) if len(left) > 1 else left[0])(exchange)

    return answer


def told(web: Web, path: str = "/told") -> list[tuple[str, str]]:
    """The job and the state of everything that was told there, in order."""
    fields = [parse_qs(asked.body.decode(), keep_blank_values=True) for asked in web.asked if asked.path == path]
    return [(each["unique_id"][0], each["job_state"][0]) for each in fields]


def real_notifier(farm: FakeFarm, timeout: float = 5.0) -> None:
    farm.notifier = FormNotifier(Post(timeout, allow_private=[HERE]))  # type: ignore[assignment]


def stored(here: InProcessCli, *urls: str) -> list[str]:
    """Store a job for each URL, as `submit` leaves it; return their ids."""
    farm = Farm(load(Invocation(state_dir=str(here.state_dir))))
    now = clock()
    jobs = [
        submitted(make_job(number, created=now, changed=now, notify_url=url), by="test")
        for number, url in enumerate(urls, start=1)
    ]
    try:
        farm.backend.store.submit(jobs)
        farm.backend.changes.send([job.id for job in jobs])
    finally:
        farm.close()
    return [job.id for job in jobs]


@pytest.fixture
def listening(here: InProcessCli) -> InProcessCli:
    """A farm whose listeners may be on this machine."""
    here.settings |= {"NOTIFY_ALLOW_PRIVATE": HERE}
    return here


def test_ten_attempts_over_75_hours_and_then_no_more() -> None:
    farm = FakeFarm()
    real_notifier(farm)
    with serving({"/told": reply(500)}) as web:
        farm.submit(1, notify_url=web.url("/told"))
        at = []
        for _ in range(80 * 60):  # a pass each minute, for 80 hours
            before = len(web.asked)
            farm.refresh()
            at += [(farm.clock() - farm.store.jobs[next(iter(farm.store.jobs))].created) // 60_000_000] * (
                len(web.asked) - before
            )
            farm.clock.advance(60)
        assert at == [0, 1, 6, 36, 156, 456, 1056, 1896, 3096, 4536]
        (job,) = farm.store.undelivered()
        assert (job.delivery and job.delivery.error, [*farm.store.finished_untold()]) == ("answered 500", [])


def test_a_listener_that_answers_500_and_then_200_is_told_in_order() -> None:
    farm = FakeFarm()
    real_notifier(farm)
    with serving({"/told": answering(500, 200)}) as web:
        (job,) = farm.submit(1, notify_url=web.url("/told"))
        farm.work_off(job)
        farm.refresh()
        farm.clock.advance(60)
        farm.refresh()
        states = [state for _, state in told(web)]
    assert states == ["PENDING", "PENDING", "DOWNLOADING", "ENCODING", "UPLOADING", "FINISHED"]


def test_a_listener_that_hangs_and_a_dead_host_do_not_hold_up_another_one() -> None:
    farm = FakeFarm()
    real_notifier(farm, timeout=0.3)
    with socket.socket() as unused, serving({"/hang": stall}) as hanging, serving({"/told": reply()}) as web:
        unused.bind(("127.0.0.1", 0))
        farm.submit(*range(1, 60), notify_url=f"http://127.0.0.1:{unused.getsockname()[1]}/told")
        farm.submit(*range(100, 160), notify_url=hanging.url("/hang"))
        farm.submit(200, 201, notify_url=web.url("/told"))
        outcome = farm.refresh()
        assert len(told(web)) == 2
        assert len(hanging.asked) == 1
    assert len(outcome.failed) == 2
    assert sum(job.delivery is not None for job in farm.store.jobs.values()) == 119


def test_a_redirect_is_not_followed_and_is_a_failure(listening: InProcessCli) -> None:
    with serving({"/told": reply(302, location="/other"), "/other": reply()}) as web:
        (job,) = stored(listening, web.url("/told"))
        result = listening.run("refresh", code=3)
        assert [asked.path for asked in web.asked] == ["/told"]
    assert f"'{web.url('/told')}' answered 302" in result.stdout + result.stderr
    shown = listening.run("show", job).stdout
    assert f"{web.url('/told')} (1 still to be told; 1 attempt failed, the next at 20" in shown
    assert "; answered 302)" in shown


def test_what_is_not_public_is_refused_at_submit_and_not_asked_by_refresh(here: InProcessCli, tmp_path: Path) -> None:
    (tmp_path / "in.mov").write_bytes(b"film")
    said = here.run(
        *("submit", tmp_path / "in.mov", "--dest", tmp_path / "out.mp4", "--preset", "web-480p"),
        *("--notify-url", "http://169.254.169.254/latest"),
        code=2,
    )
    assert said.stderr == (
        "nommerctl: the notify URL 'http://169.254.169.254/latest' leads to a link of this machine: listeners have to"
        " be on the internet, or in a network that the setting notify.allow_private names\n"
    )
    with serving({"/told": reply()}) as web:
        stored(here, web.url("/told"))
        here.run("refresh", code=3)
        assert web.asked == []


# --- the dead list


def test_dead_listeners_are_listed_and_told_again(listening: InProcessCli) -> None:
    # given a listener that is gone and one that failed too often
    listening.settings["NOTIFY_ATTEMPTS"] = "1"
    answers = {"/gone": answering(410, 200), "/ill": answering(500, 200), "/well": reply()}
    with serving(answers) as web:
        gone, ill, well = stored(listening, *map(web.url, answers))
        # when
        listening.run("refresh", code=3)
        # then
        listed = listening.run("notify", "dead", "list", "--json").json
        assert [(job["id"], job["error"], job["untold"], job["attempts"]) for job in listed["jobs"]] == [
            (gone, "answered 410", 1, 1),
            (ill, "answered 500", 1, 1),
        ]
        header, *lines = listening.run("notify", "dead", "list").stdout.splitlines()
        assert header.split("\t") == ["id", "state", "changed", "notify_url", "untold", "attempts", "error"]
        assert [line.split("\t")[0] for line in lines] == [gone, ill]
        assert (
            "; given up after 1 attempt, see 'nommerctl notify dead'; answered 410)"
            in listening.run("show", gone).stdout
        )
        assert listening.run("refresh").stdout == ""
        # when one is told again, and then the other
        listening.run("notify", "dead", "retry", gone)
        listening.run("refresh")
        assert told(web, "/gone") == [(gone, "PENDING")] * 2
        assert len(told(web, "/ill")) == 1
        listening.run("notify", "dead", "retry")
        listening.run("refresh")
        assert told(web, "/ill") == [(ill, "PENDING")] * 2
        assert told(web, "/well") == [(well, "PENDING")]
    assert listening.run("notify", "dead", "list", "--json").json["jobs"] == []
    said = listening.run("notify", "dead", "retry", gone, code=2).stderr
    assert "was not given up: see `nommerctl notify dead list`" in said
    assert listening.run("notify", "dead", "retry").code == 0


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_a_table_of_them(listening: InProcessCli, columns: int) -> None:
    with serving({"/gone/for/ever": reply(410)}) as web:
        (job,) = stored(listening, web.url("/gone/for/ever?token=hunter2"))
        listening.run("refresh", code=3)
    drawn = run_in_terminal(listening, "notify", "dead", "list", columns=columns, env={"NO_COLOR": "1"}).stdout
    lines = drawn.splitlines()
    assert lines[0].split() == ["ID", "STATE", "UNTOLD", "TRIED", "CHANGED", "NOTIFY", "URL"]
    assert lines[2].startswith(f"{job[:12]}")
    assert lines[3].strip() == "└ answered 410"
    assert "1 job whose listener was given up" in drawn
    assert "hunter2" not in drawn
    assert max(map(len, lines)) <= columns


# --- Standard Webhooks


def test_what_is_signed_is_verified_with_either_secret_and_has_one_id_at_every_attempt(
    listening: InProcessCli,
) -> None:
    listening.settings |= {"NOTIFY_FORMAT": "standard", "NOTIFY_SECRETS": f"{NEW},{OLD}", "NOTIFY_ATTEMPTS": "1"}
    with serving({"/told": answering(500, 200)}) as web:
        (job,) = stored(listening, web.url("/told"))
        listening.run("refresh", code=3)
        listening.run("notify", "dead", "retry", job)
        listening.run("refresh")
        first, again = web.asked
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == f"{job}-1"
    for asked in (first, again):
        for secret in (OLD, NEW):
            said = verified(asked, secret)
            assert (said["type"], said["data"]["id"], said["data"]["state"]) == ("job.pending", job, "PENDING")


def verified(asked: Asked, secret: str) -> Any:  # noqa: ANN401 - a document
    return Webhook(secret).verify(asked.body, dict(asked.headers))


# --- TLS


@contextmanager
def serving_for(name: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A listener over TLS whose certificate, which is trusted, is for this name."""
    path = folder / "certificate.pem"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, "-out", str(path), "-keyout", "-"]
    key = subprocess.run(command, check=True, capture_output=True).stdout
    path.write_bytes(path.read_bytes() + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    patch.setenv("SSL_CERT_FILE", str(path))
    with serving({"/told": reply()}, context) as web:
        yield web


@pytest.mark.parametrize(("name", "code"), [("localhost", 0), ("other.example", 3)])
def test_the_certificate_has_to_be_for_the_name_that_stands_in_the_url(
    listening: InProcessCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    listening.settings["NOTIFY_ALLOW_PRIVATE"] = f"{HERE},::1"
    with serving_for(name, tmp_path, monkeypatch) as web:
        url = web.url("/told").replace("127.0.0.1", "localhost")
        stored(listening, url)
        listening.run("refresh", code=code)
        assert len(web.asked) == (0 if code else 1)
        if not code:
            assert web.asked[0].headers["Host"] == url.split("/")[2]
