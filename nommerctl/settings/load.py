"""From everything that was given to one frozen record of settings. The surroundings are an argument."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, convert
from msgspec.structs import replace

from nommerctl.domain.config import Settings
from nommerctl.domain.config_fields import config_fields
from nommerctl.settings.checks import PATHS, check_aws, check_notify, check_path, check_together, check_zone
from nommerctl.settings.files import check_private, read_if_there, read_named
from nommerctl.settings.published import Published, from_ledger
from nommerctl.settings.sources import CONFIG_VARIABLE, from_environment, from_file, from_flags
from nommerctl.settings.values import Given, converted


class Surroundings(Struct, frozen=True, kw_only=True):
    """What a process finds around itself: variables, home, the folder it was started in, and who runs it."""

    environment: Mapping[str, str]
    home: Path
    folder: Path
    is_root: bool
    system_file: Path = Path("/etc/nommerctl/config.toml")


class Loaded(Struct, frozen=True, kw_only=True):
    """The settings in force, and how they came about.

    `settings.farm.state_dir` is filled in: an absolute path, also where nothing names it. `file` is the settings file
    that was read, absolute, or None. `origins` has for each dotted name `default`, `ledger`, `file`, `flag`, or
    `environment` with the name of the variable. `ignored` are the names in the ledger that nodes are not told.
    """

    settings: Settings
    file: Path | None
    origins: Mapping[str, str]
    ignored: tuple[str, ...] = ()

    @property
    def state_dir(self) -> Path:
        """The state folder."""
        return Path(self.settings.farm.state_dir)


def load_settings(
    around: Surroundings,
    *,
    config_file: Path | None = None,
    flags: Mapping[str, object] | None = None,
    ledger: Published | None = None,
) -> Loaded:
    """Load the settings: defaults < ledger < file < environment < flags.

    `ledger` is what a node found there. `config_file` is what --config names. `flags` are values by dotted name, None
    where a flag was not given; a relative path is from the folder that the process was started in.

    Raises:
        SettingsError: a file that was named cannot be used, or something in a file, a variable or a flag.
    """
    file, content = _find_file(around, config_file)
    told, ignored = from_ledger(ledger) if ledger else ([], [])
    given = {
        each.field.name: _with_path_expanded(each, around)
        for source in (
            told,
            from_file(content, file) if file else [],
            from_environment(around.environment),
            from_flags(flags or {}),
        )
        for each in source
    }
    settings = _assemble({name: converted(each) for name, each in given.items()})
    for name in sorted(PATHS & given.keys()):
        check_path(given[name])
    check_together(settings, given)
    check_aws(settings, given)
    if "simpledb.old_zone" in given:  # reading zones costs a command time
        check_zone(settings, given)
    check_notify(settings, given)
    secrets = given.get("notify.secrets")
    if file and secrets is not None and secrets.value and secrets.origin == "file":
        check_private(file, secrets.said)
    if not settings.farm.state_dir:
        settings = replace(settings, farm=replace(settings.farm, state_dir=str(_usual_state_dir(around))))
    origins = {name: given[name].origin if name in given else "default" for name in config_fields()}
    return Loaded(settings=settings, file=file, origins=origins, ignored=tuple(ignored))


def _find_file(around: Surroundings, config_file: Path | None) -> tuple[Path | None, dict[str, Any]]:
    """Return the settings file and what it holds: the one that is named, or else the first that is there."""
    if config_file is not None:
        file = around.folder / _expanded(str(config_file), around.home)
        return file, read_named(file, "--config")
    if variable := around.environment.get(CONFIG_VARIABLE):
        file = around.folder / _expanded(variable, around.home)
        return file, read_named(file, CONFIG_VARIABLE)
    own = _xdg(around, "XDG_CONFIG_HOME", ".config") / "nommerctl" / "config.toml"
    for file in (own, around.system_file):
        content = read_if_there(file)
        if content is not None:
            return file, content
    return None, {}


def _assemble(values: Mapping[str, object]) -> Settings:
    sections: dict[str, dict[str, object]] = {}
    for name, value in values.items():
        section, _, key = name.partition(".")
        sections.setdefault(section, {})[key] = value
    return convert(sections, Settings)


def _with_path_expanded(given: Given, around: Surroundings) -> Given:
    """Resolve ~ in a path, and a flag's path from the folder that whoever typed it was in."""
    if given.field.name not in PATHS or not isinstance(given.value, str) or not given.value:
        return given
    path = _expanded(given.value, around.home)
    return replace(given, value=str(around.folder / path) if given.origin == "flag" else path)


def _expanded(path: str, home: Path) -> str:
    return str(home / path[2:]) if path == "~" or path.startswith("~/") else path


def _usual_state_dir(around: Surroundings) -> Path:
    if around.is_root:
        return Path("/var/lib/nommerctl")
    return _xdg(around, "XDG_STATE_HOME", ".local/state") / "nommerctl"


def _xdg(around: Surroundings, variable: str, usual: str) -> Path:
    """Return a base folder of the XDG specification, which says that a relative one is to be ignored."""
    folder = Path(around.environment.get(variable, ""))
    return folder if folder.is_absolute() else around.home / usual
