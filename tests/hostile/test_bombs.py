"""Sources and options that would have more of the machine than they may: which limit ended them is said."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nommerctl.domain.config import FfmpegSettings
from nommerctl.domain.job import EncodePass
from nommerctl.errors import EncodingError
from nommerctl.worker.nommers.ffmpeg.limits import Limits
from tests.clips import Clips
from tests.hostile.farm import HostileFarm
from tests.hostile.pictures import avi_of_png, gif, mjpeg_avi, y4m
from tests.worker.nomming import encode, passes, preset

WEB = preset("web-480p")
MEBIBYTE = 1024**2


def failure(source: Path, options: tuple[EncodePass, ...], settings: FfmpegSettings | None = None) -> str:
    """Encode to a new folder; return what is said of the failure."""
    out = source.parent / "out"
    out.mkdir()
    with pytest.raises(EncodingError) as failed:
        encode(source, out / "out.mp4", options, settings=settings)
    return str(failed.value)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.mark.parametrize(
    ("content", "size"),
    [
        pytest.param(y4m(100_000, 100_000), "100000x100000", id="raw"),
        pytest.param(y4m(13_000, 13_000), "13000x13000", id="raw, which ffmpeg by itself would take"),
        pytest.param(avi_of_png(100_000, 100_000), "100000x100000", id="PNG in an AVI of 16x16"),
        pytest.param(mjpeg_avi(65_500, 65_500), "65500x65500", id="JPEG in an AVI of 16x16"),
        pytest.param(gif(65_535, 65_535), "65535x65535", id="GIF"),
    ],
)
def test_a_source_of_huge_pictures_is_an_error_that_names_the_limit(source: Path, content: bytes, size: str) -> None:
    source.write_bytes(content)

    said = failure(source, WEB)

    assert said.endswith(f": a picture of {size} is larger than ffmpeg.max_pixels allows (134217728 pixels)")


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ([["vf", "scale=100000:100000"]], "100000x100000"),
        ([["s", "100000x100000"]], "100000x100000"),
        ([["filter_complex", "[0:v]scale=100000:100000[out]"], ["map", "[out]"]], "100000x100000"),
        ([["vf", "scale=640:480"]], "640x480"),
        ([["vf", "pad=640:480"]], "640x480"),
    ],
)
def test_options_that_ask_for_huge_pictures_are_an_error_likewise(
    clips: Clips, tmp_path: Path, options: list[list[str]], size: str
) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())

    said = failure(source, passes([["c:v", "libx264"], *options]), FfmpegSettings(max_pixels=200_000))

    assert said == f"ffmpeg failed: a picture of {size} is larger than ffmpeg.max_pixels allows (200000 pixels)"


def test_pictures_that_grow_in_the_middle_of_a_film_are_left_out_and_the_limit_is_named(
    clips: Clips, source: Path
) -> None:
    small = clips.make("small.mjpeg", "-i", str(clips["plain.mp4"]), "-s", "64x48", "-f", "mjpeg")
    large = clips.make("large.mjpeg", "-i", str(clips["plain.mp4"]), "-s", "320x240", "-f", "mjpeg")
    source.write_bytes(small.read_bytes() + large.read_bytes())

    said = failure(source, WEB, FfmpegSettings(max_pixels=10_000))

    assert said.startswith("the output lasts 2.0 s, the source 4.0 s; they may differ by 1.0 s; ")
    assert said.endswith("a picture of 320x240 is larger than ffmpeg.max_pixels allows (10000 pixels)")


def test_a_small_file_of_large_pictures_gets_no_more_memory_than_the_limit(source: Path) -> None:
    source.write_bytes(avi_of_png(6000, 6000, rows=6000))
    assert source.stat().st_size < MEBIBYTE // 4

    said = failure(source, WEB, FfmpegSettings(memory_limit=96 * MEBIBYTE))

    assert said == f"ffmpeg failed: ffmpeg needs more memory than ffmpeg.memory_limit allows ({96 * MEBIBYTE} bytes)"


def test_a_filter_gets_no_more_memory_either(clips: Clips, tmp_path: Path) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())

    said = failure(
        source,
        passes([["c:v", "libx264"], ["vf", "pad=16000:16000,scale=160:120"]]),
        FfmpegSettings(memory_limit=256 * MEBIBYTE),
    )

    assert said == f"ffmpeg failed: ffmpeg needs more memory than ffmpeg.memory_limit allows ({256 * MEBIBYTE} bytes)"


HOURS = gif(16, 16, frames=300, delay=655.35)
AT_25_A_SECOND = passes([["c:v", "libx264"], ["preset", "ultrafast"], ["fps_mode", "cfr"], ["r", 25]])


def test_a_tiny_source_that_lasts_for_hours_writes_no_more_than_the_limit(source: Path) -> None:
    source.write_bytes(HOURS)
    assert len(HOURS) < 7_000

    said = failure(source, AT_25_A_SECOND, FfmpegSettings(output_limit=100_000, time_limit=30))

    assert said == (
        "ffmpeg failed: the output is larger than ffmpeg.output_limit allows (100000 bytes; killed by SIGXFSZ)"
    )
    assert all(path.stat().st_size <= 100_000 for path in source.parent.rglob("*") if path.is_file())


@pytest.mark.slow
def test_a_tiny_source_that_lasts_for_hours_takes_no_longer_than_the_limit(source: Path) -> None:
    source.write_bytes(HOURS)

    said = failure(source, AT_25_A_SECOND, FfmpegSettings(time_limit=2))

    assert said == "ffmpeg took longer than the time limit of 2 s (ffmpeg.time_limit)"


def test_the_limit_of_the_settings_is_in_the_details_of_the_job(farm: HostileFarm) -> None:
    farm.here.settings["FFMPEG_MAX_PIXELS"] = "65535"
    farm.submit(farm.source("film.gif", gif(256, 256)))

    (job,) = farm.work()

    assert job["state"] == "ERROR"
    assert (
        job["details"] == "ffmpeg failed: a picture of 256x256 is larger than ffmpeg.max_pixels allows (65535 pixels)"
    )


def test_without_limits_there_are_none(clips: Clips, tmp_path: Path) -> None:
    unlimited = FfmpegSettings(memory_limit=0, max_pixels=0, output_limit=0)

    encode(clips["plain.mp4"], tmp_path / "out.mp4", WEB, settings=unlimited)

    assert (tmp_path / "out.mp4").stat().st_size > 1000


# --- an ffmpeg that a source has made go mad, or killed ---------------------------------------------------------------


def fake_ffmpeg(folder: Path, script: str) -> Path:
    """Something that knows every encoder, and does what the script says when it is to encode."""
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/bash\ncase \"$*\" in *-encoders*) echo ' V....D libx264 x'; exit;; esac\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("stream", "lines"), [(1, "100M"), (2, "1G")])
def test_gigabytes_of_words_do_not_fill_the_memory_of_the_worker(
    clips: Clips, tmp_path: Path, stream: int, lines: str
) -> None:
    """First one line without an end, then short ones."""
    words = f"head -c 1G /dev/zero >&{stream}; yes '[x @ 0x1] [error] [ @ [ @' | head -c {lines} >&{stream}"
    endless = f'case "$*" in *-progress*) {words};; esac; exit 1'
    source = clips["plain.mp4"]
    script = f"""
import resource
from pathlib import Path
from nommerctl.domain.config import FfmpegSettings
from nommerctl.errors import EncodingError
from tests.worker.nomming import encode, passes
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
settings = FfmpegSettings(path={str(fake_ffmpeg(tmp_path, endless))!r})
try:
    encode(Path({str(source)!r}), Path({str(source)!r} + ".mp4"), passes([["c:v", "libx264"]]), settings=settings)
except EncodingError as error:
    print(peak() - before, len(str(error)), len(error.log or ""))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )

    megabytes, message, log = map(int, done.stdout.split())
    assert megabytes < 64
    assert message < 1000
    assert log <= 16 * 1024


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGKILL, signal.SIGXCPU])
def test_an_ffmpeg_that_dies_of_its_source_is_told_by_its_signal(
    clips: Clips, tmp_path: Path, number: signal.Signals
) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())
    dying = fake_ffmpeg(tmp_path, f"kill -{number.value} $$")

    said = failure(source, passes([["c:v", "libx264"]]), FfmpegSettings(path=str(dying)))

    assert said == f"the source cannot be read as a media file: killed by {number.name}"


# --- the words --------------------------------------------------------------------------------------------------------

LIMITS = Limits(memory=9, output=9, pixels=9)
MEMORY = "ffmpeg needs more memory than ffmpeg.memory_limit allows (9 bytes)"
PIXELS = "a picture of 4x3 is larger than ffmpeg.max_pixels allows (9 pixels)"


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("[vf#0:0 @ 0x1] [error] Error while filtering: Cannot allocate memory", MEMORY),
        ("x264 [error]: malloc of size 9216 failed", MEMORY),
        ("x265 [error]: memory allocation failure, aborting encode", MEMORY),
        ("SvtMalloc[fatal]: allocate memory failed, at pcs.c:115", MEMORY),
        ("[libvpx-vp9 @ 0x1] [error] Error encoding frame: Memory allocation error", MEMORY),
        ("[in#0/avi @ 0x1] [error] pthread_create() failed: Resource temporarily unavailable", MEMORY),
        ("terminate called after throwing an instance of 'std::bad_alloc'", MEMORY),
        ("[info]     title           : Cannot allocate memory", None),
        ("[png @ 0x1] [IMGUTILS @ 0x2] [error] Picture size 4x3 exceeds specified max pixel count 9, see the", PIXELS),
        ("[png @ 0x1] [IMGUTILS @ 0x2] [error] Picture size 4x3 is invalid", PIXELS),
        ("[png @ 0x1] [IMGUTILS @ 0x2] [error] Picture size 3x0 is invalid", None),
        ("[info]     title           : [error] Picture size 1x1 is invalid", None),
        (f"[x @ 0x1] [error] Picture size {'9' * 9000}x1 is invalid", None),
        ("[error] moov atom not found", None),
        ("", None),
    ],
)
def test_a_limit_is_known_by_the_words_of_whoever_met_it(stderr: str, said: str | None) -> None:
    assert LIMITS.struck(1, f"[info] before\n{stderr}\n") == said


def test_what_is_not_limited_is_not_named() -> None:
    assert Limits().struck(-signal.SIGXFSZ, "") == (
        "the output is larger than this system lets a file be (ulimit -f; killed by SIGXFSZ)"
    )
    assert Limits().struck(1, "[error] Cannot allocate memory\n[error] Picture size 9x9 is invalid\n") is None
