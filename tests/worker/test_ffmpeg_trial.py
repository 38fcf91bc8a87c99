"""Trying an ffmpeg: the film that is tried, what a sound one makes of it, and what gives a broken one away."""

import subprocess
from pathlib import Path

import pytest

from nommerctl.adapters.presets import PresetLibrary
from nommerctl.domain.config import FfmpegSettings
from nommerctl.errors import EncodingError, TimeLimitError
from nommerctl.worker.nommers.ffmpeg.nommer import FfmpegNommer
from nommerctl.worker.nommers.ffmpeg.sample import write_sample
from nommerctl.worker.nommers.ffmpeg.trial import try_preset, version_of
from tests.clips import ffmpeg


def script(folder: Path, text: str) -> Path:
    """A program that is called like ffmpeg and is none."""
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def nothing() -> None:
    """Go on."""


def test_the_film_lasts_a_second_and_has_picture_and_sound(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample.avi")
    said = subprocess.run(
        [ffmpeg(), "-hide_banner", "-xerror", "-i", tmp_path / "sample.avi", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert "Duration: 00:00:01.00" in said
    assert "Video: rawvideo, bgr24, 64x48, 10 fps" in said
    assert "Audio: pcm_s16le" in said
    assert "time=00:00:01.00" in said


@pytest.mark.parametrize("name", PresetLibrary().names())
def test_every_preset_is_encoded_and_decoded(tmp_path: Path, name: str) -> None:
    nommer = FfmpegNommer(FfmpegSettings(path=str(ffmpeg())))
    media = try_preset(nommer, PresetLibrary().load(name), tmp_path, nothing).media
    size = (None, None) if name == "audio-m4a" else (64, 48)
    assert (round(media.seconds), media.width, media.height) == (1, *size)


def test_an_encoder_that_is_named_and_does_not_work_is_found_by_using_it(tmp_path: Path) -> None:
    listed = f'case "$*" in *-encoders*) exec {ffmpeg()} "$@";; esac; echo "[error] Unknown encoder" >&2; exit 8'
    nommer = FfmpegNommer(FfmpegSettings(path=str(script(tmp_path, listed))))
    with pytest.raises(EncodingError, match=r"Unknown encoder|cannot be read as a media file"):
        try_preset(nommer, PresetLibrary().load("web-480p"), tmp_path, nothing)


def test_a_trial_ends_when_it_is_told_to(tmp_path: Path) -> None:
    slow = f'case "$*" in *-encoders*) exec {ffmpeg()} "$@";; esac; exec sleep 60'
    nommer = FfmpegNommer(FfmpegSettings(path=str(script(tmp_path, slow))))

    def keep_on() -> None:
        raise TimeLimitError

    with pytest.raises(TimeLimitError):
        try_preset(nommer, PresetLibrary().load("audio-m4a"), tmp_path, keep_on)


def test_the_version_is_what_it_says(tmp_path: Path) -> None:
    said = subprocess.run([ffmpeg(), "-version"], capture_output=True, text=True, check=True).stdout
    assert version_of(ffmpeg(), tmp_path, nothing) == said.split()[2]


@pytest.mark.parametrize("text", ["echo hello", "exit 1", 'echo "ffmpeg version 1.0"; exit 1'])
def test_what_says_no_version_is_no_ffmpeg(tmp_path: Path, text: str) -> None:
    with pytest.raises(EncodingError, match="does not say its version"):
        version_of(script(tmp_path, text), tmp_path, nothing)
