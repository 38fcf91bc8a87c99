"""The crontab, run as cron runs it: by sh, with a bare environment, all lines in the same second."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import Cli, eventually
from tests.clips import Clips

ROOT = Path(__file__).parents[2]


def entries(crontab: str) -> tuple[dict[str, str], list[str]]:
    """The variables and the commands of a crontab, as cron reads them."""
    variables = dict(re.findall(r"^([A-Z]+)=(.*)$", crontab, flags=re.MULTILINE))
    lines = [line for line in crontab.splitlines() if re.match(r"[*0-9]", line)]
    return variables, [line.split(None, 5)[5].replace(r"\%", "%") for line in lines]


class Cron:
    """Runs the lines of a crontab round by round; what they print is the mail that a user would get."""

    def __init__(self, crontab: str, home: Path) -> None:
        self.variables, self.commands = entries(crontab)
        self.home = home
        self.mail: list[str] = []

    def round(self) -> set[int]:
        bare = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "cron", "HOME": str(self.home)}
        running = [
            subprocess.Popen(
                ["/bin/sh", "-c", command],
                env={**bare, **self.variables},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for command in self.commands
        ]
        self.mail += [said for process in running if (said := process.communicate(timeout=60)[0])]
        return {process.returncode for process in running}


@pytest.fixture
def nommerctl() -> Path:
    """The program as an installation has it, beside its interpreter, on a farm that only its own arguments name."""
    program = Path(sys.executable).with_name("nommerctl")
    assert program.exists(), "install the project into this environment first"
    return program


@pytest.mark.slow
def test_the_example_crontab_works_as_it_stands_once_the_path_is_right(
    cli: Cli, clips: Clips, nommerctl: Path, tmp_path: Path
) -> None:
    # given a home of cron's own, and the one change that the example asks for
    cron = Cron((ROOT / "crontab.example").read_text(), home=tmp_path)
    assert set(cron.variables) == {"NOMMERCTL"}
    assert len(cron.commands) == 4
    cron.variables["NOMMERCTL"] = str(nommerctl)
    # a settings file stands where every user has it, so that the test does not use root's own farm
    settings = tmp_path / ".config" / "nommerctl" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[farm]\nstate_dir = '{cli.state_dir}'\n[worker]\nidle_exit = '1s'\n")
    films = [tmp_path / f"{number}.mp4" for number in range(3)]
    for film in films:
        film.write_bytes(clips["plain.mp4"].read_bytes())
        os.utime(film, (1, 1))
    cli.run("submit", *films, "--dest", f"{tmp_path}/", "--preset", "web-480p")
    # when
    codes: set[int] = set()

    def round_by_round() -> bool:
        codes.update(cron.round())
        return cli.listed_states() == ["FINISHED"] * 3

    eventually(round_by_round, within=60, every=0.5)
    # then all is done, every line worked, and nobody got mail
    assert codes <= {0, 75}
    assert cron.mail == []
    assert len(list(tmp_path.glob("*-web-480p.mp4"))) == 3


@pytest.mark.slow
def test_the_printed_lines_name_everything_and_work(cli: Cli, clips: Clips, nommerctl: Path, tmp_path: Path) -> None:
    printed = cli.run("schedule", "--cron").stdout
    cron = Cron(printed, home=tmp_path)
    assert all(command.startswith(f"{nommerctl} --state-dir {cli.state_dir} ") for command in cron.commands)
    cli.run("submit", clips["plain.mp4"], "--dest", tmp_path / "out.m4a", "--preset", "audio-m4a")

    def round_by_round() -> bool:
        assert cron.round() <= {0, 75}
        return cli.listed_states() == ["FINISHED"]

    eventually(round_by_round, within=60, every=0.5)
    assert cron.mail == []


def test_the_printed_lines_work_for_a_folder_whose_name_is_full_of_signs(cli: Cli, tmp_path: Path) -> None:
    cli.state_dir = tmp_path / """50% o'clock "and" `id` %; #1 & <x> é 映 ~ *"""
    cron = Cron(cli.run("schedule", "--cron").stdout, home=tmp_path)
    assert cron.round() <= {0, 75}
    assert cron.mail == []
    assert {path.stem for path in (cli.state_dir / "locks").glob("*.json")} == {"refresh", "scale", "abandon", "prune"}
    assert {path.name for path in tmp_path.iterdir()} == {cli.state_dir.name}


def test_the_one_line_of_run_does_for_all(cli: Cli, clips: Clips, nommerctl: Path, tmp_path: Path) -> None:
    cli.run("submit", clips["plain.mp4"], "--dest", tmp_path / "out.m4a", "--preset", "audio-m4a")
    cron = Cron(f"* * * * * {nommerctl} --state-dir {cli.state_dir} run --quiet\n", home=tmp_path)

    def round_by_round() -> bool:
        assert cron.round() == {0}
        return cli.listed_states() == ["FINISHED"]

    eventually(round_by_round, within=60, every=0.5)
    assert cron.mail == []


@pytest.mark.slow
def test_a_pass_that_has_not_succeeded_for_three_intervals_is_named_by_every_command(
    cli: Cli, nommerctl: Path, tmp_path: Path
) -> None:
    # given a refresh that cron ran well, and has not run since
    cron = Cron(f"* * * * * {nommerctl} --state-dir {cli.state_dir} refresh --quiet\n", home=tmp_path)
    cron.round()
    assert cli.run("list").stderr == ""
    record = cli.state_dir / "locks" / "refresh.json"
    an_hour = 3_600_000_000
    record.write_text(re.sub(r"\d{16}", lambda found: str(int(found[0]) - an_hour), record.read_text()))
    # then
    for look in (("list",), ("nodes",), ("scale", "--dry-run"), ("list", "--json")):
        said = cli.run(*look).stderr
        assert said.startswith("nommerctl: refresh has not succeeded for 60 min (it should every minute)")
    # until it succeeds again
    cli.run("refresh", "--quiet")
    assert cli.run("list").stderr == ""


def test_passes_made_by_hand_are_nobodys_promise(cli: Cli) -> None:
    cli.run("refresh", env={"TERM": "xterm"})
    record = (cli.state_dir / "locks" / "refresh.json").read_text()
    assert "unattended_since" not in record
