"""Checks of ffmpeg: which one there is, here and for cron, what it can do for each preset, and what it can reach."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

from msgspec import structs

from nommerctl.adapters.os_errors import translated
from nommerctl.domain.checkup import Finding, Verdict
from nommerctl.domain.options import encoders
from nommerctl.errors import EncodingError
from nommerctl.passes.doctor import Check
from nommerctl.wiring import process
from nommerctl.wiring.farm import Farm
from nommerctl.worker.nommers.ffmpeg.locate import find_ffmpeg
from nommerctl.worker.nommers.ffmpeg.nommer import FfmpegNommer
from nommerctl.worker.nommers.ffmpeg.sandbox import refusal
from nommerctl.worker.nommers.ffmpeg.trial import TIME_LIMIT, try_preset, version_of

_ANY = frozenset[str]()
"""Encoders for which every ffmpeg will do."""


def ffmpeg_checks(farm: Farm, heed: Callable[[], None]) -> list[Check]:
    """Return the checks, a trial for each preset among them; `heed` raises what ends one before its time."""
    trials = _Trials(farm, heed)
    return [
        Check("ffmpeg", trials.which),
        *(Check(f"preset {name}", partial(trials.preset, name)) for name in farm.preset_names()),
        Check("sandbox", _sandbox),
    ]


class _Trials:
    """The ffmpeg of one farm, tried. An ffmpeg that is none, or hangs, is found out once and not once a preset."""

    def __init__(self, farm: Farm, heed: Callable[[], None]) -> None:
        self._farm = farm
        self._heed = heed
        limit = min(farm.settings.ffmpeg.time_limit, TIME_LIMIT)
        self._settings = structs.replace(farm.settings.ffmpeg, time_limit=limit)

    @cached_property
    def _chosen(self) -> tuple[Path, str] | EncodingError:
        """The ffmpeg that jobs get if they ask for no encoder, and its version; or why there is none."""
        try:
            ffmpeg = find_ffmpeg(self._settings.path, _ANY, process.search_path())
            with _scratch() as folder:
                return ffmpeg, version_of(ffmpeg, folder, self._heed)
        except EncodingError as error:
            return error

    def which(self) -> Iterator[Finding]:
        """Say which one it is, and whether cron would find the same."""
        if isinstance(self._chosen, EncodingError):
            advice = (
                "set ffmpeg.path to an ffmpeg, or leave it empty for that of '[local]'" if self._settings.path else ""
            )
            yield Finding("ffmpeg", Verdict.FAILED, str(self._chosen), advice)
            return
        ffmpeg, version = self._chosen
        for_cron = self._for_cron()
        if for_cron == ffmpeg:
            yield Finding("ffmpeg", Verdict.OK, f"{ffmpeg}, version {version}")
        else:
            found = f"{ffmpeg}, version {version}; but cron, whose PATH is bare, would find {for_cron or 'none'}"
            yield Finding("ffmpeg", Verdict.WARNING, found, f"set ffmpeg.path to '{ffmpeg}' in the settings file")

    def _for_cron(self) -> Path | None:
        try:
            return find_ffmpeg(self._settings.path, _ANY, process.cron_search_path())
        except EncodingError:
            return None

    def preset(self, name: str) -> Iterator[Finding]:
        """Encode and decode a second of film as a job of this preset would be."""
        check = f"preset {name}"
        if isinstance(self._chosen, EncodingError):
            yield Finding(check, Verdict.FAILED, "not tried, for want of an ffmpeg")
            return
        preset = self._farm.preset(name)
        nommer = FfmpegNommer(self._settings, search_path=process.search_path())
        try:
            with _scratch() as folder:
                try_preset(nommer, preset, folder, self._heed)
        except EncodingError as error:
            advice = (
                "install an ffmpeg that can, or pip install 'nommerctl[local]', or set ffmpeg.path;"
                " if it met a limit of [ffmpeg], raise that"
            )
            yield Finding(check, Verdict.FAILED, str(error), advice)
            return
        wanted = encoders(preset.passes)
        used = find_ffmpeg(self._settings.path, wanted, process.search_path())
        by = "" if used == self._chosen[0] else f", by {used}"
        yield Finding(check, Verdict.OK, f"a second encoded and decoded ({', '.join(sorted(wanted))}){by}")


def _sandbox() -> Iterator[Finding]:
    why = refusal()
    if why is None:
        yield Finding("sandbox", Verdict.OK, "ffmpeg can be cut off from the network")
    else:
        advice = "let this user make network namespaces; until then only its own whitelists keep ffmpeg off the network"
        yield Finding("sandbox", Verdict.WARNING, f"ffmpeg cannot be cut off from the network: {why}", advice)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for a trial, gone afterwards."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="nommerctl-doctor-")
    except OSError as error:
        raise translated(error, "the folder for temporary files (TMPDIR) cannot be used") from error
    with folder as path:
        yield Path(path)
