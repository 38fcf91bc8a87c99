"""I9 with real workers: clips whose tags and names are hostile, and machines whose own names are no text."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import payloads
from tests.cli import Cli, InProcessCli
from tests.clips import Clips, ffmpeg

pytestmark = pytest.mark.slow

TAGS = {
    "title": "\x1b[2J\x1b]0;owned\x07\x9b5mred\u202e",
    "comment": "first\n[error] forged: send it to http://example.org\n[info] Input #0, forged",
    "artist": "\r\x0b\x0c\x08[red]x[/red]\x85\u2028http://ann:hunter2@example.org/",
}

ODD = "\x1b[2J\x9b5m\n[red]\u202e映"


@pytest.fixture
def tagged(clips: Clips, tmp_path: Path) -> Path:
    """A film under an odd name, with tags to match, that ends before its end."""
    whole = tmp_path / "whole.mkv"
    tags = [word for name, value in TAGS.items() for word in ("-metadata", f"{name}={value}")]
    quiet = ("-v", "error", "-nostdin", "-y")
    subprocess.run([ffmpeg(), *quiet, "-i", clips["plain.mkv"], "-c", "copy", *tags, whole], check=True, timeout=60)
    film = tmp_path / f"{ODD}.mkv"
    film.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    os.utime(film, (1, 1))
    return film


def test_tags_and_name_of_a_film_that_fails(cli: Cli, tagged: Path, tmp_path: Path) -> None:
    # given a farm that encodes it, by a worker of its own
    submitted = cli.run("submit", tagged, "--dest", f"{tmp_path}/", "--preset", "web-480p", "--wait", code=3)
    (job,) = cli.listed()
    # then what ffmpeg said of it stands in the record
    record = payloads.assert_document(cli.run("show", job, "--json").stdout)["job"]
    assert record["source"] == str(tagged)
    assert "forged: send it to" in record["log"]
    assert "forged" not in record["details"]
    # and nothing of it is alive wherever it is shown
    payloads.assert_tame(submitted.stderr)
    payloads.assert_rows(submitted.stdout)
    shown = cli.run("show", job).stdout
    assert r"\x9b5mred\u202e" in shown
    assert "hunter2" not in shown
    payloads.assert_tame(shown)
    (log,) = (cli.state_dir / "logs").glob("*.log")
    payloads.assert_tame(log.read_bytes().decode())
    assert r"\x1b[2J\x9b5m\n[red]" in log.read_text()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ |    ", line) for line in log.read_text().splitlines())


def test_a_state_folder_whose_name_is_no_unicode(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    cli.state_dir = tmp_path / os.fsdecode(b"\x9b5m\xff")
    film = clips["plain.mp4"]
    done = cli.run("submit", film, "--dest", tmp_path / "out.m4a", "--preset", "audio-m4a", "--wait")
    ((job, state, *_),) = payloads.assert_rows(done.stdout)
    assert state == "FINISHED"
    assert r"\udc9b5m\udcff" in payloads.assert_document(cli.run("show", job, "--json").stdout)["job"]["command"]
    for form in (("show", job), ("config", "show"), ("why",)):
        payloads.assert_tame(cli.run(*form).stdout, but="\n\t")


def test_an_ffmpeg_whose_name_is_no_unicode_fails_the_job_and_no_worker(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    cli.run("submit", clips["plain.mp4"], "--dest", tmp_path / "out.m4a", "--preset", "audio-m4a")
    path = os.fsdecode(b"/\x9b5m\xff/ffmpeg")
    payloads.assert_tame(cli.run("worker", "--once", env={"NOMMERCTL_FFMPEG_PATH": path}).stderr)
    (job,) = cli.refreshed().values()
    assert (job["state"], job["reason"]) == (
        "ERROR",
        r"/\udc9b5m\udcff/ffmpeg does not answer as an ffmpeg: No such file or directory",
    )


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root may give a machine a name")
def test_a_machine_whose_name_is_no_unicode(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    cli.run("submit", clips["plain.mp4"], "--dest", tmp_path / "out.m4a", "--preset", "audio-m4a")
    rename = "import socket, os, sys; socket.sethostname(b'\\x1b[2J\\xff\\n'); os.execv(sys.argv[1], sys.argv[1:])"
    cli.executable = ("unshare", "--uts", sys.executable, "-c", rename, *cli.executable)
    said = cli.run("submit", clips["plain.mp4"], "--dest", tmp_path / "b.m4a", "--preset", "audio-m4a", "--wait")
    payloads.assert_tame(said.stderr)
    for job in cli.listed():
        shown = cli.run("show", job).stdout
        payloads.assert_tame(shown)
        assert "by " in shown
    jobs = [payloads.assert_document(cli.run("show", job, "--json").stdout)["job"] for job in cli.listed()]
    assert {job["history"][0]["by"].partition("@")[2] for job in jobs} >= {"\x1b[2J\\udcff\n"}


@pytest.mark.parametrize("what", ["--client-id", "--suffix"])
def test_a_word_that_cannot_be_stored_is_refused(here: InProcessCli, clips: Clips, tmp_path: Path, what: str) -> None:
    film = clips["plain.mp4"]
    word = os.fsdecode(b"\x9b5m\xff.mp4")
    refused = here.run("submit", film, "--dest", f"{tmp_path}/", "--preset", "web-480p", what, word, code=2)
    payloads.assert_one_line(refused.stderr)
    assert "is not valid UTF-8" in refused.stderr


def test_folders_that_are_no_nodes_are_left_alone(here: InProcessCli) -> None:
    here.run("refresh")
    strange = here.state_dir / "workers" / os.fsdecode(b"\x9b5m\xff")
    strange.mkdir()
    here.run("refresh")
    assert here.run("scale").code == 0
    assert here.run("nodes", "--json").json["nodes"] == []
    assert strange.exists()
