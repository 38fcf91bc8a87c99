"""From what was typed, or stands in a line of a file, to a request: presets and files of options are looked up."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from nommerctl.domain.job import EncodePass
from nommerctl.domain.json_input import json_in
from nommerctl.domain.options import parse_options
from nommerctl.domain.text import shown
from nommerctl.domain.uris import FILE, normalised, scheme_of
from nommerctl.errors import UsageError
from nommerctl.passes.submit import Request
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm

MOST_OPTIONS = 1024 * 1024
"""Bytes of a file of options: it may be a pipe, or a device without an end."""


class Submission(Struct, frozen=True, kw_only=True):
    """What was typed. `options` is a file, or what stands in a line instead of its name."""

    sources: tuple[str, ...]
    dest: str
    preset: str | None = None
    options: Path | tuple[EncodePass, ...] | None = None
    suffix: str | None = None
    client_id: str | None = None
    notify_url: str | None = None


class Recipe(NamedTuple):
    """What to do to a source. `suffix` is what the preset says, None if there is none."""

    passes: tuple[EncodePass, ...]
    suffix: str | None
    preset: str | None


class Requests:
    """Makes requests of submissions. Each preset and file is read once, and equal options are one object."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._cwd = str(Path.cwd())
        self._by = process.user()
        self._read: dict[str | Path, Recipe] = {}
        self._passes: dict[tuple[EncodePass, ...], tuple[EncodePass, ...]] = {}

    def request(self, submission: Submission) -> Request:
        """Return what a submission asks for; UsageError if it says too much or too little."""
        recipe = self.recipe(submission.preset, submission.options)
        suffix = submission.suffix or recipe.suffix
        folder = self.folder(submission.dest)
        if folder and suffix is None:
            msg = "options do not say how to name files in a folder: add a suffix (--suffix), such as '-small.mp4'"
            raise UsageError(msg)
        return Request(
            sources=submission.sources,
            dest=submission.dest,
            dest_is_folder=folder,
            cwd=self._cwd,
            farm=self._farm.settings.farm.name,
            by=self._by,
            options=recipe.passes,
            suffix=suffix or "",
            preset=recipe.preset,
            client_id=submission.client_id,
            notify_url=submission.notify_url,
            allow_private=self._farm.settings.notify.allow_private,
            schemes=self._farm.schemes,
            strip_credentials=self._farm.settings.storage.strip_credentials,
        )

    def place(self, text: str) -> str:
        """Return a source or destination as it is stored; UsageError if it can be none."""
        strip = self._farm.settings.storage.strip_credentials
        return normalised(text, self._cwd, self._farm.schemes, strip_credentials=strip)

    def folder(self, dest: str) -> bool:
        """Whether a destination is a folder, and not a file to write."""
        place = self.place(dest)
        return place.endswith("/") or (scheme_of(place) == FILE and Path(place).is_dir())

    def recipe(self, preset: str | None, options: Path | tuple[EncodePass, ...] | None) -> Recipe:
        """Return what a preset or options say, of which there has to be one."""
        if preset is not None and options is None:
            return self._once(preset, lambda: self._of_preset(preset))
        if preset is not None or options is None:
            msg = f"give one of --preset (one of {', '.join(self._farm.preset_names())}) and --options"
            raise UsageError(msg)
        if isinstance(options, Path):
            return self._once(options, lambda: Recipe(parse_options(_read_json(options)), None, None))
        return Recipe(self._passes.setdefault(options, options), None, None)

    def _once(self, name: str | Path, read: Callable[[], Recipe]) -> Recipe:
        if name not in self._read:
            self._read[name] = read()
        return self._read[name]

    def _of_preset(self, name: str) -> Recipe:
        preset = self._farm.preset(name)
        return Recipe(preset.passes, preset.suffix, preset.name)


def _read_json(file: Path) -> object:
    named = f"the file of options '{shown(str(file))}'"
    try:
        with file.open("rb") as opened:
            text = opened.read(MOST_OPTIONS + 1)
    except OSError as error:
        msg = f"{named} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    if len(text) > MOST_OPTIONS:
        msg = f"{named} is larger than any options: more than {MOST_OPTIONS // 1024} KB"
        raise UsageError(msg)
    return json_in(text, named)
