"""What the command line says of itself, and what a start of it costs."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import Cli, InProcessCli
from tests.clips import Clips
from tests.readme_reference import commands

ROOT = Path(__file__).parents[2]

HEAVY = ("boto3", "botocore", "rich", "diskcache", "urllib3", "imageio_ffmpeg", "asyncio", "concurrent.futures")


def loaded_by(cli: Cli, *arguments: str) -> set[str]:
    """The modules that a command loads."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "nommerctl", *arguments],
        env=cli.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("list",),
        ("list", "--json"),
        ("nodes",),
        ("status",),
        ("status", "--json"),
        ("scale", "--help"),
        ("doctor", "--help"),
    ],
)
def test_no_command_pays_for_what_it_does_not_use(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert loaded_by(cli, *arguments).isdisjoint(HEAVY)


def test_help_needs_no_more_than_the_command_line(cli: Cli) -> None:
    loaded = loaded_by(cli, "--help")
    assert loaded.isdisjoint({"msgspec", "sqlite3", "nommerctl.wiring.farm", "nommerctl.domain.job"})


def test_a_missing_argument_is_told_in_one_line_with_its_choices(here: InProcessCli) -> None:
    assert here.run("aws", "iam-policy", code=2).stderr == (
        "nommerctl: Missing argument 'ROLE'. Choose from: operator, worker, bootstrap; see 'nommerctl aws iam-policy"
        " --help'\n"
    )


def test_every_command_has_a_help_whose_first_sentence_fits_its_line(here: InProcessCli) -> None:
    for words in commands():
        said = here.run(*words, "--help").stdout
        assert said.startswith(f"Usage: {' '.join(('nommerctl', *words))} ")
        assert not any(line.endswith("...") for line in said.splitlines()[1:]), said


def test_the_help_lists_the_commands_in_panels(here: InProcessCli) -> None:
    said = here.run("--help").stdout
    headings = [line for line in said.splitlines() if line and not line.startswith(" ") and line.endswith(":")]
    assert headings == [
        "Options:",
        "Passes, for cron and by hand:",
        "Jobs:",
        "Looking, without changing anything:",
        "Setting up:",
    ]
    assert here.run().stdout == said
    assert here.run("config").stdout == here.run("config", "--help").stdout


def test_the_version(here: InProcessCli) -> None:
    assert here.run("--version").stdout == "nommerctl 0.1.0\n"


def test_the_demo_encodes_three_clips_and_says_how_to_go_on(cli: Cli, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = cli.run("demo", env={"TMPDIR": str(scratch)})
    cli.state_dir = next(scratch.glob("nommerctl-demo-*/state"))
    outputs = sorted(scratch.glob("nommerctl-demo-*/outputs/*.mp4"))
    assert [path.name for path in outputs] == ["bars-web-480p.mp4", "pattern-web-480p.mp4", "zoom-web-480p.mp4"]
    assert all(str(path) in done.stdout for path in outputs)
    assert done.stdout.count("FINISHED") == 3
    # and what it printed can be run as it stands
    script = re.findall(r"^  (\S.*)$", done.stdout.partition("Verified outputs")[0], flags=re.MULTILINE)
    again = subprocess.run(["/bin/sh", "-ec", "\n".join(script)], capture_output=True, text=True, check=True)
    assert len(again.stdout.rpartition("id\tstate\t")[2].splitlines()) == 7


@pytest.mark.slow
def test_the_demo_in_json(cli: Cli, tmp_path: Path) -> None:
    document = cli.run("demo", "--json", env={"TMPDIR": str(tmp_path)}).json
    assert (document["schema"], document["command"]) == (1, "demo")
    assert [set(job) for job in document["jobs"]] == [{"id", "state", "output", "seconds"}] * 3
    for job in document["jobs"]:
        assert (job["state"], Path(job["output"]).stat().st_size > 1000) == ("FINISHED", True)
        assert 0 < job["seconds"] < 60


def test_waiting_in_a_terminal_draws_a_bar_for_each_job(cli: Cli, clips: Clips, tmp_path: Path) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())
    leader, follower = pty.openpty()
    command = [*cli.executable, "submit", str(source), "--dest", f"{tmp_path}/", "--preset", "web-480p", "--wait"]
    environment = cli.environment({"TERM": "xterm-256color", "COLUMNS": "100"})
    process = subprocess.Popen(command, env=environment, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    said = b""
    while True:
        try:
            said += os.read(leader, 4096)
        except OSError:
            break
    os.close(leader)
    assert process.wait() == 0
    text = said.decode()
    assert "film.mp4" in text
    assert "100%" in text
    assert "FINISHED" in text
    assert "1 job: 1 FINISHED" in text


def test_the_readme_says_what_the_help_says() -> None:
    subprocess.run([sys.executable, ROOT / "tests" / "readme_reference.py", "--check"], check=True)


def test_the_settings_file_that_is_generated_is_valid(here: InProcessCli, tmp_path: Path) -> None:
    here.run("config", "generate", "--output", "config.toml")
    here.run("--config", "config.toml", "config", "validate")
    assert "exists already" in here.run("config", "generate", "-o", "config.toml", code=2).stderr
    shown = here.run("--config", "config.toml", "config", "show", "--json").json
    assert {entry["from"] for entry in shown["settings"]} >= {str(tmp_path / "config.toml")}
    assert json.dumps(shown).count("scale.max_nodes") == 1


def test_the_units_for_systemd_name_everything(here: InProcessCli) -> None:
    said = here.run("schedule", "--systemd").stdout
    assert said.count("SuccessExitStatus=75") == 4
    assert said.count(f"--state-dir {here.state_dir}") == 4
    assert "KillMode=process" in said
