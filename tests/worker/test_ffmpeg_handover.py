"""The output is given to ffmpeg open: what is put under its name, before or meanwhile, is not written to."""

import sys
from pathlib import Path

import pytest

from nommerctl.adapters.local.files import FileStorage
from nommerctl.domain.config import FfmpegSettings
from nommerctl.errors import EncodingError
from nommerctl.ports import Work
from nommerctl.worker.nommers.ffmpeg.nommer import FfmpegNommer
from tests.clips import Clips, ffmpeg
from tests.worker.nomming import Recorder, encode, preset

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux opens an open file anew")

WEB = preset("web-480p")
PRECIOUS = b"what somebody else has"


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    path = tmp_path / "precious"
    path.write_bytes(PRECIOUS)
    return path


def attempt(source: Path, output: Path, ffmpeg: Path) -> None:
    job = Work(source=source, output=output, folder=output.parent, muxer="mp4", options=WEB)
    FfmpegNommer(FfmpegSettings(path=str(ffmpeg))).encode(job, Recorder())


def test_a_link_put_in_the_place_of_an_unfinished_output_is_not_written_through(
    clips: Clips, tmp_path: Path, precious: Path
) -> None:
    with FileStorage().output(str(tmp_path / "out.mp4"), "job-1") as output:
        output.path.unlink()
        output.path.symlink_to(precious)

        with pytest.raises(EncodingError, match="something else is in its place: Too many levels of symbolic links"):
            attempt(clips["plain.mp4"], output.path, ffmpeg())

    assert precious.read_bytes() == PRECIOUS
    assert not (tmp_path / "out.mp4").exists()


def test_nor_is_one_that_is_put_there_when_ffmpeg_has_been_started(
    clips: Clips, tmp_path: Path, precious: Path
) -> None:
    """By an ffmpeg that is slow to open its output, as any is that looks at its source first."""
    unfinished = tmp_path / ".nommerctl-job-1.part"
    slow = tmp_path / "ffmpeg"
    swap = f"rm -f {unfinished}; ln -s {precious} {unfinished}"
    slow.write_text(f'#!/bin/sh\ncase "$*" in *-progress*) {swap};; esac\nexec {ffmpeg()} "$@"\n')
    slow.chmod(0o755)

    with FileStorage().output(str(tmp_path / "out.mp4"), "job-1") as output:
        assert output.path == unfinished
        with pytest.raises(EncodingError, match="something else is in its place"):
            attempt(clips["plain.mp4"], output.path, slow)

    assert precious.read_bytes() == PRECIOUS
    assert not (tmp_path / "out.mp4").exists()


def test_what_is_kept_of_a_run_names_the_output_by_its_path(clips: Clips, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"

    done = encode(clips["plain.mp4"], output, WEB)

    assert done.command.endswith(f" file:{output}")
    assert f"[info] Output #0, mp4, to 'file:{output}':\n" in done.log
    assert "/proc/" not in done.log
