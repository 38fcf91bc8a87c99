"""I9: a secret that is needed, in the query of a source or of a listener, is used and stored, and shown to nobody."""

import json
import subprocess
from pathlib import Path

import pytest

from tests import payloads
from tests.canary import CANARY, assert_unsaid, holders, watched_processes
from tests.cli import Cli, InProcessCli, eventually
from tests.clips import Clips
from tests.web import Answer, Exchange, reply, serving

SIGNED = f"X-Amz-Signature={CANARY}&X-Amz-Date=1"

FORMS = (("list",), ("nodes",), ("why",), ("status",), ("refresh",), ("refresh", "--dry-run"), ("scale", "--dry-run"))


def look_everywhere(here: InProcessCli, *jobs: str) -> None:
    """Run every form of showing the jobs; the secret is in none of them, nor in a log."""
    for form in (*FORMS, *(("show", job) for job in jobs)):
        assert_unsaid(here.run(*form, code=None))
        assert_unsaid(here.run(*form, "--json", code=None))
    assert not any("logs" in place for place in holders(here.state_dir))


def test_the_watch_sees_arguments_and_variables() -> None:
    with watched_processes() as caught:
        for argument, variable in ((CANARY, ""), ("", CANARY)):
            with subprocess.Popen(
                ["/bin/sh", "-c", "read x", argument], stdin=subprocess.PIPE, env={"V": variable}
            ) as it:
                eventually(lambda: caught, every=0.01)
                shown, _, _ = caught.pop().partition(":")
                assert shown == ("cmdline" if argument else "environ")
                it.kill()
            caught.clear()


def test_a_signed_url_is_fetched_and_a_listener_told_and_nobody_else(
    here: InProcessCli, clips: Clips, tmp_path: Path
) -> None:
    # given a source, and a listener that repeats the secret and fails at first
    refuses = [500]
    here.settings |= {"WORKER_IDLE_EXIT": "1", "NOTIFY_ALLOW_PRIVATE": "127.0.0.0/8", "NOTIFY_ATTEMPTS": "1"}

    def listen(exchange: Exchange) -> None:
        status = refuses[0] if refuses else 200
        reply(status, body=f"no: {exchange.path} {CANARY}".encode(), x_secret=CANARY)(exchange)

    answers = {"/film.mp4": reply(200, clips["plain.mp4"].read_bytes()), "/told": listen}
    with serving(answers) as web, watched_processes() as caught:
        to = ("--dest", tmp_path / "out.m4a", "--preset", "audio-m4a")
        told = ("--notify-url", f"{web.url('/told')}?token={CANARY}")
        submitted = here.run("submit", f"{web.url('/film.mp4')}?{SIGNED}", *to, *told)
        ((job, *_),) = payloads.assert_rows(submitted.stdout)
        # when a worker of its own encodes it, with everybody looking
        for result in (submitted, here.run("scale")):
            assert_unsaid(result)

        def done() -> bool:
            look_everywhere(here, job)
            return here.listed_states() == ["FINISHED"]

        eventually(done, within=60)
        refuses.clear()
        for form in ((), ("--json",)):
            listed = here.run("notify", "dead", "list", *form)
            assert job in listed.stdout
            assert_unsaid(listed)
        assert_unsaid(here.run("notify", "dead", "retry", job))
        eventually(lambda: here.run("refresh", code=None).code == 0)
        look_everywhere(here, job)
        eventually(lambda: not here.worker_pids(), within=60)
        # then it was used, no process showed it, and only the store has it
        assert {asked.path for asked in web.asked} == {f"/film.mp4?{SIGNED}", f"/told?token={CANARY}"}
        assert caught == set()
    assert {place.removesuffix("-wal") for place in holders(here.state_dir)} == {"farm.db"}
    # until it is pruned; and the archive never has it
    archive = tmp_path / "jobs.jsonl"
    here.settings |= {"UPKEEP_ARCHIVE": str(archive), "UPKEEP_RETENTION": "0.000001"}
    here.run("prune")
    assert json.loads(archive.read_bytes())["source"].endswith("/film.mp4?X-Amz-Signature=***&X-Amz-Date=***")
    assert holders(here.state_dir) == set()


def after_a_look(answer: Answer) -> Answer:
    """Answer a HEAD as if all were well, and only then so."""

    def answered(exchange: Exchange) -> None:
        (reply(200, b"film") if exchange.command == "HEAD" else answer)(exchange)

    return answered


def broken_headers(exchange: Exchange) -> None:
    """Answer with headers that urllib3 warns of, in words with the whole URL."""
    exchange.send(f"HTTP/1.1 404 {CANARY}\x1b[2J\r\nNo colon {CANARY}\x1b[2J\r\nX: y\r\n\r\n".encode())


def no_http(exchange: Exchange) -> None:
    exchange.send(f"{CANARY}\x1b[2J\r\n\r\n".encode())


FAILURES: dict[str, Answer] = {
    "/gone": reply(404, body=CANARY.encode(), x_secret=CANARY),
    "/broken-headers": broken_headers,
    "/no-http": no_http,
    "/with-password": reply(302, location=f"http://ann:{CANARY}@127.0.0.1:9/film.mp4"),
    "/with-odd-password": reply(302, location="http://ann:hunter2?CANARY@127.0.0.1:9/film.mp4"),
    "/with-no-host": reply(302, location=f"http:///film.mp4?token={CANARY}"),
    "/with-bracket": reply(302, location=f"http://ann:{CANARY}@["),
    "/with-token": reply(302, location=f"/gone?token={CANARY}"),
    "/to-ftp": reply(302, location=f"ftp://ann:{CANARY}@127.0.0.1/film.mp4"),
    "/in-a-circle": reply(302, location=f"/in-a-circle?token={CANARY}"),
    "/too-large": reply(200, content_length=10**13),
}


@pytest.mark.parametrize("path", FAILURES)
def test_a_look_that_fails_says_nothing_of_it(here: InProcessCli, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(FAILURES) as web:
        source = f"{web.url(path)}?{SIGNED}"
        for form in ((), ("--json",)):
            result = here.run("submit", source, "--dest", "out.mp4", "--preset", "web-480p", *form, code=2)
            assert_unsaid(result)
            payloads.assert_one_line(result.stderr)
        assert any(CANARY in asked.path for asked in web.asked)
    assert "".join(capfd.readouterr()) == ""  # warnings of a library would come here
    assert holders(here.state_dir) == set()


def test_fetches_and_listeners_that_fail_say_nothing_of_it(here: InProcessCli, cli: Cli, tmp_path: Path) -> None:
    answers = {path: after_a_look(answer) for path, answer in FAILURES.items()}
    aloud = {"PYTHONWARNINGS": "always"}
    here.settings["NOTIFY_ALLOW_PRIVATE"] = cli.settings["NOTIFY_ALLOW_PRIVATE"] = "127.0.0.0/8"
    with serving(answers) as web, watched_processes() as caught:
        for number, path in enumerate(FAILURES):
            to = ("--dest", f"{tmp_path}/{number}.mp4", "--preset", "web-480p")
            told = ("--notify-url", f"{web.url(path)}?token={CANARY}")
            here.run("submit", f"{web.url(path)}?{SIGNED}", *to, *told)
        worked, refreshed = cli.run("worker", "--once", env=aloud), cli.run("refresh", code=3, env=aloud)
        assert any(CANARY in asked.path for asked in web.asked if asked.method == "POST")
        assert caught == set()
        for result in (worked, refreshed):
            assert_unsaid(result)
            payloads.assert_tame(result.stdout + result.stderr)
        look_everywhere(here, *here.listed())
    assert here.listed_states() == ["ERROR"] * len(FAILURES)
    assert {place.removesuffix("-wal") for place in holders(here.state_dir)} == {"farm.db"}
