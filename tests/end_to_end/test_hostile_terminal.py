"""I9 in a real terminal: tables of its width, colours, and the progress of those who wait."""

import os
import re
from pathlib import Path

import pytest

from nommerctl.domain.states import JobState
from tests import payloads
from tests.cli import Cli, InProcessCli
from tests.clips import Clips
from tests.hostile_farm import fill, id_in
from tests.terminal import run_in_terminal

TEXTS = tuple(payloads.PAYLOADS.values())

NAME = "[red]\x1b[2J\x1b[5;41m\x1b]0;t\x07\x9b5m\n:smile:\u202e\u200b" + "e" + "\u0301" * 60 + "映"
"""A name of a file with something of everything: 168 bytes."""

PROGRESS = re.compile(r"\x1b\[(?:\?25[lh]|1A|2K|(?:1;)?(?:0|3[0-7]|38;5;[0-9]+|38;2;[0-9]+;[0-9]+;[0-9]+)m)|\r")
"""What rich writes to draw its bars: cursor hidden and shown, a line up, a line erased, colours."""


@pytest.fixture
def filled(here: InProcessCli) -> InProcessCli:
    fill(here, TEXTS)
    here.run("refresh", "--rebuild", code=3)
    return here


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("color", [True, False])
def test_tables_fit_and_are_tame(filled: InProcessCli, columns: int, color: bool) -> None:  # noqa: FBT001 - a parameter
    env = {} if color else {"NO_COLOR": "1"}
    folder = filled.cwd / payloads.PAYLOADS["csi"].replace("/", "_")
    folder.mkdir()
    (folder / "config.toml").write_text("")
    for arguments in (("list",), ("nodes",), ("status",), ("--config", folder / "config.toml", "config", "show")):
        written = run_in_terminal(filled, *arguments, columns=columns, env=env).stdout
        payloads.assert_table(written, width=columns)
        assert ("\x1b" in written) is color
    list_of_jobs = payloads.SGR.sub("", run_in_terminal(filled, "list", columns=columns, env=env).stdout)
    states = [re.match(r"[0-9a-f]+  ([A-Z]+) ", line) for line in list_of_jobs.split("\n")]
    assert [found[1] for found in states if found] == [*JobState] * len(TEXTS)


def test_a_job_and_a_checkup_are_shown_tame(filled: InProcessCli) -> None:
    payloads.assert_table(run_in_terminal(filled, "doctor", columns=80, code=None).stdout, width=80)
    for name in ("csi", "c1", "lines", "marks"):
        place = list(payloads.PAYLOADS).index(name)
        written = run_in_terminal(filled, "show", id_in(JobState.ERROR, place), columns=80).stdout
        payloads.assert_tame(written)
        assert "\x1b[1;31mERROR" in written


def test_complaints_are_one_line(here: InProcessCli) -> None:
    for arguments in ((NAME,), ("show", NAME), ("list", f"--{NAME}")):
        payloads.assert_one_line(run_in_terminal(here, *arguments, columns=80, code=2).stdout)
    completing = {"_NOMMERCTL_COMPLETE": f"source_{NAME}"}
    payloads.assert_tame(run_in_terminal(here, "list", columns=80, env=completing).stdout)


def test_somebody_waits_for_a_job_of_that_name(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    film = tmp_path / f"{NAME}.mp4"
    film.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(film, (1, 1))
    arguments = ("submit", film, "--dest", f"{tmp_path}/", "--preset", "audio-m4a", "--wait")
    written = run_in_terminal(cli, *arguments, columns=80).stdout
    assert "\x1b[?25l" in written
    plain = PROGRESS.sub("", written)
    payloads.assert_tame(plain)
    assert any(r"[red]\x1b" in line and "%" in line for line in plain.split("\n"))
    assert "FINISHED" in plain


@pytest.mark.slow
def test_the_demonstration_in_a_folder_of_that_name(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    written = run_in_terminal(cli, "demo", columns=80, env={"TMPDIR": str(tmp_path / NAME)}).stdout
    payloads.assert_tame(PROGRESS.sub("", written))
    assert "Verified outputs:" in written
