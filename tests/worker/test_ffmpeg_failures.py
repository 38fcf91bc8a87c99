"""Sources that are no media, options that do not work, outputs that are not right: the words a user gets."""

from pathlib import Path

import pytest

from nommerctl.domain.config import FfmpegSettings
from nommerctl.domain.job import EncodePass, Media
from nommerctl.domain.options import parse_options
from nommerctl.errors import EncodingError
from nommerctl.worker.nommers.ffmpeg.limits import Limits
from nommerctl.worker.nommers.ffmpeg.runs import Runs
from nommerctl.worker.nommers.ffmpeg.verify import Verification
from tests.clips import Clips, ffmpeg
from tests.worker.nomming import Recorder, encode, passes, preset, probed, work

WEB = "web-480p"


def failure(source: Path, output: Path, options: tuple[EncodePass, ...]) -> EncodingError:
    with pytest.raises(EncodingError) as failed:
        encode(source, output, options)
    return failed.value


def verdict(source: Path, output: Path, options: tuple[EncodePass, ...]) -> str | Media:
    """What is said of an output that something else than the nommer has made."""
    job = work(source, output, options)
    runs = Runs(job.folder, output, time_limit=30, watch=Recorder(), limits=Limits())
    try:
        return Verification(ffmpeg(), job, probed(source), runs).passed(threads=0)
    except EncodingError as error:
        return str(error)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the source is empty: it has no bytes"),
        (b"This is a letter, not a film.\n" * 50, "the source cannot be read as a media file: "),
        (bytes(range(256)) * 40, "the source cannot be read as a media file: "),
    ],
)
def test_what_is_no_media_is_called_so(tmp_path: Path, content: bytes, said: str) -> None:
    source = tmp_path / "renamed.mp4"
    source.write_bytes(content)

    error = failure(source, tmp_path / "out.mp4", preset(WEB))

    assert str(error).startswith(said)
    assert not str(error).endswith(": ")
    assert not (tmp_path / "out.mp4").exists() or (tmp_path / "out.mp4").stat().st_size == 0


def test_a_film_without_its_index_cannot_be_read(clips: Clips, tmp_path: Path) -> None:
    error = failure(clips["no-index.mp4"], tmp_path / "out.mp4", preset(WEB))

    assert str(error) == "the source cannot be read as a media file: moov atom not found"
    assert error.log is not None
    assert "moov atom not found" in error.log


@pytest.mark.parametrize("clip", ["truncated.mp4", "truncated.mkv"])
@pytest.mark.parametrize(("name", "dest"), [(WEB, "out.mp4"), ("audio-m4a", "out.m4a")])
def test_a_truncated_source_fails_with_both_durations(
    clips: Clips, tmp_path: Path, clip: str, name: str, dest: str
) -> None:
    error = failure(clips[clip], tmp_path / dest, preset(name))

    assert str(error).startswith("the output lasts 0.")
    assert str(error).endswith("s, the source 2.0 s; they may differ by 1.0 s")
    assert error.command is not None
    assert error.command.startswith(str(ffmpeg()))


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{clip}'\n",
    ],
)
def test_a_playlist_does_not_lead_to_other_files(clips: Clips, tmp_path: Path, playlist: str) -> None:
    source = tmp_path / "list.m3u8"
    source.write_text(playlist.format(clip=clips["plain.ts"]))

    error = failure(source, tmp_path / "out.mp4", preset(WEB))

    assert "is not among those taken for sources" in str(error)


def test_ffmpegs_own_reason_is_given_without_what_follows_from_it(clips: Clips, tmp_path: Path) -> None:
    error = failure(clips["plain.mp4"], tmp_path / "out.mp4", passes([["c:v", "libx264"], ["preset", "quickest"]]))

    assert str(error) == "ffmpeg failed: invalid preset 'quickest'; Error setting preset/tune quickest/(null)."


def test_an_ffmpeg_that_was_killed_is_said_to_have_been(clips: Clips, tmp_path: Path) -> None:
    fragile = tmp_path / "ffmpeg"
    fragile.write_text(f'#!/bin/sh\ncase "$*" in *-progress*) kill -9 $$;; esac\nexec {ffmpeg()} "$@"\n')
    fragile.chmod(0o755)

    with pytest.raises(EncodingError) as failed:
        encode(clips["plain.mp4"], tmp_path / "out.mp4", preset(WEB), settings=FfmpegSettings(path=str(fragile)))

    assert str(failed.value) == "ffmpeg failed: killed by SIGKILL"


def test_options_that_the_source_does_not_bear_are_not_blamed_on_the_source(clips: Clips, tmp_path: Path) -> None:
    taken_for_another = parse_options([{"infile_options": [["f", "ogg"]], "outfile_options": []}])

    error = failure(clips["plain.mp4"], tmp_path / "out.mp4", taken_for_another)

    assert str(error).startswith("ffmpeg failed: ")


def test_options_that_never_passed_submit_are_refused_all_the_same(clips: Clips, tmp_path: Path) -> None:
    smuggled = (EncodePass(outfile_options=(("dump_attachment:t", "elsewhere"),)),)

    error = failure(clips["plain.mp4"], tmp_path / "out.mp4", smuggled)

    assert "option 'dump_attachment' is not among" in str(error)


def test_an_encoder_that_is_not_there_is_named(clips: Clips, tmp_path: Path) -> None:
    error = failure(clips["plain.mp4"], tmp_path / "out.mp4", passes([["acodec", "libfaac"]]))

    assert str(error).startswith("no encoder libfaac in ")


def test_a_good_output_passes(clips: Clips, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(clips["plain.mp4"].read_bytes())

    assert verdict(clips["plain.mp4"], output, preset(WEB)) == Media(seconds=2.0, width=160, height=120)


def test_an_output_with_damage_in_the_middle_does_not(clips: Clips, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(clips.damaged("damaged.mp4", clips["plain.mp4"]).read_bytes())

    said = verdict(clips["plain.mp4"], output, preset(WEB))

    assert isinstance(said, str)
    assert said.startswith("the output is damaged: ")


def test_an_output_that_lacks_a_stream_does_not(clips: Clips, tmp_path: Path) -> None:
    silent, dark = tmp_path / "silent.mp4", tmp_path / "dark.mp4"
    silent.write_bytes(clips["silent.mp4"].read_bytes())
    encode(clips["plain.mp4"], dark, passes([["vn", None]]))

    assert verdict(clips["plain.mp4"], silent, preset(WEB)) == (
        "the output has no sound, though the source has some and the options keep it"
    )
    assert verdict(clips["plain.mp4"], dark, preset(WEB)) == (
        "the output has no picture, though the source has one and the options keep it"
    )


def test_an_output_that_ends_too_early_does_not(clips: Clips, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    encode(clips["plain.mp4"], output, passes([["t", 0.5]]))

    assert verdict(clips["plain.mp4"], output, preset(WEB)) == (
        "the output lasts 0.5 s, the source 2.0 s; they may differ by 1.0 s"
    )


def test_a_source_that_does_not_say_its_duration_is_measured(clips: Clips, tmp_path: Path) -> None:
    stream, output = tmp_path / "live.mkv", tmp_path / "out.mp4"
    clip = clips.make("live.mkv", "-i", str(clips["plain.mp4"]), "-c", "copy", "-live", "1")
    stream.write_bytes(clip.read_bytes())
    assert probed(stream).seconds is None

    encode(stream, output, preset(WEB))
    encode(clips["plain.mp4"], tmp_path / "cut.mp4", passes([["t", 0.5]]))

    assert str(verdict(stream, tmp_path / "cut.mp4", preset(WEB))).startswith(
        "the output lasts 0.5 s, the source 2.0 s"
    )


def test_an_output_that_is_missing_or_empty_does_not(clips: Clips, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()

    assert str(verdict(clips["plain.mp4"], tmp_path / "empty.mp4", preset(WEB))).startswith("the output is damaged: ")
    assert str(verdict(clips["plain.mp4"], tmp_path / "none.mp4", preset(WEB))).startswith("the output is damaged: ")


@pytest.mark.slow
def test_the_time_limit_ends_an_encode(clips: Clips, tmp_path: Path) -> None:
    slow = passes([["c:v", "libx264"], ["preset", "placebo"], ["vf", "scale=3840:2160"]])

    with pytest.raises(EncodingError) as failed:
        encode(clips["plain.mp4"], tmp_path / "out.mp4", slow, settings=FfmpegSettings(time_limit=3.0))

    assert str(failed.value) == "ffmpeg took longer than the time limit of 3 s (ffmpeg.time_limit)"
    assert failed.value.command is not None
