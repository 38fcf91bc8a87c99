"""The passes as crontab lines and as systemd units: what `schedule` prints.

Every line names the settings file and the state folder in full, so that cron, a timer and a hand at the terminal see
the same farm, whatever variables each of them has.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from nommerctl.domain.config import ScheduleSettings
from nommerctl.domain.schedule import cron_expression, frequency, on_calendar
from nommerctl.errors import UsageError

_CRON_HEADING = """\
# nommerctl: put these lines into your crontab with 'crontab -e', in place of earlier ones.
# All of them may start in the same second. --quiet: a pass says only what went wrong, which cron mails to MAILTO. A
# run that finds an earlier one of its kind still at work leaves it to that one, silently (exit code 75).
# NOMMERCTL_ variables of a terminal do not reach cron: what they set belongs in the settings file.
"""

_SYSTEMD_HEADING = """\
# nommerctl, for systemd: as root, write each part below to the file named over it, then
#   systemctl daemon-reload
#   systemctl enable --now {timers}
# What a pass did, and why it failed: journalctl -u nommerctl-refresh
# NOMMERCTL_ variables of a terminal do not reach systemd: what they set belongs in the settings file.
"""

_SERVICE = """\
# /etc/systemd/system/nommerctl-{verb}.service
[Unit]
Description=nommerctl {verb}

[Service]
Type=oneshot
User={user}
ExecStart={command}
# 75: an earlier run is still at work, the next one tries again.
SuccessExitStatus=75
{workers}NoNewPrivileges=yes
LockPersonality=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
"""

_WORKERS_LIVE_ON = """\
# The workers that scale starts work on when scale has ended; by default systemd would end them with it.
# At the next start it logs them as left-over processes, which is no fault.
KillMode=process
"""

_TIMER = """\
# /etc/systemd/system/nommerctl-{verb}.timer
[Unit]
Description=nommerctl {verb}, {frequency}

[Timer]
OnCalendar={calendar}
AccuracySec=1s
Persistent=yes

[Install]
WantedBy=timers.target
"""


_CRON_LIMIT = 998
"""Bytes of a command, by crontab(5) of Debian; what is beyond is cut off without a word, and the rest is run."""


def cron_lines(executable: str, config: Path | None, state_dir: Path, intervals: ScheduleSettings) -> str:
    """Return lines for the crontab of whoever runs the farm, one for each pass.

    `executable` is the absolute path of nommerctl; every interval must be regular (domain/schedule.py).

    Raises:
        UsageError: a path cannot stand in a crontab.
    """
    lines = [
        f"{cron_expression(interval)} {_cron_command([*_command(executable, config, state_dir, verb), '--quiet'])}\n"
        for verb, interval in _intervals(intervals)
    ]
    return _CRON_HEADING + "".join(lines)


def systemd_units(executable: str, config: Path | None, state_dir: Path, intervals: ScheduleSettings, user: str) -> str:
    """Return a service and a timer for each pass, each under the name of the file that it belongs in.

    They run as `user`. `executable` is the absolute path of nommerctl; every interval must be regular
    (domain/schedule.py).

    Raises:
        UsageError: a path cannot stand in a unit.
    """
    if "'" in executable or '"' in executable:
        message = f"systemd runs nothing that has a quotation mark in its path: {executable}"
        raise UsageError(message)
    parts = [_SYSTEMD_HEADING.format(timers=" ".join(f"nommerctl-{verb}.timer" for verb, _ in _intervals(intervals)))]
    for verb, interval in _intervals(intervals):
        command = _systemd_command(_command(executable, config, state_dir, verb))
        workers = _WORKERS_LIVE_ON if verb == "scale" else ""
        parts += [
            _SERVICE.format(verb=verb, user=user.replace("%", "%%"), command=command, workers=workers),
            _TIMER.format(verb=verb, frequency=frequency(interval), calendar=on_calendar(interval)),
        ]
    return "\n".join(parts)


def _intervals(intervals: ScheduleSettings) -> list[tuple[str, float]]:
    return [(verb, getattr(intervals, verb)) for verb in intervals.__struct_fields__]


def _command(executable: str, config: Path | None, state_dir: Path, verb: str) -> list[str]:
    words = [executable, *(["--config", str(config)] if config else []), "--state-dir", str(state_dir), verb]
    for word in words:
        # Crons differ in what a backslash before another does, and neither file has a way to write a line break that
        # all their versions read.
        if "\\" in word or not word.isprintable():
            message = f"a schedule cannot name a path with a backslash, a line break or the like: {word!r}"
            raise UsageError(message)
    return words


def _cron_command(words: Sequence[str]) -> str:
    """Quote for sh, and then for cron, to which a percent sign is a line break."""
    command = shlex.join(words).replace("%", r"\%")
    if len(command.encode()) > _CRON_LIMIT:
        message = f"cron takes commands of {_CRON_LIMIT} bytes: these paths are too long for it, use shorter ones"
        raise UsageError(message)
    return command


def _systemd_command(words: Sequence[str]) -> str:
    """Quote for ExecStart: percent signs everywhere, dollar signs in all but the program, which is no variable."""
    program, *arguments = (_systemd_quoted(word) for word in words)
    return " ".join([program, *(argument.replace("$", "$$") for argument in arguments)])


def _systemd_quoted(word: str) -> str:
    escaped = word.replace('"', r"\"").replace("%", "%%")
    return escaped if shlex.quote(escaped) == escaped else f'"{escaped}"'
