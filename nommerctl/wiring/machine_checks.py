"""Checks of this machine and of what belongs to the farm on it, whatever backend keeps the jobs."""

import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

from nommerctl import __version__
from nommerctl.adapters.os_errors import translated
from nommerctl.adapters.places import file_system_of, look_at_file, look_at_folder, why_unwritable
from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.places import Place, judge_file_system, judge_room, judge_settings_file, judge_state_folder
from nommerctl.domain.timekeeping import judge_passes
from nommerctl.domain.uris import FILE, scheme_of
from nommerctl.errors import AWAY
from nommerctl.passes.doctor import Check
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm

_OLDEST_SQLITE = (3, 24)
"""What adapters/local/schema.py asks for."""

_ROOM, _TEMPORARY_ROOM = 10**9, 10**8
"""Free bytes below which it is worth a warning: where the farm and its outputs live, and where only trials do."""

_JOBS_LOOKED_AT = 1_000
"""Unfinished jobs, oldest first, whose destinations are looked at."""


def machine_checks(farm: Farm, *, attended: bool) -> list[Check]:
    """Return the checks; `attended` is whether a person is there, and not cron."""
    return [
        Check("settings", partial(_settings, farm, attended=attended)),
        Check("versions", _versions),
        Check("state folder", partial(_state_folder, farm)),
        Check("file system", partial(_file_system, farm)),
        Check("disk room", partial(_room, farm)),
        Check("archive", partial(_archive, farm)),
        Check("passes", partial(_passes, farm)),
        Check("notices", partial(_notices, farm)),
    ]


def _settings(farm: Farm, *, attended: bool) -> Iterator[Finding]:
    """Settings that cannot be used have ended the command with 78 before this."""
    origins = [origin.partition(" ") for name, origin in farm.loaded.origins.items() if name != "farm.state_dir"]
    variables = [variable for origin, _, variable in origins if origin == "environment"] if attended else []
    file = farm.loaded.file
    read = file is not None and file.is_file()  # and not /dev/null
    yield judge_settings_file(look_at_file(file) if file and read else None, variables)


def _versions() -> Iterator[Finding]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    found = f"nommerctl {__version__}, Python {python}, SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        yield Finding("versions", Verdict.FAILED, found, "use a Python whose SQLite is 3.24 or newer")
    else:
        yield Finding("versions", Verdict.OK, found)


def _state_folder(farm: Farm) -> list[Finding]:
    return judge_state_folder(look_at_folder(farm.state_dir, inner=("cache", "locks")), user=process.user_name())


def _file_system(farm: Farm) -> Iterator[Finding]:
    yield judge_file_system(str(farm.state_dir), file_system_of(farm.state_dir, locking=True))


def _room(farm: Farm) -> Iterator[Finding]:
    temporary = _temporary()
    places = [
        Place(
            purpose="the state folder", path=str(farm.state_dir), system=file_system_of(farm.state_dir), enough=_ROOM
        ),
        Place(purpose="temporary files", path=str(temporary), system=file_system_of(temporary), enough=_TEMPORARY_ROOM),
    ]
    for folder in _destinations(farm):
        if folder.is_dir():
            places.append(Place(purpose="outputs", path=str(folder), system=file_system_of(folder), enough=_ROOM))
        else:
            found = f"there is no folder '{folder}', where unfinished jobs write their outputs"
            yield Finding("disk room", Verdict.WARNING, found, "make it, or cancel those jobs: they will fail")
    yield from judge_room(places)


def _destinations(farm: Farm) -> list[Path]:
    """The folders that unfinished jobs write into; none if the store cannot be read, which its own check says."""
    dests: list[str] = []
    with suppress(*AWAY):
        if farm.is_local:  # elsewhere outputs go to buckets
            dests += [job.dest for job in islice(farm.look().store.unfinished(), _JOBS_LOOKED_AT)]
    return list(dict.fromkeys(Path(dest).parent for dest in dests if scheme_of(dest) == FILE))


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise translated(error, "there is no folder for temporary files (TMPDIR)") from error


def _archive(farm: Farm) -> Iterator[Finding]:
    if not farm.settings.upkeep.archive:
        return
    why = why_unwritable(Path(farm.settings.upkeep.archive))
    named = f"upkeep.archive '{farm.settings.upkeep.archive}'"
    if why is None:
        yield Finding("archive", Verdict.OK, f"{named} can be written")
    else:
        advice = "make it possible, or name another file: until then prune removes nothing from the store"
        yield Finding("archive", Verdict.FAILED, f"{named} cannot be written: {why}", advice)


def _notices(farm: Farm) -> Iterator[Finding]:
    """What passes left for every command to say, such as that the breaker is open."""
    for sentence in farm.notices():
        yield Finding("notices", Verdict.WARNING, sentence)


def _passes(farm: Farm) -> list[Finding]:
    return judge_passes(farm.records.read(), farm.settings.schedule, farm.clock())
