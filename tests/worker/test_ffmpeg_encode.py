"""Real clips through the real ffmpeg: what comes out."""

from pathlib import Path

import pytest

from nommerctl.domain.config import FfmpegSettings
from nommerctl.domain.expectations import Streams
from nommerctl.worker.nommers.ffmpeg.process import run
from tests.clips import SECONDS, Clips, ffmpeg
from tests.worker.nomming import Recorder, described, encode, passes, preset, probed

WEB = "web-480p"

Options = list[list[object]]


@pytest.mark.parametrize("name", ["web-480p", "web-720p", "web-1080p"])
def test_a_web_preset_makes_what_every_browser_plays(clips: Clips, tmp_path: Path, name: str) -> None:
    done = encode(clips["ten-bit.mkv"], tmp_path / "out.mp4", preset(name))

    text = described(tmp_path / "out.mp4")
    assert "Video: h264 (High)" in text
    assert "yuv420p(" in text
    assert "160x120 [SAR 1:1 DAR 4:3]" in text
    assert "Audio: aac (LC)" in text
    assert (tmp_path / "out.mp4").read_bytes()[:64].count(b"moov") == 1, "the index stands at the front"
    assert done.media.seconds == pytest.approx(SECONDS, abs=0.1)
    assert (done.media.width, done.media.height) == (160, 120)


def test_audio_m4a_takes_the_sound_alone(clips: Clips, tmp_path: Path) -> None:
    done = encode(clips["plain.mp4"], tmp_path / "out.m4a", preset("audio-m4a"))

    assert probed(tmp_path / "out.m4a").streams == Streams(video=False, audio=True)
    assert "Audio: aac" in described(tmp_path / "out.m4a")
    assert (done.media.width, done.media.height) == (None, None)


@pytest.mark.parametrize(
    ("clip", "picture"),
    [
        ("hd.mp4", "854x480 [SAR 1:1"),  # fitted inside, the other side to the nearest even number
        ("odd.mkv", "160x120 [SAR 1:1"),  # not enlarged to even
        ("rotated.mp4", "120x160 [SAR 1:1"),  # upright
        ("anamorphic.mp4", "260x144 [SAR 1:1"),  # 180 * 16 / 11 = 261.8 square pixels wide
        ("full-chroma.mkv", "yuv420p"),
    ],
)
def test_pictures_of_every_shape_come_out_right(clips: Clips, tmp_path: Path, clip: str, picture: str) -> None:
    encode(clips[clip], tmp_path / "out.mp4", preset(WEB))

    text = described(tmp_path / "out.mp4")
    assert picture in text
    assert "Display Matrix" not in text


@pytest.mark.parametrize(
    ("clip", "streams"),
    [
        ("silent.mp4", Streams(video=True, audio=False)),
        ("tone.wav", Streams(video=False, audio=True)),
        ("cover.mp4", Streams(video=True, audio=True)),
        ("subtitled.mkv", Streams(video=True, audio=True)),
        ("plain.ts", Streams(video=True, audio=True)),
    ],
)
def test_sources_with_other_streams_than_expected(clips: Clips, tmp_path: Path, clip: str, streams: Streams) -> None:
    done = encode(clips[clip], tmp_path / "out.mp4", preset(WEB))

    made = probed(tmp_path / "out.mp4")
    assert made.streams == streams
    assert (made.width, made.height) == ((160, 120) if streams.video else (None, None))
    assert done.media.seconds == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize(
    ("clip", "sound"),
    [
        ("mono.wav", "44100 Hz, mono"),
        ("surround.mkv", "44100 Hz, stereo"),
        ("plain.mp4", "44100 Hz, mono"),
    ],
)
def test_mono_stays_mono_and_more_becomes_stereo(clips: Clips, tmp_path: Path, clip: str, sound: str) -> None:
    encode(clips[clip], tmp_path / "out.m4a", preset("audio-m4a"))

    assert sound in described(tmp_path / "out.m4a")


def test_sound_that_is_shorter_than_the_picture_is_right_when_it_is_all_there(clips: Clips, tmp_path: Path) -> None:
    done = encode(clips["short-sound.mp4"], tmp_path / "out.m4a", preset("audio-m4a"))

    assert done.media.seconds == pytest.approx(0.5, abs=0.1)


def test_two_passes_share_a_private_log_and_the_first_writes_no_output(clips: Clips, tmp_path: Path) -> None:
    first: Options = [
        ["vcodec", "libx264"],
        ["preset", "ultrafast"],
        ["b", "100k"],
        ["pass", 1],
        ["an", None],
        ["f", "mp4"],
    ]
    second: Options = [["vcodec", "libx264"], ["preset", "ultrafast"], ["b", "100k"], ["pass", 2], ["acodec", "aac"]]
    watch = Recorder()

    done = encode(clips["plain.mp4"], tmp_path / "out.mp4", passes(first, second), watch=watch)

    one, two = done.command.split(" && ")
    assert one.endswith(" -f null -")
    assert two.endswith(f" -f mp4 file:{tmp_path}/out.mp4")
    assert (tmp_path / "work" / "pass-0.log").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "work"]
    assert probed(tmp_path / "out.mp4").streams == Streams(video=True, audio=True)
    assert 0.5 in [report.fraction for report in watch.reports], "each pass is half of the work"


@pytest.mark.slow
def test_progress_never_falls_and_ends_at_one(clips: Clips, tmp_path: Path) -> None:
    watch = Recorder()
    slow = [["vcodec", "libx264"], ["preset", "veryslow"], ["vf", "scale=640:480"]]

    encode(clips["plain.mp4"], tmp_path / "out.mp4", passes(slow), watch=watch)

    fractions = [report.fraction for report in watch.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert all(0 <= fraction <= 1 for fraction in fractions)
    assert any(report.speed and report.fps and report.eta_s is not None for report in watch.reports)


def test_a_muxer_that_the_options_name_goes_before_the_extensions(clips: Clips, tmp_path: Path) -> None:
    encode(clips["plain.mp4"], tmp_path / "out.mp4", passes([["f", "mp3"], ["acodec", "libmp3lame"]]))

    assert probed(tmp_path / "out.mp4").streams == Streams(video=False, audio=True)


def test_options_that_cut_are_not_held_to_the_sources_duration(clips: Clips, tmp_path: Path) -> None:
    done = encode(clips["plain.mp4"], tmp_path / "out.mkv", passes([["t", 0.5], ["c:v", "libx264"]]))

    assert done.media.seconds == pytest.approx(0.5, abs=0.1)


def test_names_are_no_options_no_urls_and_no_shell_text(clips: Clips, tmp_path: Path) -> None:
    source = tmp_path / "-i $(touch x) ';é:%d.mp4"
    source.write_bytes(clips["plain.mp4"].read_bytes())

    done = encode(source, tmp_path / "-y pipe:1 'ö'.mp4", preset(WEB))

    assert done.media.seconds == pytest.approx(SECONDS, abs=0.1)
    assert (tmp_path / "-y pipe:1 'ö'.mp4").stat().st_size > 1000
    assert not (tmp_path / "x").exists()


def test_the_command_that_is_shown_runs_in_a_shell_as_it_stands(clips: Clips, tmp_path: Path) -> None:
    done = encode(clips["plain.mp4"], tmp_path / "it's out.mp4", preset(WEB), settings=FfmpegSettings(threads=1))
    made = (tmp_path / "it's out.mp4").read_bytes()
    (tmp_path / "it's out.mp4").unlink()

    ran = run(["/bin/sh", "-c", done.command], folder=tmp_path, time_limit=30, keep_on=lambda: None)

    assert ran.code == 0
    assert (tmp_path / "it's out.mp4").read_bytes() == made
    assert "Video: h264" in done.log


def test_a_source_is_opened_once_to_encode_it(clips: Clips, tmp_path: Path) -> None:
    counting = tmp_path / "ffmpeg"
    counting.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/runs\nexec {ffmpeg()} "$@"\n')
    counting.chmod(0o755)

    encode(clips["plain.mp4"], tmp_path / "out.mp4", preset(WEB), settings=FfmpegSettings(path=str(counting)))

    opened = [line for line in (tmp_path / "runs").read_text().splitlines() if f"-i file:{clips['plain.mp4']}" in line]
    assert len(opened) == 1
