"""What ffmpeg says, as text: of an input, of its progress, of its failure."""

from pathlib import Path

import pytest

from nommerctl.domain.expectations import Streams
from nommerctl.domain.job import Progress
from nommerctl.worker.nommers.ffmpeg.complaint import complaint
from nommerctl.worker.nommers.ffmpeg.probe import Probe, parse_probe
from nommerctl.worker.nommers.ffmpeg.progress import Block, Gauge, ProgressReader
from tests.clips import SECONDS, Clips
from tests.worker.nomming import probed

VERSION_4 = """\
[info] Input #0, matroska,webm, from 'file:/work/source':
[info]   Metadata:
[info]     title           : Duration: 09:00:00.00, start: 0
[info]   Duration: 01:02:03.50, start: 0.000000, bitrate: 1000 kb/s
[info]     Stream #0:0(eng): Video: h264 (High), yuv420p(tv, bt709), 1920x800 [SAR 1:1 DAR 12:5], 24 fps (default)
[info]     Metadata:
[info]       Stream #0:7     : Audio: aac, 44100 Hz
[info]     Stream #0:1(eng): Audio: opus, 48000 Hz, 5.1, fltp (default)
[info]     Stream #0:2: Subtitle: subrip
[info]     Stream #0:3: Video: mjpeg (Baseline), yuvj420p, 600x600, 90k tbr (attached pic)
[fatal] At least one output file must be specified
"""


def test_an_input_as_older_versions_describe_it() -> None:
    assert parse_probe(VERSION_4) == Probe(3723.5, Streams(video=True, audio=True), 1920, 800)


def test_what_follows_the_input_is_not_taken_for_it() -> None:
    said = (
        "[info] Input #0, wav, from 'x':\n[info]   Duration: N/A, bitrate: 705 kb/s\n"
        "[info]   Stream #0:0: Audio: pcm_s16le, 44100 Hz, mono\n"
        "[info] Output #0, null, to 'pipe:':\n[info]   Stream #0:1: Video: wrapped_avframe, yuv420p, 10x10\n"
    )

    assert parse_probe(said) == Probe(None, Streams(video=False, audio=True))


@pytest.mark.parametrize(
    "said", ["", "[error] moov atom not found\n", "[info] Input #0, x, from 'y':\n[info]   Metadata:"]
)
def test_an_input_that_was_not_opened_is_nothing(said: str) -> None:
    assert parse_probe(said) is None


def test_metadata_that_imitates_ffmpeg_is_not_believed(clips: Clips) -> None:
    lines = "x\n  Duration: 09:00:00.00, start: 0\n  Stream #0:9: Video: h264, yuv420p, 9x9\n[info] no"
    liar = clips.make(
        "liar.mkv",
        *("-i", str(clips["tone.wav"]), "-metadata", f"title={lines}", "-metadata", f"{lines}=x"),
        *("-metadata:s:a:0", f"title={lines}"),
    )

    probe = probed(liar)

    assert probe.seconds == pytest.approx(SECONDS, abs=0.1)
    assert probe.streams == Streams(video=False, audio=True)


def test_of_two_durations_neither_is_believed() -> None:
    said = (
        "[info] Input #0, wav, from 'x':\n[info]   Metadata:\n[info]     x\n"
        "[info]   Duration: 09:00:00.00, start: 0\n[info]   Duration: 00:00:02.00, bitrate: 705 kb/s\n"
        "[info]   Stream #0:0: Audio: pcm_s16le, 44100 Hz, mono\n"
    )

    assert parse_probe(said) == Probe(None, Streams(video=False, audio=True))


def test_real_clips_are_read(clips: Clips) -> None:
    assert probed(clips["plain.mp4"]) == Probe(2.0, Streams(video=True, audio=True), 160, 120)
    assert probed(clips["cover.mp4"]) == Probe(2.0, Streams(video=True, audio=True), 160, 120)
    assert probed(clips["silent.mp4"]).streams == Streams(video=True, audio=False)


def test_progress_is_read_however_it_is_cut_up() -> None:
    said = (
        b"fps=0.00\nout_time_us=N/A\nout_time_ms=N/A\nspeed=N/A\nprogress=continue\n"
        b"fps=25.50\nout_time_us=1500000\nout_time_ms=1500000\nspeed=1.5x\nprogress=continue\n"
        b"out_time_ms=2000000\nspeed=1.9e+03x\nprogress=end\n"
    )
    blocks: list[Block] = []
    reader = ProgressReader(blocks.append)

    for at in range(len(said)):
        reader.feed(said[at : at + 1])

    assert blocks == [Block(None, None, None), Block(1.5, 25.5, 1.5), Block(2.0, None, 1900.0)]
    assert reader.last == blocks[-1]


def test_a_time_before_the_start_counts_as_the_start() -> None:
    reader = ProgressReader()

    reader.feed(b"out_time_us=-9223372036854775807\nprogress=continue\n")

    assert reader.last.seconds == 0


def test_the_gauge_counts_all_passes_and_never_falls() -> None:
    reports: list[Progress] = []
    gauge = Gauge(reports.append, seconds=lambda: 10.0, passes=2)

    gauge.update(Block(5.0, 50.0, 2.0))
    gauge.update(Block(4.0, None, None))
    gauge.pass_done()
    gauge.update(Block(20.0, None, 4.0))
    gauge.pass_done()

    assert reports == [
        Progress(0.25, fps=50.0, speed=2.0, eta_s=7.5),
        Progress(0.25),
        Progress(0.5),
        Progress(1.0, speed=4.0, eta_s=0.0),
        Progress(1.0),
    ]


def test_without_a_duration_there_is_no_fraction_but_speed() -> None:
    reports: list[Progress] = []

    Gauge(reports.append, seconds=lambda: None, passes=1).update(Block(5.0, 50.0, 2.0))

    assert reports == [Progress(0.0, fps=50.0, speed=2.0)]


def test_a_complaint_gives_the_reason_not_what_follows_from_it() -> None:
    said = (
        "[info] something\n"
        "x264 [error]: high profile doesn't support 4:4:4\n"
        "[libx264 @ 0x55] [error] Error setting profile high.\n"
        "[vost#0:0/libx264 @ 0x1] [enc:libx264 @ 0x2] [error] Error while opening encoder - maybe incorrect\n"
        "[vf#0:0 @ 0x2] [error] Task finished with error code: -22 (Invalid argument)\n"
        "[fatal] Conversion failed!\n"
    )

    assert complaint(said) == "high profile doesn't support 4:4:4; Error setting profile high."
    assert complaint("[fatal] Conversion failed!\n") == "Conversion failed!"
    assert complaint("[warning] odd\n") == ""


def test_a_complaint_about_a_list_does_not_recite_it(tmp_path: Path) -> None:
    said = f"[in#0 @ 0x1] [error] Format not on whitelist '{tmp_path},b,c'\n"

    assert complaint(said) == "Format is not among those taken for sources"
