"""A checkup of a farm where all is well, and of one that was never used: what it says, and that it leaves no trace."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import Cli, Result, eventually
from tests.clips import Clips, ffmpeg
from tests.end_to_end.checkups import checkup, read

pytestmark = pytest.mark.slow

CHECKS = [
    *("settings", "versions", "state folder", "file system", "disk room"),
    *("pass refresh", "pass scale", "pass abandon", "pass prune"),
    *("ffmpeg", "preset audio-m4a", "preset web-1080p", "preset web-480p", "preset web-720p", "sandbox"),
    *("store", "queue", "cache", "clock"),
]

OF_THE_MACHINE = {"file system", "disk room", "sandbox"}
"""Checks that may come to a warning where these tests run, but must not fail there."""


@pytest.fixture
def sound(cli: Cli, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A farm that has done a job, and whose passes are made by cron."""
    monkeypatch.delenv("TERM", raising=False)
    cli.run("submit", clips["tone.wav"], "--dest", tmp_path / "out.m4a", "--preset", "audio-m4a")
    cli.run("worker", "--once")
    cli.run("run")
    return cli


def tree(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Everything about the files of a folder that a write would change."""
    looks = {path: path.lstat() for path in [folder, *folder.rglob("*")]}
    return {path: (look.st_ino, look.st_mode, look.st_size, look.st_mtime_ns) for path, look in looks.items()}


def test_where_all_is_well_every_check_is(sound: Cli) -> None:
    findings = checkup(sound)
    assert list(findings) == CHECKS
    verdicts = {name: each.verdict for name, each in findings.items() if name not in OF_THE_MACHINE}
    assert set(verdicts.values()) == {"ok"}, findings
    assert findings["state folder"].found == f"'{sound.state_dir}' is yours alone"
    assert findings["store"].found == "sound, 1 job"
    assert findings["queue"].found == "0 waiting, 0 in work"
    assert findings["cache"].found.startswith("sound, 1 job, refreshed ")
    assert "by cron or a timer" in findings["pass refresh"].found
    assert findings["preset web-720p"].found == "a second encoded and decoded (aac, libx264)"


@pytest.mark.slow
def test_a_farm_that_was_never_used_is_no_failure(cli: Cli) -> None:
    findings = checkup(cli)
    assert findings["state folder"].found == f"'{cli.state_dir}' is not made yet: the first submit makes it"
    assert findings["store"].found == "none yet"
    assert findings["passes"].verdict == "warning"
    assert findings["passes"].advice == "put the lines of 'nommerctl schedule --cron' into your crontab"


def test_it_leaves_no_trace(sound: Cli, tmp_path: Path) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    before = tree(sound.state_dir)
    checkup(sound, env={"TMPDIR": str(temporary)})
    assert tree(sound.state_dir) == before
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_it_makes_no_state_folder(cli: Cli, tmp_path: Path) -> None:
    before = tree(tmp_path)
    checkup(cli)
    assert tree(tmp_path) == before


def test_the_document(cli: Cli) -> None:
    document = cli.run("doctor", "--json").json
    assert list(document) == ["schema", "command", "as_of", "checks"]
    assert (document["schema"], document["command"], document["as_of"][-1]) == (1, "doctor", "Z")
    assert {tuple(each) for each in document["checks"]} == {("check", "verdict", "found", "advice")}


def test_a_pipe_gets_a_line_for_each_check_and_nothing_on_the_side(sound: Cli) -> None:
    result = sound.run("doctor")
    header, *lines = result.stdout.splitlines()
    assert header.split("\t") == ["check", "verdict", "found", "advice"]
    assert [line.split("\t")[0] for line in lines] == CHECKS
    assert result.stderr == ""


def test_a_terminal_gets_lines_that_fit_it(cli: Cli) -> None:
    leader, follower = pty.openpty()
    environment = cli.environment({"TERM": "xterm-256color", "COLUMNS": "80", "NO_COLOR": "1"})
    process = subprocess.Popen([*cli.executable, "doctor"], env=environment, stdin=follower, stdout=follower)
    os.close(follower)
    said = b""
    while True:
        try:
            said += os.read(leader, 4096)
        except OSError:
            break
    os.close(leader)
    assert process.wait() == 0
    lines = said.decode().splitlines()
    assert max(map(len, lines)) <= 80
    assert "                           └ put the lines of 'nommerctl schedule --cron' into" in lines
    assert lines[-1].startswith("16 checks: ")


def test_settings_that_cannot_be_used_are_no_finding(cli: Cli) -> None:
    assert cli.run("doctor", code=78, env={"NOMMERCTL_SCALE_MAX_NODES": "many"}).stdout == ""


def slow_ffmpeg(folder: Path) -> Path:
    """An ffmpeg that says that it has begun to encode, and never ends."""
    script = folder / "ffmpeg"
    script.write_text(
        f"#!/bin/sh\n"
        f'case "$*" in *-encoders*|*-version*) exec {ffmpeg()} "$@";; esac\n'
        f"touch {folder}/begun\nexec sleep 600\n"
    )
    script.chmod(0o755)
    return script


@pytest.mark.slow
def test_the_time_limit_ends_it_with_what_was_found_until_then(cli: Cli, tmp_path: Path) -> None:
    cli.settings = {"FFMPEG_PATH": str(slow_ffmpeg(tmp_path)), "FARM_TIME_LIMIT": "3s"}
    result = cli.run("doctor", "--json", code=124)
    said = result.json["error"]["message"]
    assert re.fullmatch(r"the time limit \(farm\.time_limit\) was over after \d of 18 checks", said)
    assert "versions" in read(result)
    assert result.stderr == f"nommerctl: {said}\n"


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_what_it_tried(cli: Cli, tmp_path: Path, sign: signal.Signals, code: int) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    cli.settings = {"FFMPEG_PATH": str(slow_ffmpeg(tmp_path))}
    process = cli.start("doctor", "--json", env={"TMPDIR": str(temporary)})
    eventually((tmp_path / "begun").exists)
    process.send_signal(sign)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert json.loads(said)["error"]["code"] == code
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_under_cron_it_says_what_cron_finds(cli: Cli, tmp_path: Path) -> None:
    # given an ffmpeg that only a terminal's PATH leads to
    own = tmp_path / "bin" / "ffmpeg"
    own.parent.mkdir()
    own.write_text(f'#!/bin/sh\nexec {ffmpeg()} "$@"\n')
    own.chmod(0o755)
    # when it is asked by hand, and from cron's environment
    by_hand = checkup(cli, env={"PATH": f"{own.parent}:/usr/bin:/bin"})["ffmpeg"]
    command = ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", sys.executable, "-m", "nommerctl"]
    done = subprocess.run(
        [*command, "--state-dir", cli.state_dir, "doctor", "--json"], capture_output=True, text=True, check=True
    )
    by_cron = read(Result(0, done.stdout, done.stderr))["ffmpeg"]
    # then each says what it finds, and the first what the second will
    assert by_hand.verdict == "warning"
    assert by_hand.found.startswith(f"{own}, version ")
    assert by_hand.advice == f"set ffmpeg.path to '{own}' in the settings file"
    found_by_cron = by_cron.found.partition(", version ")[0]
    assert by_cron.verdict == "ok"
    assert by_hand.found.endswith(f"; but cron, whose PATH is bare, would find {found_by_cron}")
