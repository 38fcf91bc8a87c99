"""Importing media-nommer's settings: from its file to one of ours, which is read back before anybody gets it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from nommerctl.domain.taken_over import Takeover
from nommerctl.errors import NommerctlError
from nommerctl.render.taken_over import takeover_text
from nommerctl.settings.load import Surroundings, load_settings
from nommerctl.settings.nomconf import MOST_BYTES, parse_nomconf
from nommerctl.settings.nomconf_homes import taken_over
from nommerctl.wiring.line_files import name_of, whole_file


def import_nomconf(file: str) -> tuple[str, Takeover]:
    """Return the settings file for a nomconf.py (`-`: standard input), and what came of each of its settings.

    Raises:
        UsageError: it cannot be read.
        SettingsError: it is not such a file, or a value in it cannot be used.
    """
    named = name_of(file)
    takeover = taken_over(parse_nomconf(whole_file(file, MOST_BYTES, "settings"), named))
    text = takeover_text(takeover, named)
    _prove(text, takeover)
    return text, takeover


def _prove(text: str, takeover: Takeover) -> None:
    """Raise if the text does not read as what was taken over."""
    with TemporaryDirectory(prefix="nommerctl-") as scratch:
        folder = Path(scratch)
        file = folder / "config.toml"
        file.write_text(text, encoding="utf-8")
        around = Surroundings(environment={}, home=folder, folder=folder, is_root=False)
        settings = load_settings(around, config_file=file).settings
    for each in takeover.settings:
        if each.field.of(settings) != each.value:
            msg = f"a bug in nommerctl, please report it: {each.field.name} was not written as it was read"
            raise NommerctlError(msg)
