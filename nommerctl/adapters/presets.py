"""The presets that come with nommerctl: TOML files beside this module, one a preset."""

import tomllib
from importlib.resources import files

from nommerctl.domain.options import Preset, parse_options
from nommerctl.errors import UsageError

_SUFFIX = ".toml"


class PresetLibrary:
    """Reads packaged presets. They pass the same parser and checks as a user's own options."""

    def __init__(self) -> None:
        self._folder = files("nommerctl.adapters") / "presets"

    def names(self) -> list[str]:
        """Return the names of all presets, sorted."""
        entries = (entry.name for entry in self._folder.iterdir())
        return sorted(name.removesuffix(_SUFFIX) for name in entries if name.endswith(_SUFFIX))

    def load(self, name: str) -> Preset:
        """Return a preset; UsageError that lists the names if there is none of this name."""
        if name not in self.names():
            msg = f"there is no preset {name!r}; there are {', '.join(self.names())}"
            raise UsageError(msg)
        document = tomllib.loads((self._folder / f"{name}{_SUFFIX}").read_text(encoding="utf-8"))
        return Preset(
            name=name,
            description=document["description"],
            suffix=document["suffix"],
            passes=parse_options(document["passes"]),
        )
