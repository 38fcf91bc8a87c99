import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nommerctl.domain.config import ScheduleSettings
from nommerctl.domain.schedule import cron_expression
from nommerctl.errors import UsageError
from nommerctl.render.schedule import cron_lines, systemd_units

SYSTEMD_ANALYZE = shutil.which("systemd-analyze") or ""
ROOT = Path(__file__).parents[2]
EXECUTABLE = "/opt/nommerctl/.venv/bin/nommerctl"
PLAIN = Path("/etc/nommerctl/config.toml")
STATE = Path("/var/lib/nommerctl")
ODD = '50% o\'clock $HOME "and" more; #1'
"""A name with everything that sh, cron or systemd would take for something else."""


def fake_nommerctl(folder: Path) -> Path:
    """A program that writes its arguments, one a line."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "nommerctl"
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o755)
    return program


def as_cron_runs_it(command: str, variables: dict[str, str]) -> list[str]:
    """What the command writes: cron turns escaped percent signs back and gives the rest to sh (crontab(5))."""
    assert not re.search(r"(?<!\\)%", command), "cron would take the rest for standard input"
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", **variables}
    shell = ["/bin/sh", "-c", command.replace(r"\%", "%")]
    return subprocess.run(shell, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def entries(crontab: str) -> list[tuple[str, str]]:
    """The expression and the command of every line that is neither a comment nor a variable."""
    lines = [line for line in crontab.splitlines() if re.match(r"[*0-9]", line)]
    return [(" ".join(line.split()[:5]), line.split(maxsplit=5)[5]) for line in lines]


# --- cron ------------------------------------------------------------------------------------------------------------


def test_crontab_lines_name_the_settings_file_and_the_state_folder() -> None:
    text = cron_lines(EXECUTABLE, PLAIN, STATE, ScheduleSettings(prune=6 * 3_600.0))

    assert (
        text
        == """\
# nommerctl: put these lines into your crontab with 'crontab -e', in place of earlier ones.
# All of them may start in the same second. --quiet: a pass says only what went wrong, which cron mails to MAILTO. A
# run that finds an earlier one of its kind still at work leaves it to that one, silently (exit code 75).
# NOMMERCTL_ variables of a terminal do not reach cron: what they set belongs in the settings file.
* * * * * {0} refresh --quiet
* * * * * {0} scale --quiet
*/5 * * * * {0} abandon --quiet
0 */6 * * * {0} prune --quiet
""".format(f"{EXECUTABLE} --config {PLAIN} --state-dir {STATE}")
    )


def test_cron_and_sh_give_odd_paths_back_as_they_are(tmp_path: Path) -> None:
    program = fake_nommerctl(tmp_path / ODD)
    config, state = tmp_path / ODD / "config.toml", Path("/srv") / ODD

    lines = entries(cron_lines(str(program), config, state, ScheduleSettings()))

    assert [as_cron_runs_it(command, {}) for _, command in lines] == [
        ["--config", str(config), "--state-dir", str(state), verb, "--quiet"]
        for verb in ("refresh", "scale", "abandon", "prune")
    ]


def test_without_a_settings_file_none_is_named(tmp_path: Path) -> None:
    program = fake_nommerctl(tmp_path)

    _, command = entries(cron_lines(str(program), None, STATE, ScheduleSettings()))[0]

    assert as_cron_runs_it(command, {}) == ["--state-dir", str(STATE), "refresh", "--quiet"]


@pytest.mark.parametrize("path", ["/srv/a\nb", "/srv/a\\b", "/srv/\udcff"])
def test_a_path_that_no_crontab_or_unit_can_hold_is_refused(path: str) -> None:
    with pytest.raises(UsageError) as by_cron:
        cron_lines(EXECUTABLE, None, Path(path), ScheduleSettings())
    with pytest.raises(UsageError) as by_systemd:
        systemd_units(EXECUTABLE, None, Path(path), ScheduleSettings(), "render")

    said = f"a schedule cannot name a path with a backslash, a line break or the like: {path!r}"
    assert (str(by_cron.value), str(by_systemd.value)) == (said, said)


def test_a_command_that_cron_would_cut_off_is_refused() -> None:
    def refresh(signs: int) -> str:
        return entries(cron_lines(EXECUTABLE, None, Path(f"/srv/{'%' * signs}"), ScheduleSettings()))[0][1]

    most = (998 - len(refresh(0))) // 2  # each of them is two bytes in a crontab
    assert 997 <= len(refresh(most)) <= 998

    with pytest.raises(UsageError) as caught:
        refresh(most + 1)

    assert str(caught.value) == "cron takes commands of 998 bytes: these paths are too long for it, use shorter ones"


def test_the_example_crontab_runs_each_pass_at_its_usual_interval(tmp_path: Path) -> None:
    program = fake_nommerctl(tmp_path / "o'dd place")
    example = (ROOT / "crontab.example").read_text()
    variables = dict(re.findall(r"^([A-Z]+)=(.*)$", example, flags=re.MULTILINE))
    assert variables == {"NOMMERCTL": EXECUTABLE}

    # The one thing that a user changes.
    variables["NOMMERCTL"] = str(program)
    started = {tuple(as_cron_runs_it(command, variables)): expression for expression, command in entries(example)}

    usual = ScheduleSettings()
    assert started == {(verb, "--quiet"): cron_expression(getattr(usual, verb)) for verb in usual.__struct_fields__}


# --- systemd ---------------------------------------------------------------------------------------------------------


def units(text: str) -> dict[str, str]:
    """The printed units by file name."""
    parts = re.split(r"^# /etc/systemd/system/(\S+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def verified(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    for name, content in units(text).items():
        (folder / name).write_text(content)
    files = [str(folder / name) for name in units(text)]
    return subprocess.run([SYSTEMD_ANALYZE, "verify", "--man=no", *files], capture_output=True, text=True, check=False)


def test_there_is_a_service_and_a_timer_for_each_pass() -> None:
    printed = units(systemd_units(EXECUTABLE, PLAIN, STATE, ScheduleSettings(), "render"))

    assert list(printed) == [
        f"nommerctl-{verb}.{kind}" for verb in ("refresh", "scale", "abandon", "prune") for kind in ("service", "timer")
    ]
    assert (
        printed["nommerctl-refresh.service"].rstrip()
        == f"""\
[Unit]
Description=nommerctl refresh

[Service]
Type=oneshot
User=render
ExecStart={EXECUTABLE} --config {PLAIN} --state-dir {STATE} refresh
# 75: an earlier run is still at work, the next one tries again.
SuccessExitStatus=75
NoNewPrivileges=yes
LockPersonality=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes"""
    )
    assert (
        printed["nommerctl-prune.timer"].rstrip()
        == """\
[Unit]
Description=nommerctl prune, every 5min

[Timer]
OnCalendar=*-*-* *:00/5:00
AccuracySec=1s
Persistent=yes

[Install]
WantedBy=timers.target"""
    )


def test_workers_outlive_the_scale_that_started_them() -> None:
    printed = units(systemd_units(EXECUTABLE, PLAIN, STATE, ScheduleSettings(), "render"))

    assert [name for name, unit in printed.items() if "\nKillMode=process\n" in unit] == ["nommerctl-scale.service"]


def test_arguments_are_quoted_for_systemd() -> None:
    printed = units(systemd_units(EXECUTABLE, None, Path("/srv") / ODD, ScheduleSettings(), "render"))

    quoted = r'''"/srv/50%% o'clock $$HOME \"and\" more; #1"'''
    assert f"\nExecStart={EXECUTABLE} --state-dir {quoted} refresh\n" in printed["nommerctl-refresh.service"]


@pytest.mark.skipif(not SYSTEMD_ANALYZE, reason="no systemd here to ask")
def test_systemd_accepts_the_units_and_finds_a_program_in_an_odd_place(tmp_path: Path) -> None:
    program = fake_nommerctl(tmp_path / "50% of $HOME; #1")
    text = systemd_units(str(program), tmp_path / ODD, Path("/srv") / ODD, ScheduleSettings(), "root")

    accepted = verified(tmp_path, text)
    assert (accepted.returncode, accepted.stderr) == (0, "")

    program.unlink()
    missed = verified(tmp_path, text)
    assert f"Command {program} is not executable: No such file or directory" in missed.stderr


def test_a_program_that_systemd_would_not_run_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        systemd_units("/home/o'neil/nommerctl", None, STATE, ScheduleSettings(), "render")

    assert str(caught.value) == "systemd runs nothing that has a quotation mark in its path: /home/o'neil/nommerctl"
