"""That each command is wired to what it names: its pass, its settings, its exit code."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli import Cli, InProcessCli, eventually
from tests.clips import Clips
from tests.web import Exchange, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def film(clips: Clips, tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(path, (1, 1))
    return path


def submit(cli: Cli, film: Path, *more: str) -> str:
    done = cli.run("submit", film, "--dest", "out.m4a", "--preset", "audio-m4a", "--json", *more)
    return str(done.json["jobs"][0]["id"])


def test_run_makes_all_four_passes_in_their_order(here: InProcessCli) -> None:
    done = here.run("run", "--json").json
    assert [each["command"] for each in done["passes"]] == ["refresh", "abandon", "scale", "prune"]
    assert sorted(path.stem for path in (here.state_dir / "locks").glob("*.json")) == [
        "abandon",
        "prune",
        "refresh",
        "scale",
    ]


def test_abandon_goes_by_its_settings(here: InProcessCli, film: Path) -> None:
    job_id = submit(here, film)
    assert here.run("abandon", "--json").json["changed"] == []
    here.settings["UPKEEP_ABANDON_PENDING_AFTER"] = "0.001s"
    (change,) = here.run("abandon", "--json").json["changed"]
    assert (change["action"], change["target"]) == ("abandon", job_id)
    assert here.refreshed_states() == ["ABANDONED"]


def test_prune_archives_and_removes_by_its_settings(here: InProcessCli, film: Path, tmp_path: Path) -> None:
    job_id = submit(here, film)
    here.run("cancel", job_id)
    here.settings |= {
        "UPKEEP_RETENTION": "0.001s",
        "UPKEEP_ARCHIVE": str(tmp_path / "jobs.jsonl"),
        "CACHE_KEEP_FINISHED": "0.001s",
    }
    here.run("refresh")
    here.run("prune")
    assert json.loads((tmp_path / "jobs.jsonl").read_text())["id"] == job_id
    assert "no job's id begins" in here.run("show", job_id, code=2).stderr


def test_detailed_exitcode_says_whether_anything_would_be_or_was_changed(here: InProcessCli, film: Path) -> None:
    asked = ("scale", "--dry-run", "--detailed-exitcode")
    here.run("refresh")
    assert here.run(*asked, code=None).code == 0
    submit(here, film)
    assert here.run(*asked, code=None).code == 10
    assert here.run(*asked[:2], code=None).code == 0
    assert here.run("scale", "--detailed-exitcode", code=None).code == 10


def test_a_failure_is_not_hidden_by_a_change_and_its_code_is_kept(here: InProcessCli, film: Path) -> None:
    submit(here, film)
    with sqlite3.connect(here.state_dir / "farm.db") as database:
        database.execute("DROP TABLE heartbeats")
    database.close()
    here.run("run", "--detailed-exitcode", code=69)
    assert json.loads((here.state_dir / "locks" / "scale.json").read_text())["code"] == 69
    assert json.loads((here.state_dir / "locks" / "prune.json").read_text())["code"] == 0


def test_a_store_of_a_newer_version_is_named_by_a_dry_run_too(here: InProcessCli, film: Path) -> None:
    submit(here, film)
    with sqlite3.connect(here.state_dir / "farm.db") as database:
        database.execute("PRAGMA user_version = 9")
    database.close()
    for arguments in (("scale", "--dry-run"), ("scale",), ("nodes",)):
        assert "holds version 9 of the tables" in here.run(*arguments, code=69).stderr


def test_dead_letters_are_listed_and_put_back(here: InProcessCli, film: Path) -> None:
    job_id = submit(here, film)
    with sqlite3.connect(here.state_dir / "farm.db") as database:
        database.execute("UPDATE messages SET dead = 1, receipt = 'r' WHERE body = ? AND queue = 'new-jobs'", (job_id,))
    database.close()
    assert [message["body"] for message in here.run("queue", "dead", "list", "--json").json["messages"]] == [job_id]
    assert here.run("queue", "dead", "retry").stdout == "1 message put back\n"
    assert here.run("queue", "dead", "list", "--json").json["messages"] == []


def test_a_cancel_that_comes_too_late_for_another_process_fails(here: InProcessCli, film: Path) -> None:
    job_id = submit(here, film)
    here.run("cancel", job_id)
    assert "is ABANDONED already" in here.run("cancel", job_id, code=2).stderr


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)])
def test_a_worker_of_two_slots_hands_both_jobs_back_and_says_by_its_code_why(
    cli: Cli, clips: Clips, tmp_path: Path, sign: signal.Signals, code: int
) -> None:
    long = clips.make(f"{sign.name}.mp4", "-f", "lavfi", "-i", "testsrc2=size=640x360:duration=60", "-c:v", "mpeg4")
    for number in range(2):
        cli.run("submit", long, "--dest", tmp_path / f"{number}.mp4", "--preset", "web-1080p")
    worker = cli.start("worker", "--slots", "2")
    eventually(lambda: cli.refreshed_states() == ["ENCODING"] * 2)
    assert [node["slots"] for node in cli.run("nodes", "--json").json["nodes"]] == [2]
    worker.send_signal(sign)
    worker.communicate(timeout=5)
    assert worker.returncode == code
    assert cli.refreshed_states() == ["PENDING"] * 2


@pytest.mark.slow
def test_whoever_waits_is_told_of_other_jobs_that_failed(cli: Cli, film: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no film")
    cli.run("submit", bad, "--dest", tmp_path / "bad.m4a", "--preset", "audio-m4a")
    cli.run("worker", "--once")
    said = cli.run("submit", film, "--dest", "out.m4a", "--preset", "audio-m4a", "--wait").stderr
    assert f"{bad}: the source cannot be read as a media file" in said


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_wait_says_what_it_waits_for_and_an_interrupted_one_that_the_jobs_go_on(
    cli: Cli, film: Path, sign: signal.Signals, code: int
) -> None:
    cli.settings["SCALE_MAX_NODES"] = "0"
    waiting = cli.start("submit", film, "--dest", "out.m4a", "--preset", "audio-m4a", "--wait")
    eventually((cli.state_dir / "locks" / "scale.json").exists)
    time.sleep(0.5)
    waiting.send_signal(sign)
    _, said = waiting.communicate(timeout=10)
    assert waiting.returncode == code
    assert "waiting: 1 more would exceed max_nodes = 0" in said
    assert "no longer waiting; the jobs go on in the background" in said


def test_a_wait_survives_the_loss_of_the_cache(cli: Cli, film: Path) -> None:
    cli.settings["SCALE_MAX_NODES"] = "0"
    waiting = cli.start("submit", film, "--dest", "out.m4a", "--preset", "audio-m4a", "--wait")
    eventually((cli.state_dir / "locks" / "scale.json").exists)
    subprocess.run(["/bin/rm", "-rf", cli.state_dir / "cache"], check=True)
    cli.run("worker", "--once")
    _, said = waiting.communicate(timeout=20)
    assert (waiting.returncode, "FINISHED" in said) == (0, True), said


@pytest.mark.slow
def test_a_wait_is_not_held_up_by_the_listeners_of_others(cli: Cli, film: Path, tmp_path: Path) -> None:
    def hang(exchange: Exchange) -> None:
        exchange.pause(60)

    with serving({"/hang": hang}) as web:
        cli.settings["NOTIFY_ALLOW_PRIVATE"] = "127.0.0.0/8"
        cli.run("refresh")
        cli.run("submit", film, "--dest", tmp_path / "a.m4a", "--preset", "audio-m4a", "--notify-url", web.url("/hang"))
        began = time.monotonic()
        cli.run("submit", film, "--dest", "out.m4a", "--preset", "audio-m4a", "--wait")
        assert time.monotonic() - began < 12, "a listener may take 15 s"


@pytest.mark.parametrize(("verb", "sign", "code"), [("refresh", signal.SIGTERM, 143), ("run", signal.SIGINT, 130)])
def test_i8_a_signal_is_heeded_while_another_process_holds_the_store(
    cli: Cli, film: Path, verb: str, sign: signal.Signals, code: int
) -> None:
    submit(cli, film)
    holder = sqlite3.connect(cli.state_dir / "farm.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        stuck = cli.start(verb)
        time.sleep(1)
        assert stuck.poll() is None
        stuck.send_signal(sign)
        _, said = stuck.communicate(timeout=5)
    finally:
        holder.rollback()
        holder.close()
    assert (stuck.returncode, "between two effects" in said) == (code, True)
    assert cli.worker_pids() == {}
