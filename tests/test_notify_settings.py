"""The settings of notifications: what cannot sign, is no network, or is no secret any more."""

import base64
from pathlib import Path

import pytest

from nommerctl.domain.config import NotifyFormat, NotifySettings, Settings
from nommerctl.errors import ExitCode, SettingsError
from nommerctl.settings.load import Surroundings, load_settings
from nommerctl.settings.published import published_text
from tests.cli import InProcessCli


def secret(size: int = 32, letter: bytes = b"k") -> str:
    return f"whsec_{base64.b64encode(letter * size).decode()}"


def load(folder: Path, text: str, mode: int = 0o600) -> Settings:
    file = folder / "farm.toml"
    file.write_text(text)
    file.chmod(mode)
    around = Surroundings(environment={}, home=folder, folder=folder, is_root=False)
    return load_settings(around, config_file=file).settings


def complaint(folder: Path, text: str, mode: int = 0o600) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, text, mode)
    assert caught.value.code is ExitCode.SETTINGS
    return str(caught.value).replace(str(folder / "farm.toml"), "FILE")


def test_all_that_can_be_said(tmp_path: Path) -> None:
    old, new = secret(24), secret(64)
    text = (
        f'[notify]\nformat = "standard"\nsecrets = ["{new}", "{old}"]\nattempts = 3\n'
        'allow_private = ["10.0.0.0/8", "fd00::/8", "127.0.0.1"]\n'
    )
    assert load(tmp_path, text).notify == NotifySettings(
        format=NotifyFormat.STANDARD,
        secrets=(new, old),
        attempts=3,
        allow_private=("10.0.0.0/8", "fd00::/8", "127.0.0.1"),
    )


@pytest.mark.parametrize(
    "secrets",
    [
        f'["{secret(23)}"]',
        f'["{secret(65)}"]',
        f'["{secret().removeprefix("whsec_")}"]',
        f'["{secret()}!"]',
        f'["{secret()}", "{secret(letter=b"l")}", "{secret(letter=b"m")}"]',
    ],
)
def test_secrets_that_cannot_sign_are_refused_and_not_repeated(tmp_path: Path, secrets: str) -> None:
    said = complaint(tmp_path, f"[notify]\nsecrets = {secrets}\n")
    assert said.endswith(' must be one or two secrets, each "whsec_" and 24 to 64 random bytes in base64, not ***')


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    said = complaint(tmp_path, f'[notify]\nsecrets = "{secret()}"\n')
    assert said == "notify.secrets in FILE must be a list of words without blanks or commas, not ***"


def test_what_is_to_be_signed_needs_a_secret(tmp_path: Path) -> None:
    assert complaint(tmp_path, '[notify]\nformat = "standard"\n') == (
        "notify.format in FILE is 'standard', and notify.secrets has nothing to sign with:"
        ' give it a secret, "whsec_..."'
    )


@pytest.mark.parametrize("mode", [0o644, 0o604])
def test_a_file_with_secrets_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    text = f'[notify]\nsecrets = ["{secret()}"]\n'
    assert complaint(tmp_path, text, mode) == (
        "notify.secrets in FILE is secret, and every user of this machine may read that file: chmod o-rwx FILE"
    )
    assert load(tmp_path, "[notify]\nsecrets = []\n", mode).notify.secrets == ()
    assert load(tmp_path, text, 0o640).notify.secrets == (secret(),)


@pytest.mark.parametrize("network", ["10.0.0.0/33", "10.0.0.1/8", "everything", "10.0.0.0-10.0.0.9"])
def test_what_is_no_network_is_refused(tmp_path: Path, network: str) -> None:
    assert complaint(tmp_path, f'[notify]\nallow_private = ["{network}"]\n') == (
        "notify.allow_private in FILE must be networks whose numbers end where their size says, such as"
        f' "10.0.0.0/8", not {network!r}'
    )


@pytest.mark.parametrize("attempts", [0, 11])
def test_there_are_no_more_attempts_than_the_schedule_has(tmp_path: Path, attempts: int) -> None:
    said = complaint(tmp_path, f"[notify]\nattempts = {attempts}\n")
    assert said == f"notify.attempts in FILE must be a whole number of at least 1 and at most 10, not {attempts}"


def test_nodes_are_told_no_secret(tmp_path: Path) -> None:
    settings = load(tmp_path, f'[notify]\nsecrets = ["{secret()}"]\n')
    assert "notify" not in published_text(settings)


def test_config_show_shows_no_secret(here: InProcessCli) -> None:
    here.settings["NOTIFY_SECRETS"] = f"{secret()},{secret(letter=b'l')}"
    shown = here.run("config", "show").stdout + here.run("config", "show", "--json").stdout
    assert "whsec_" not in shown
    assert 'notify.secrets\t["***", "***"]\tenvironment' in shown
    assert '{"name":"notify.secrets","value":["***","***"]' in shown
