"""Which ffmpeg is taken. The system's are small scripts that answer like one."""

from pathlib import Path

import pytest

from nommerctl.errors import EncodingError
from nommerctl.worker.nommers.ffmpeg.locate import encoders_of, find_ffmpeg, packaged_ffmpeg

X264 = " V....D libx264              libx264 H.264 / AVC (codec h264)"
AAC = " A....D aac                  AAC (Advanced Audio Coding)"


def installed(folder: Path, *encoders: str, code: int = 0) -> Path:
    """Put an ffmpeg with these encoders into a folder."""
    lines = "\n".join(["Encoders:", " V..... = Video", " ------", *encoders])
    script = folder / "ffmpeg"
    script.write_text(f"#!/bin/sh\ncat <<'end'\n{lines}\nend\nexit {code}\n")
    script.chmod(0o755)
    return script


def test_the_systems_is_taken_if_it_has_the_encoders(tmp_path: Path) -> None:
    system = installed(tmp_path, X264, AAC)

    assert find_ffmpeg("", frozenset({"libx264", "aac"}), str(tmp_path)) == system
    assert find_ffmpeg("", frozenset({"h264"}), str(tmp_path)) == system, "a codec's name is good too"


def test_else_the_one_that_pip_installed(tmp_path: Path) -> None:
    installed(tmp_path, AAC)

    assert [find_ffmpeg("", frozenset({"libx264", "aac"}), str(tmp_path))] == packaged_ffmpeg()
    assert [find_ffmpeg("", frozenset(), "")] == packaged_ffmpeg()


def test_what_none_of_them_has_is_named(tmp_path: Path) -> None:
    system = installed(tmp_path, X264)

    with pytest.raises(EncodingError) as failed:
        find_ffmpeg("", frozenset({"libfaac", "libx264"}), str(tmp_path))

    (packaged,) = packaged_ffmpeg()
    assert str(failed.value) == f"no encoder libfaac in {system}; no encoder libfaac in {packaged}"


def test_the_one_of_the_settings_is_taken_or_nothing(tmp_path: Path) -> None:
    chosen = installed(tmp_path, AAC)

    assert find_ffmpeg(str(chosen), frozenset({"aac"}), "") == chosen
    with pytest.raises(EncodingError) as failed:
        find_ffmpeg(str(chosen), frozenset({"libx264"}), "")
    assert str(failed.value) == f"no encoder libx264 in {chosen} (ffmpeg.path)"


def test_what_is_no_ffmpeg_is_called_so(tmp_path: Path) -> None:
    broken = installed(tmp_path, code=1)

    with pytest.raises(EncodingError, match="does not answer as an ffmpeg"):
        find_ffmpeg(str(broken), frozenset({"aac"}), "")
    with pytest.raises(EncodingError, match="does not answer as an ffmpeg"):
        find_ffmpeg(str(tmp_path / "missing"), frozenset(), "")


def test_the_packaged_one_has_what_the_presets_need() -> None:
    (packaged,) = packaged_ffmpeg()

    assert {"libx264", "h264", "aac"} <= encoders_of(packaged)
