"""The argument lists, and that ffmpeg takes as many of them as we think for each option."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nommerctl.domain import allowed
from nommerctl.domain.job import EncodePass
from nommerctl.ports import Work
from nommerctl.worker.nommers.ffmpeg.command import encode_command
from nommerctl.worker.nommers.ffmpeg.limits import Limits
from nommerctl.worker.nommers.ffmpeg.process import run
from tests.clips import Clips, ffmpeg

START = "/bin/ffmpeg -hide_banner -nostdin -nostats -loglevel repeat+level+info -progress pipe:1 -y"


def command(
    *options: EncodePass, index: int = 0, threads: int = 0, muxer: str = "mp4", limits: Limits | None = None
) -> str:
    """The command of one pass, without the list of formats, as words between blanks."""
    work = Work(source=Path("/w/source"), output=Path("/d/.out"), folder=Path("/w"), muxer=muxer, options=options)
    argv = encode_command(Path("/bin/ffmpeg"), work, index, threads=threads, limits=limits or Limits())
    at = argv.index("-format_whitelist")
    return " ".join(argv[:at] + argv[at + 2 :])


def test_options_stand_where_they_belong() -> None:
    one = EncodePass(
        infile_options=(("ss", 1.5),),
        outfile_options=(("vcodec", "libx264"), ("-crf", 20), ("b:a:0", "96k"), ("sn", None)),
        move_atom_to_front=True,
    )

    assert command(one) == (
        f"{START} -ss 1.5 -protocol_whitelist file -i file:/w/source"
        " -vcodec libx264 -crf 20 -b:a:0 96k -sn -movflags +faststart -f mp4 file:/d/.out"
    )


def test_the_first_of_two_passes_writes_nowhere_and_keeps_its_statistics_in_the_jobs_folder() -> None:
    first = EncodePass(outfile_options=(("pass", 1), ("f", "mp4")), move_atom_to_front=True)
    second = EncodePass(outfile_options=(("pass", 2), ("f", "matroska")), move_atom_to_front=True)

    assert command(first, second).endswith("-i file:/w/source -pass 1 -passlogfile /w/pass -f null -")
    assert command(first, second, index=1).endswith(
        "-i file:/w/source -pass 2 -passlogfile /w/pass -f matroska file:/d/.out"
    )


def test_the_settings_threads_hold_where_the_options_name_none() -> None:
    assert " -threads 3 -protocol_whitelist" in command(EncodePass(), threads=3)
    assert command(EncodePass(), threads=3).count("-threads 3") == 2, "for decoding and for encoding"
    assert "-threads 3" not in command(EncodePass(outfile_options=(("threads", 1),)), threads=3)
    assert "-threads" not in command(EncodePass())


def test_the_pixels_of_a_picture_are_limited_in_the_source_and_in_the_output_whatever_the_options_say() -> None:
    assert command(EncodePass(outfile_options=(("s", "9x9"),)), limits=Limits(pixels=100)).endswith(
        "-max_pixels 100 -i file:/w/source -s 9x9 -max_pixels 100 -f mp4 file:/d/.out"
    )
    assert "-max_pixels" not in command(EncodePass(), limits=Limits(pixels=0))
    assert command(EncodePass(), limits=Limits(pixels=10**18)).count("-max_pixels 2147483647 ") == 2, "its most"


@pytest.mark.slow
def test_ffmpeg_takes_a_value_after_each_option_that_we_give_one_and_none_after_a_flag(
    clips: Clips, tmp_path: Path
) -> None:
    """If it took none where we give one, the value would be the name of one more file to write."""
    source = ["-i", str(clips["silent.mp4"])]

    def said(*arguments: str) -> str:
        argv = [
            str(ffmpeg()),
            "-hide_banner",
            "-nostdin",
            "-loglevel",
            "error",
            *arguments,
            "-t",
            "0.04",
            "-f",
            "null",
            "-",
        ]
        return run(argv, folder=tmp_path, time_limit=20, keep_on=lambda: None).tail

    asked = {
        **{f"value -{name}": [*source, f"-{name}", "stray.bogus"] for name in allowed.OUTPUT_VALUES},
        **{f"value in -{name}": [f"-{name}", "stray.bogus", *source] for name in allowed.INPUT_VALUES},
        **{f"flag -{name}": [*source, f"-{name}", "-stray", "1"] for name in allowed.OUTPUT_FLAGS},
        **{f"flag in -{name}": [f"-{name}", "-stray", "1", *source] for name in allowed.INPUT_FLAGS},
    }
    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(asked, pool.map(lambda arguments: said(*arguments), asked.values()), strict=True))

    values = {name: answer for name, answer in answers.items() if name.startswith("value")}
    flags = {name: answer for name, answer in answers.items() if name.startswith("flag")}
    assert [name for name, answer in values.items() if "output format for 'stray.bogus'" in answer] == []
    assert [name for name, answer in flags.items() if "Unrecognized option 'stray'" not in answer] == []
    assert list(tmp_path.glob("stray*")) == []
