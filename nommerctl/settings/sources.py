"""Where values come from: a settings file's content, variables, flags. Each becomes a list of what was given."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nommerctl.domain.config_fields import ConfigField, config_fields
from nommerctl.errors import SettingsError
from nommerctl.settings.values import Given, shown

CONFIG_VARIABLE = "NOMMERCTL_CONFIG"
_PREFIX = "NOMMERCTL_"
_SHORT_NAMES = {"NOMMERCTL_BACKEND": "farm.backend", "NOMMERCTL_STATE_DIR": "farm.state_dir"}


def from_file(content: Mapping[str, Any], file: Path) -> list[Given]:
    """Return what a settings file gives; SettingsError for a section or key that there is not."""
    fields = config_fields()
    sections = {field.section for field in fields.values()}
    given = []
    for section, table in content.items():
        if section not in sections:
            raise _unknown_section(section, table, sections, file)
        if not isinstance(table, dict):
            message = f"{section} in {file} must be a section of settings, not {shown(table)}"
            raise SettingsError(message)
        for key, value in table.items():
            name = f"{section}.{key}"
            if name not in fields:
                message = f"unknown setting {name} in {file}{_suggestion([*_same_key(key), *_nearest(name, fields)])}"
                raise SettingsError(message)
            said = f"{name} in {file}"
            field = fields[name]
            given.append(Given(field=field, value=value, said=said, place=str(file), origin="file", textual=False))
    return given


def from_environment(environment: Mapping[str, str]) -> list[Given]:
    """Return what variables give; SettingsError for a NOMMERCTL_ variable that there is not, or one given twice."""
    fields = config_fields()
    by_variable = {f"{_PREFIX}{field.section}_{field.key}".upper(): field for field in fields.values()}
    by_variable |= {variable: fields[name] for variable, name in _SHORT_NAMES.items()}
    given: dict[str, Given] = {}
    for variable in sorted(environment):
        if not variable.startswith(_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        field = by_variable.get(variable)
        if field is None:
            raise _unknown_variable(variable, [*by_variable, CONFIG_VARIABLE])
        if field.name in given:
            message = f"{given[field.name].place} and {variable} are two names of {field.name}: set only one of them"
            raise SettingsError(message)
        given[field.name] = _said_by(variable, f"environment {variable}", field, environment[variable])
    return list(given.values())


def from_flags(flags: Mapping[str, object]) -> list[Given]:
    """Return what flags give, by dotted name; None is a flag that was not given. `farm.state_dir` is --state-dir."""
    return [
        _said_by(f"--{field.key.replace('_', '-')}", "flag", field, str(value) if isinstance(value, Path) else value)
        for field, value in ((config_fields()[name], value) for name, value in flags.items())
        if value is not None
    ]


def _said_by(place: str, origin: str, field: ConfigField, value: object) -> Given:
    return Given(field=field, value=value, said=place, place=place, origin=origin, textual=True)


def _unknown_section(section: str, content: object, sections: Iterable[str], file: Path) -> SettingsError:
    if isinstance(content, dict):
        suggestion = _suggestion([f"[{near}]" for near in _nearest(section, sections)])
        return SettingsError(f"unknown section [{section}] in {file}{suggestion}")
    return SettingsError(f"unknown setting {section} in {file}{_suggestion(_same_key(section))}")


def _unknown_variable(variable: str, known: Iterable[str]) -> SettingsError:
    # The prefix is all alike and would make any two names near.
    near = _nearest(variable.removeprefix(_PREFIX), [each.removeprefix(_PREFIX) for each in known])
    return SettingsError(f"unknown variable {variable}{_suggestion([f'{_PREFIX}{name}' for name in near])}")


def _same_key(key: str) -> list[str]:
    return [field.name for field in config_fields().values() if field.key == key]


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # here, because only a mistake needs it

    return get_close_matches(name, sorted(known), n=1)


def _suggestion(candidates: list[str]) -> str:
    return f": did you mean {candidates[0]}?" if candidates else "; 'nommerctl config generate' shows all there are"
