import pytest

from nommerctl.domain.expectations import Streams, expects, keeps_duration
from nommerctl.domain.job import EncodePass

Options = tuple[tuple[str, str | int | float | None], ...]

BOTH = Streams(video=True, audio=True)


@pytest.mark.parametrize(
    ("outfile", "infile"),
    [
        ((("t", 5),), ()),
        ((("frames:v", 5),), ()),
        ((("shortest", None),), ()),
        ((), (("ss", 1),)),
        ((), (("stream_loop", 2),)),
        ((), (("r", 50),)),
        ((("vf", "setpts=0.5*PTS,null"),), ()),
        ((("filter:a", "atempo=2"),), ()),
        ((("filter_complex", "[0:v]trim=1:2[out]"),), ()),
    ],
)
def test_what_cuts_or_stretches_does_not_keep_the_duration(outfile: Options, infile: Options) -> None:
    assert not keeps_duration((EncodePass(outfile_options=outfile, infile_options=infile),))


@pytest.mark.parametrize("outfile", [(), (("r", 25),), (("vf", "fps=25,scale=320:-2"),), (("loop", 0),)])
def test_what_only_changes_pictures_keeps_it(outfile: Options) -> None:
    assert keeps_duration((EncodePass(outfile_options=outfile),))


def test_only_the_last_pass_makes_the_output() -> None:
    cut, whole = EncodePass(outfile_options=(("t", 1), ("an", None))), EncodePass()

    assert keeps_duration((cut, whole))
    assert expects((cut, whole), source=BOTH, muxer="mp4") == BOTH


@pytest.mark.parametrize(
    ("outfile", "muxer", "expected"),
    [
        ((), "mp4", (True, True)),
        ((), "mp3", (False, True)),
        ((), "gif", (True, False)),
        ((("vn", None),), "mp4", (False, True)),
        ((("an", None),), "mp4", (True, False)),
        ((("map", "0"),), "mp4", (True, True)),
        ((("map", "0:v:0"),), "mp4", (True, False)),
        ((("map", "0:V:0?"), ("map", "0:a:0?")), "mp4", (True, True)),
        ((("map", "0"), ("map", "-0:a")), "mp4", (False, False)),
        ((("map", "0:1"),), "mp4", (False, False)),
        ((("filter_complex", "[0:v]null[x]"), ("map", "[x]"), ("map", "0:a")), "mp4", (False, True)),
    ],
)
def test_streams_are_demanded_only_where_the_options_surely_keep_them(
    outfile: Options, muxer: str, expected: tuple[bool, bool]
) -> None:
    assert expects((EncodePass(outfile_options=outfile),), source=BOTH, muxer=muxer) == expected


def test_what_the_source_has_not_is_not_demanded() -> None:
    assert expects((EncodePass(),), source=Streams(video=False, audio=True), muxer="mp4") == (False, True)
