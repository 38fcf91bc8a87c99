import json
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_the_test
from hypothesis import strategies as st
from msgspec import convert

from nommerctl.domain.config import Settings
from nommerctl.domain.config_fields import ConfigField, config_fields
from nommerctl.domain.durations import LONGEST
from nommerctl.render.config import config_text
from nommerctl.render.config_shown import config_json, config_table, config_tsv
from nommerctl.settings.load import Surroundings, load_settings
from nommerctl.settings.sources import from_file
from nommerctl.settings.values import converted
from tests.fakes.clock import START


def values_of(field: ConfigField) -> st.SearchStrategy[Any]:
    """Every value that a setting may have, from its type and limits in config.py."""
    if field.choices or field.kind is bool:
        return st.sampled_from(field.choices or (False, True))
    if field.is_duration:
        lowest = min(convert(number, float) for number in (0, 1e-9) if accepts(field, number))
        return st.floats(lowest, LONGEST) | st.integers(1, int(LONGEST)).map(float)
    if field.kind is int:
        small = not accepts(field, 10**9)
        return st.integers(0, 10 if small else 10**15).filter(lambda number: accepts(field, number))
    if field.kind is tuple:
        words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters=","), min_size=1)
        return st.lists(words.filter(lambda word: accepts(field, [word])), max_size=3).map(tuple)
    patterns = [meta.pattern for meta in field.metas if meta.pattern]
    if patterns:
        return st.from_regex(patterns[-1], fullmatch=True).filter(lambda text: accepts(field, text))
    unnul = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    return unnul.filter(lambda text: accepts(field, text))


def accepts(field: ConfigField, value: object) -> bool:
    try:
        convert(value, field.annotation)
    except ValueError:
        return False
    return True


@st.composite
def all_settings(draw: st.DrawFn) -> Settings:
    sections: dict[str, dict[str, Any]] = {}
    for field in config_fields().values():
        sections.setdefault(field.section, {})[field.key] = draw(values_of(field))
    return convert(sections, Settings)


@settings_of_the_test(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])  # busy machines
@given(all_settings())
def test_a_written_settings_file_reads_as_the_same_settings(settings: Settings) -> None:
    read = from_file(tomllib.loads(config_text(settings)), Path("/farm.toml"))

    assert {each.field.name: converted(each) for each in read} == {
        name: field.of(settings) for name, field in config_fields().items()
    }


def test_the_generated_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(config_text(Settings()))
    around = Surroundings(environment={}, home=tmp_path, folder=tmp_path, is_root=False)

    with_file, without = load_settings(around, config_file=file), load_settings(around)

    assert with_file.settings == without.settings
    assert set(with_file.origins.values()) == {"file"}


def test_the_generated_file_explains_every_key() -> None:
    text = config_text(Settings())

    assert text.startswith(
        """\
# Settings of nommerctl. A key that is left out, or a whole section, has its default. Durations take a
# unit: 90s, 15min, 24h, 14d, or several, 1h30min.

# Which farm this is.
[farm]
# Name of the farm: lower-case letters, digits, hyphens.
name = "farm"
"""
    )
    assert '# Longest time that one pass may take.\ntime_limit = "4min"\n' in text
    assert "# Never more nodes than this. 0 launches none.\nmax_nodes = 2\n" in text


def test_settings_in_force_are_shown_with_where_each_comes_from() -> None:
    origins = dict.fromkeys(config_fields(), "default")
    origins |= {"scale.max_nodes": "file", "farm.backend": "flag"}
    file = Path("/etc/nommerctl/config.toml")

    lines = config_tsv(Settings(), origins, file).splitlines()
    assert lines[:3] == ["name\tvalue\tfrom", 'farm.name\t"farm"\tdefault', 'farm.backend\t"local"\tflag']
    assert "scale.max_nodes\t2\t/etc/nommerctl/config.toml" in lines
    assert 'worker.lease\t"90s"\tdefault' in lines

    document = json.loads(config_json(Settings(), origins, file, now=START))
    assert document["command"] == "config show"
    assert document["file"] == "/etc/nommerctl/config.toml"
    assert {"name": "worker.lease", "value": 90.0, "from": "default"} in document["settings"]

    table = config_table(Settings(), origins, file, width=90, color=False).splitlines()
    assert table[0].split() == ["SETTING", "VALUE", "FROM"]
    assert ["scale.max_nodes", "2", "/etc/nommerctl/config.toml"] in [line.split() for line in table]
    assert table[-1] == "settings file: /etc/nommerctl/config.toml"
