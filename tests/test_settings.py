from pathlib import Path
from typing import Any

import pytest

from nommerctl.domain.config import FarmSettings, FfmpegSettings, Settings
from nommerctl.domain.config_aws import AwsSettings
from nommerctl.domain.config_fields import ConfigField, config_fields
from nommerctl.errors import ExitCode, SettingsError
from nommerctl.settings.load import Loaded, Surroundings, load_settings
from nommerctl.settings.published import Published, published_text

NO_VARIABLES: dict[str, str] = {}


def surroundings(tmp_path: Path, *, environment: dict[str, str] = NO_VARIABLES, is_root: bool = False) -> Surroundings:
    return Surroundings(
        environment=environment,
        home=tmp_path / "home",
        folder=tmp_path / "here",
        is_root=is_root,
        system_file=tmp_path / "etc" / "config.toml",
    )


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def load_text(tmp_path: Path, text: str) -> Loaded:
    return load_settings(surroundings(tmp_path), config_file=write(tmp_path / "farm.toml", text))


def complaint(tmp_path: Path, text: str) -> str:
    """What is said of a settings file with this text, its path shortened to FILE."""
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, text)
    return str(caught.value).replace(str(tmp_path / "farm.toml"), "FILE")


def complaint_of_environment(tmp_path: Path, environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(surroundings(tmp_path, environment=environment))
    return str(caught.value)


# --- which file ------------------------------------------------------------------------------------------------------


def test_without_any_file_everything_is_a_default(tmp_path: Path) -> None:
    loaded = load_settings(surroundings(tmp_path))

    assert loaded.file is None
    assert loaded.settings.scale == Settings().scale
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == set(config_fields())


def test_files_are_searched_in_the_documented_order(tmp_path: Path) -> None:
    system = write(tmp_path / "etc" / "config.toml", "scale.max_nodes = 1")
    assert load_settings(surroundings(tmp_path)).file == system

    own = write(tmp_path / "home" / ".config" / "nommerctl" / "config.toml", "scale.max_nodes = 2")
    assert load_settings(surroundings(tmp_path)).file == own

    xdg = write(tmp_path / "xdg" / "nommerctl" / "config.toml", "scale.max_nodes = 3")
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert load_settings(surroundings(tmp_path, environment=environment)).file == xdg

    by_variable = write(tmp_path / "home" / "variable.toml", "scale.max_nodes = 4")
    environment["NOMMERCTL_CONFIG"] = "~/variable.toml"
    assert load_settings(surroundings(tmp_path, environment=environment)).file == by_variable

    by_flag = write(tmp_path / "here" / "flag.toml", "scale.max_nodes = 5")
    loaded = load_settings(surroundings(tmp_path, environment=environment), config_file=Path("flag.toml"))
    assert loaded.file == by_flag
    assert loaded.settings.scale.max_nodes == 5


def test_a_relative_xdg_folder_is_ignored(tmp_path: Path) -> None:
    write(tmp_path / "here" / "xdg" / "nommerctl" / "config.toml", "scale.max_nodes = 3")

    assert load_settings(surroundings(tmp_path, environment={"XDG_CONFIG_HOME": "xdg"})).file is None


def test_a_named_file_that_is_missing_is_told_with_who_named_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"

    with pytest.raises(SettingsError) as by_flag:
        load_settings(surroundings(tmp_path), config_file=missing)
    assert str(by_flag.value) == f"the settings file {missing} (from --config) does not exist"
    assert by_flag.value.code == ExitCode.SETTINGS

    by_variable = complaint_of_environment(tmp_path, {"NOMMERCTL_CONFIG": str(missing)})
    assert by_variable == f"the settings file {missing} (from NOMMERCTL_CONFIG) does not exist"


def test_a_folder_is_not_a_settings_file_not_even_one_that_nobody_named(tmp_path: Path) -> None:
    folder = tmp_path / "etc" / "config.toml"
    folder.mkdir(parents=True)

    assert complaint_of_environment(tmp_path, {}) == f"the settings file {folder} is a folder, not a file"


def test_a_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    loop = tmp_path / "etc" / "config.toml"
    loop.parent.mkdir()
    loop.symlink_to(loop)

    said = complaint_of_environment(tmp_path, {})
    assert said == f"the settings file {loop} cannot be read: Too many levels of symbolic links"


def test_what_is_not_utf8_is_told_with_the_byte(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes('[farm]\nstate_dir = "/srv/caf\u00e9"'.encode("latin-1"))

    with pytest.raises(SettingsError) as caught:
        load_settings(surroundings(tmp_path), config_file=file)
    assert str(caught.value) == f"the settings file {file} is not UTF-8 text: see its byte 29"


ZONES = 'the name of a time zone, such as "America/New_York" (of a right one: install tzdata)'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[scale", "the settings file FILE is not TOML: Expected ']' at the end of a table declaration"),
        (f"a = {'1' * 5000}", "the settings file FILE is not TOML: Exceeds the limit"),
        (f"a = {'[' * 5000}", "the settings file FILE is nested too deep to be read"),
    ],
)
def test_what_is_not_toml_is_told_with_where_it_breaks(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text).startswith(said)


# --- what a file holds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[scale]\nmax_node = 3", "unknown setting scale.max_node in FILE: did you mean scale.max_nodes?"),
        ("[farm]\nmax_nodes = 3", "unknown setting farm.max_nodes in FILE: did you mean scale.max_nodes?"),
        ("max_nodes = 3", "unknown setting max_nodes in FILE: did you mean scale.max_nodes?"),
        ("[scal]\nmax_nodes = 3", "unknown section [scal] in FILE: did you mean [scale]?"),
        ("[quux]", "unknown section [quux] in FILE; 'nommerctl config generate' shows all there are"),
        ("scale = 3", "scale in FILE must be a section of settings, not 3"),
        ("[[scale]]", "scale in FILE must be a section of settings, not a list"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('scale.max_nodes = "three"', "scale.max_nodes in FILE must be a whole number of at least 0, not 'three'"),
        ("scale.max_nodes = -1", "scale.max_nodes in FILE must be a whole number of at least 0, not -1"),
        ("scale.max_nodes = 1.5", "scale.max_nodes in FILE must be a whole number of at least 0, not 1.5"),
        ("scale.max_nodes = true", "scale.max_nodes in FILE must be a whole number of at least 0, not true"),
        ("worker.slots = 0", "worker.slots in FILE must be a whole number of at least 1, not 0"),
        ('farm.backend = "azure"', "farm.backend in FILE must be 'local' or 'aws' or 'simpledb', not 'azure'"),
        ('simpledb.old_zone = "Mars/Phobos"', f"simpledb.old_zone in FILE must be {ZONES}, not 'Mars/Phobos'"),
        ('simpledb.old_zone = "../etc/passwd"', f"simpledb.old_zone in FILE must be {ZONES}, not '../etc/passwd'"),
        (
            'aws.subnets = "subnet-1"',
            "aws.subnets in FILE must be a list of words without blanks or commas, not 'subnet-1'",
        ),
        ('aws.subnets = ["a b"]', "aws.subnets in FILE must be a list of words without blanks or commas, not a list"),
        (
            'farm.name = "My Farm"',
            (
                "farm.name in FILE must be text of the form ^[a-z0-9][a-z0-9-]{0,31}\\Z"
                " (Name of the farm: lower-case letters, digits, hyphens), not 'My Farm'"
            ),
        ),
        ("ffmpeg.path = {}", "ffmpeg.path in FILE must be text, not a table"),
        (
            f'ffmpeg.threads = "{"x" * 200}"',
            f"ffmpeg.threads in FILE must be a whole number of at least 0, not '{'x' * 60}...'",
        ),
        ('farm.state_dir = "state"', "farm.state_dir in FILE must be an absolute path, or empty, not 'state'"),
        ('upkeep.archive = "a.jsonl"', "upkeep.archive in FILE must be an absolute path, or empty, not 'a.jsonl'"),
        *(
            (
                f'aws.buckets = ["masters", "{name}"]',
                (
                    'aws.buckets in FILE must be buckets or folders in them, such as "films" or "films/out", without'
                    f" wildcards, not '{name}'"
                ),
            )
            for name in ("Films", "fi", "*", "films/*", "films/a?", "films//out", "films/${aws}", "arn:aws:s3:::films")
        ),
        ('aws.index_url = "ftp://x"', "aws.index_url in FILE: 'ftp://x' is not an http: or https: URL"),
        (
            'aws.index_url = "https://"',
            "aws.index_url in FILE: 'https://' names no host: a URL looks like https://host/path",
        ),
        (
            'aws.index_url = "https://ann:secret@pypi.example/simple"',
            "aws.index_url in FILE: a URL with a user name or password in it is refused",
        ),
        ('ffmpeg.path = "/a\\u0000"', "ffmpeg.path in FILE must be text without a NUL character, not '/a\\x00'"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text) == said


def test_buckets_may_be_written_as_folders_and_as_uris(tmp_path: Path) -> None:
    text = 'aws.buckets = ["films", "films/out/", "s3://masters.of.films/in/2026"]'
    assert load_text(tmp_path, text).settings.aws.buckets == ("films", "films/out/", "s3://masters.of.films/in/2026")


@pytest.mark.parametrize("value", ['"soon"', '""', "0", "-5", "nan", "true", "2026-01-31", '"1h30"', "[]"])
def test_what_is_no_duration_is_told_with_examples(tmp_path: Path, value: str) -> None:
    said = complaint(tmp_path, f"worker.lease = {value}")

    assert said.startswith("worker.lease in FILE must be a duration above zero such as 90s, 15min, 24h or 14d, not ")


@pytest.mark.parametrize("value", ["inf", "99999999999", '"36501d"', '"1e999"'])
def test_a_duration_stays_within_the_calendar(tmp_path: Path, value: str) -> None:
    said = complaint(tmp_path, f"worker.lease = {value}")

    assert said.startswith("worker.lease in FILE must be a duration of at most 36500d, not ")


def test_durations_are_numbers_of_seconds_or_text_with_units(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        '[upkeep]\nabandon_after = 60\nabandon_pending_after = "14d"\nretention = "1h30min"\nresync_every = 0.5',
    )

    assert loaded.settings.upkeep.abandon.in_work == 60
    assert loaded.settings.upkeep.abandon.pending == 14 * 86_400
    assert loaded.settings.upkeep.retention == 5_400
    assert loaded.settings.upkeep.resync_every == 0.5


# --- the environment and flags ---------------------------------------------------------------------------------------


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    file = write(
        tmp_path / "farm.toml", '[farm]\nstate_dir = "/file"\nname = "attic"\n[scale]\nmax_nodes = 7\nmin_nodes = 1'
    )
    environment = {"NOMMERCTL_STATE_DIR": "/variable", "NOMMERCTL_SCALE_MAX_NODES": "8", "HOME": "/elsewhere"}

    loaded = load_settings(
        surroundings(tmp_path, environment=environment),
        config_file=file,
        flags={"farm.state_dir": Path("/flag"), "farm.backend": None},
    )

    assert loaded.state_dir == Path("/flag")
    assert loaded.settings.scale.max_nodes == 8
    assert loaded.settings.scale.min_nodes == 1
    assert loaded.origins["farm.state_dir"] == "flag"
    assert loaded.origins["scale.max_nodes"] == "environment NOMMERCTL_SCALE_MAX_NODES"
    assert loaded.origins["scale.min_nodes"] == "file"
    assert loaded.origins["farm.backend"] == "default"


def test_variables_are_read_as_what_the_setting_is(tmp_path: Path) -> None:
    environment = {
        "NOMMERCTL_BACKEND": "local",
        "NOMMERCTL_FARM_NAME": "attic",
        "NOMMERCTL_WORKER_LEASE": "2min",
        "NOMMERCTL_WORKER_HEARTBEAT": "7.5",
        "NOMMERCTL_WORKER_SLOTS": "4",
        "NOMMERCTL": "/opt/nommerctl/.venv/bin/nommerctl",
    }

    loaded = load_settings(surroundings(tmp_path, environment=environment))

    assert loaded.settings.farm.name == "attic"
    assert loaded.settings.worker.lease == 120
    assert loaded.settings.worker.heartbeat == 7.5
    assert loaded.settings.worker.slots == 4


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (
            {"NOMMERCTL_SCALE_MAX_NODES": "three"},
            "NOMMERCTL_SCALE_MAX_NODES must be a whole number of at least 0, not 'three'",
        ),
        ({"NOMMERCTL_STATE_DIR": "state"}, "NOMMERCTL_STATE_DIR must be an absolute path, or empty, not 'state'"),
        (
            {"NOMMERCTL_SCALE_MAX_NODE": "3"},
            "unknown variable NOMMERCTL_SCALE_MAX_NODE: did you mean NOMMERCTL_SCALE_MAX_NODES?",
        ),
        ({"NOMMERCTL_CONFG": "x"}, "unknown variable NOMMERCTL_CONFG: did you mean NOMMERCTL_CONFIG?"),
        (
            {"NOMMERCTL_QUUX": "x"},
            "unknown variable NOMMERCTL_QUUX; 'nommerctl config generate' shows all there are",
        ),
        (
            {"NOMMERCTL_BACKEND": "local", "NOMMERCTL_FARM_BACKEND": "local"},
            "NOMMERCTL_BACKEND and NOMMERCTL_FARM_BACKEND are two names of farm.backend: set only one of them",
        ),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    assert complaint_of_environment(tmp_path, environment) == said


def test_a_wrong_flag_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(surroundings(tmp_path), flags={"farm.time_limit": "soon"})

    assert str(caught.value) == (
        "--time-limit must be a duration above zero such as 90s, 15min, 24h or 14d, not 'soon'"
    )


# --- the state folder ------------------------------------------------------------------------------------------------


def test_the_state_folder_nobody_names_is_the_system_s_for_root_and_one_s_own_for_others(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": "/srv/state"}

    assert load_settings(surroundings(tmp_path, is_root=True)).state_dir == Path("/var/lib/nommerctl")
    assert load_settings(surroundings(tmp_path)).state_dir == tmp_path / "home/.local/state/nommerctl"
    assert load_settings(surroundings(tmp_path, environment=environment)).state_dir == Path("/srv/state/nommerctl")


def test_paths_know_home_and_a_flag_s_path_is_from_where_it_was_typed(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, '[farm]\nstate_dir = "~/farm"\n[upkeep]\narchive = "~/old.jsonl"')
    assert loaded.state_dir == tmp_path / "home" / "farm"
    assert loaded.settings.upkeep.archive == str(tmp_path / "home" / "old.jsonl")

    by_flag = load_settings(surroundings(tmp_path), flags={"farm.state_dir": "farm"})
    assert by_flag.state_dir == tmp_path / "here" / "farm"


# --- settings together -----------------------------------------------------------------------------------------------


def test_a_heartbeat_must_come_three_times_in_a_lease(tmp_path: Path) -> None:
    said = complaint(tmp_path, '[worker]\nlease = "30s"')

    assert said == "worker.heartbeat, 20s (default), must be at most a third of worker.lease, 30s (FILE)"
    assert load_text(tmp_path, '[worker]\nlease = "60s"').settings.worker.lease == 60


def test_the_least_nodes_are_not_above_the_most(tmp_path: Path) -> None:
    environment = {"NOMMERCTL_SCALE_MIN_NODES": "5"}

    assert complaint_of_environment(tmp_path, environment) == (
        "scale.min_nodes, 5 (NOMMERCTL_SCALE_MIN_NODES), must not be above scale.max_nodes, 2 (default)"
    )


def test_an_interval_that_cron_cannot_keep_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path, '[schedule]\nprune = "7min"') == (
        "schedule.prune in FILE must be whole minutes that divide an hour, whole hours that divide a day, or a day"
        " (cron knows no other), not '7min'"
    )


@pytest.mark.parametrize("field", config_fields().values(), ids=lambda field: str(field.name))
def test_every_setting_is_described_and_of_a_kind_that_the_sentences_know(field: ConfigField) -> None:
    assert field.description.endswith(".")
    assert field.kind in {bool, int, str, tuple} or field.is_duration or field.choices


# --- what nodes read of them -----------------------------------------------------------------------------------------


def of_ledger(tmp_path: Path, text: str, **more: Any) -> Loaded:  # noqa: ANN401 - arguments of load_settings
    environment = more.pop("environment", NO_VARIABLES)
    published = Published(table="nommerctl-farm-ledger", text=text)
    return load_settings(surroundings(tmp_path, environment=environment), ledger=published, **more)


def test_published_settings_read_back_as_they_were(tmp_path: Path) -> None:
    given = load_text(
        tmp_path,
        """
        farm.name = "films"
        farm.backend = "aws"
        worker.lease = "60s"
        worker.heartbeat = 5
        scale.min_nodes = 7
        scale.max_nodes = 9
        aws.prices = ["c7i.large=0.1"]
        aws.market = "spot"
        """,
    ).settings
    read = of_ledger(tmp_path, published_text(given))
    assert published_text(read.settings) == published_text(given)
    assert (read.settings.farm.name, read.settings.worker.lease, read.settings.scale.min_nodes) == ("films", 60, 7)
    assert read.origins["worker.lease"] == "ledger"
    assert read.origins["upkeep.retention"] == "default"


def test_neither_secrets_nor_what_is_the_controller_s_own_is_published() -> None:
    own = Settings(
        farm=FarmSettings(state_dir="/srv/farm"),
        aws=AwsSettings(profile="boss", key_name="key", subnets=("subnet-1",)),
        ffmpeg=FfmpegSettings(path="/home/boss/ffmpeg"),
    )
    text = published_text(own)
    assert not [word for word in ("/srv/farm", "boss", "key_name", "subnet", "retention", "path") if word in text]


def test_what_is_not_published_is_not_taken_from_the_ledger_either_whoever_wrote_it_there(tmp_path: Path) -> None:
    text = '{"ffmpeg": {"path": "/bin/sh", "threads": 2}, "upkeep": {"archive": "/etc/passwd"}}'
    read = of_ledger(tmp_path, text)
    assert read.settings.ffmpeg == FfmpegSettings(threads=2)
    assert read.settings.upkeep.archive == ""
    assert read.ignored == ("ffmpeg.path", "upkeep.archive")


def test_file_variables_and_flags_win_over_the_ledger(tmp_path: Path) -> None:
    text = '{"worker": {"slots": 2, "max_attempts": 4}, "farm": {"backend": "aws", "name": "films"}}'
    file = write(tmp_path / "farm.toml", "worker.slots = 3")
    environment = {"NOMMERCTL_WORKER_MAX_ATTEMPTS": "5"}
    read = of_ledger(
        tmp_path, text, config_file=file, environment=environment, flags={"farm.backend": "local"}
    ).settings
    assert (read.worker.slots, read.worker.max_attempts, read.farm.backend, read.farm.name) == (3, 5, "local", "films")


def test_what_is_not_known_in_the_ledger_is_left_out_and_told(tmp_path: Path) -> None:
    read = of_ledger(tmp_path, '{"worker": {"slots": 2, "mood": 1}, "weather": {"sun": true}}')
    assert read.settings.worker.slots == 2
    assert read.ignored == ("weather.sun", "worker.mood")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"worker": {"lease": "soon"}}', "worker.lease in TABLE must be a duration above zero such as 90s, "),
        ('{"worker": {"heartbeat": 80}}', "worker.heartbeat, 80s (TABLE), must be at most a third of worker.lease, "),
    ],
)
def test_a_wrong_value_in_the_ledger_is_told_by_its_table(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        of_ledger(tmp_path, text)
    assert str(caught.value).replace("table 'nommerctl-farm-ledger'", "TABLE").startswith(said)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"worker": 3}'])
def test_what_holds_no_settings_at_all_is_to_be_written_anew(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"in table 'nommerctl-farm-ledger' cannot be read .*: run 'nommerctl sc"):
        of_ledger(tmp_path, text)
