import pytest

from nommerctl.domain.job import EncodePass
from nommerctl.domain.options import check_options, encoders, muxer_for, parse_options
from nommerctl.errors import UsageError


def outfile(*options: tuple[str, str | int | float | None]) -> tuple[EncodePass, ...]:
    return (EncodePass(outfile_options=options),)


def refusal(*options: tuple[str, str | int | float | None]) -> str:
    with pytest.raises(UsageError) as refused:
        check_options(outfile(*options))
    return str(refused.value)


def test_media_nommers_own_lists_are_taken_as_they_are() -> None:
    passes = parse_options(
        [
            {"outfile_options": [["threads", 0], ["vcodec", "libx264"], ["pass", 1], ["an", None], ["f", "mp4"]]},
            {
                "infile_options": [["ss", 1.5]],
                "outfile_options": [["threads", 0], ["vcodec", "libx264"], ["pass", 2], ["acodec", "aac"]],
                "move_atom_to_front": True,
            },
        ]
    )

    assert passes[0].outfile_options[3] == ("an", None)
    assert passes[1].infile_options == (("ss", 1.5),)
    assert [one.move_atom_to_front for one in passes] == [False, True]
    assert encoders(passes) == {"libx264", "aac"}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "options must be a list of one pass, or of 2 for a two-pass encode"),
        ([], "options must be a list of one pass, or of 2 for a two-pass encode"),
        ([{}, {}, {}], "options must be a list of one pass, or of 2 for a two-pass encode"),
        (["x"], 'options[0] must be an object such as {"outfile_options": [["vcodec", "libx264"]]}'),
        (
            [{"options": []}],
            "options[0] has an unknown key 'options'; known: infile_options, move_atom_to_front, outfile_options",
        ),
        ([{"move_atom_to_front": 1}], "options[0].move_atom_to_front must be true or false"),
        ([{"outfile_options": {}}], "options[0].outfile_options must be a list of [name, value] pairs"),
        (
            [{}, {"infile_options": [["ss", 1], "t"]}],
            "options[1].infile_options[1] must be a pair [name, value], the value null for a bare flag",
        ),
        (
            [{"outfile_options": [["crf", True]]}],
            "options[0].outfile_options[0]: the value of 'crf' must be text, a number or null, not True",
        ),
        (
            [{"outfile_options": [["crf", 20], ["attach", "/etc/passwd"]]}],
            (
                "options[0].outfile_options[1]: option 'attach' is not among those that nommerctl passes to ffmpeg"
                " at this place"
            ),
        ),
    ],
)
def test_a_fault_is_named_with_its_path(document: object, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_options(document)

    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    "name",
    [
        *("attach", "dump_attachment", "filter_complex_script", "filter_script", "fpre", "i", "init_hw_device", "n"),
        *("passlogfile", "pre", "print_graphs_file", "progress", "protocol_whitelist", "report", "sdp_file", "stats"),
        *("stats_enc_post", "target", "vpre", "vstats", "vstats_file", "y", "/vf", "", "vf "),
        *("apre", "spre", "lavfi", "vaapi_device", "qsv_device", "filter_hw_device", "stats_mux_pre", "x265-stats"),
        *("hls_segment_filename", "hls_key_info_file", "segment_list", "method", "http_proxy", "cookies", "key"),
        *("max_pixels", "max_alloc", "dump", "loglevel", "v", "print_graphs", "timelimit", "stats_period"),
    ],
)
@pytest.mark.parametrize("dash", ["", "-"])
def test_an_option_that_reads_writes_or_fetches_elsewhere_is_refused_by_name(name: str, dash: str) -> None:
    assert f"option {name!r} is not among" in refusal((f"{dash}{name}", "elsewhere"))


def test_a_value_after_a_flag_would_be_an_output_file_and_is_refused() -> None:
    assert refusal(("an", "/etc/cron.d/x.mp4")).endswith(
        "is a bare flag: its value must be null, not '/etc/cron.d/x.mp4'"
    )
    assert refusal(("vf", None), ("an", None)).endswith("option 'vf' needs a value")


@pytest.mark.parametrize("name", ["c:v", "b:a:0", "-metadata:s:a:0", "disposition:v", "-filter:v:0"])
def test_a_leading_dash_and_stream_specifiers_are_understood(name: str) -> None:
    check_options(outfile((name, "null" if "filter" in name else "x")))


def test_a_stream_specifier_that_is_no_such_thing_is_refused() -> None:
    assert "has a stream specifier that is not understood: 'v /x'" in refusal(("c:v /x", "copy"))


@pytest.mark.parametrize("muxer", ["tee", "segment", "hls", "dash", "null", "lavfi", "rtp_mpegts", "image2", "alsa"])
def test_only_muxers_that_write_the_one_file_are_taken(muxer: str) -> None:
    assert refusal(("f", muxer)).endswith(f"names a format that nommerctl does not use: {muxer!r}")


@pytest.mark.parametrize("demuxer", ["lavfi", "concat", "hls", "v4l2", "image2", "x11grab"])
def test_only_demuxers_that_read_the_one_file_are_taken(demuxer: str) -> None:
    with pytest.raises(UsageError, match=r"options\[0\]\.infile_options\[0\]: option 'f' names a format"):
        check_options((EncodePass(infile_options=(("f", demuxer),)),))


def test_the_first_of_two_passes_may_name_the_null_muxer() -> None:
    check_options((*outfile(("f", "null")), *outfile(("f", "mp4"))))


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("movie=/etc/passwd", "the filter 'movie'"),
        ("scale=1:1,amovie=x", "the filter 'amovie'"),
        ("[in]mo\\vie@a=x[out]", "the filter 'movie'"),
        ("'mov'ie=x", "the filter 'movie'"),
        ("subtitles=x.srt", "the filter 'subtitles'"),
        ("ass=x", "the filter 'ass'"),
        ("lut3d=x.cube", "the filter 'lut3d'"),
        ("drawtext=text=x", "the filter 'drawtext'"),
        ("sendcmd=f=x", "the filter 'sendcmd'"),
        ("metadata=print:file=x", "the filter 'metadata'"),
        ("curves=psfile=x", "the filter 'curves'"),
        ("psnr=f=x", "the filter 'psnr'"),
        ("libvmaf=log_path=x", "the filter 'libvmaf'"),
        ("vidstabdetect=result=x", "the filter 'vidstabdetect'"),
        ("deshake=filename=x", "the filter 'deshake'"),
        ("signature=filename=x", "the filter 'signature'"),
        ("fsync=f=x", "the filter 'fsync'"),
        ("drawvg=file=x", "the filter 'drawvg'"),
        ("libplacebo=custom_shader_path=x", "the filter 'libplacebo'"),
        ("program_opencl=source=x", "the filter 'program_opencl'"),
        ("frei0r=x", "the filter 'frei0r'"),
        ("lv2=p=x", "the filter 'lv2'"),
        ("sofalizer=x", "the filter 'sofalizer'"),
        ("zmq=b=tcp\\\\://x", "the filter 'zmq'"),
        ("qrencode=textfile=x", "the filter 'qrencode'"),
        ("life=f=x", "the filter 'life'"),
        ("sws_flags=x;[in]scale=1:1", "the filter 'sws_flags'"),
        ("scale=w=1;[0:v]movie=x[a]", "the filter 'movie'"),
        ("scale=1:1:file=x", "option 'file' of the filter 'scale' names a file"),
        ("scale=/w=/etc/passwd", "option '/w' of the filter 'scale' names a file"),
        ("scale='/w=/etc/passwd'", "option '/w' of the filter 'scale' names a file"),
        ("loudnorm=stats_file=/tmp/x", "option 'stats_file' of the filter 'loudnorm' names a file"),
        ("loudnorm=-24:7:-2", "the options of the filter 'loudnorm' must be given by name"),
        ("paletteuse=debug_kdtree=/tmp/x", "option 'debug_kdtree' of the filter 'paletteuse' names a file"),
        ("scale='1:1", "a quote is not closed"),
        ("[a]", "a filter has no name"),
        ("scale=1:1,", "a filter has no name"),
        ("[a", "a [label] is empty or not closed"),
        ("scale=1:1]", "']' stands where a filter should end"),
        ("", "a filter has no name"),
    ],
)
@pytest.mark.parametrize("name", ["vf", "af", "filter:v", "filter_complex"])
def test_a_filter_graph_is_read_as_ffmpeg_reads_it(name: str, graph: str, said: str) -> None:
    assert said in refusal((name, graph))


@pytest.mark.parametrize(
    "graph",
    [
        "scale=-2:720,format=yuv420p",
        "scale@big = w = 'min(1280,iw)' : h=-2 [out]",
        "[0:v]split[a][b];[a]hflip[c];[b][c]overlay=x=10",
        "select='eq(pict_type\\,I)',setpts=N/(25*TB)",
        "loudnorm=I=-16:TP=-1.5:LRA=11",
        "aformat=sample_rates=44100|48000:channel_layouts=mono|stereo",
    ],
)
def test_harmless_graphs_pass(graph: str) -> None:
    check_options(outfile(("filter_complex", graph)))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("x264-params", "keyint=50:stats=/tmp/x"), "sets 'stats=/tmp/x'"),
        (("x264opts", "qpfile=/etc/passwd"), "sets 'qpfile=/etc/passwd'"),
        (("x264-params", "keyint=1:'stats'=/tmp/x"), "sets \"'stats'=/tmp/x\""),
        (("x265-params", "csv=/tmp/x"), "sets 'csv=/tmp/x'"),
        (("svtav1-params", "fgs-table=/tmp/x"), "sets 'fgs-table=/tmp/x'"),
        (("bsf:v", "h264_mp4toannexb,trace_headers"), "names the bitstream filter 'trace_headers'"),
        (("map", "1:v"), "may pick streams of the source (0:v:0) or labels of its filters ([out]), not '1:v'"),
        (("metadata", "title=\0"), "has a value that is too long, or no proper text"),
        (("metadata", "title=\ud800"), "has a value that is too long, or no proper text"),
        (("metadata", "x" * 20_000), "has a value that is too long, or no proper text"),
    ],
)
def test_values_that_reach_elsewhere_are_refused(option: tuple[str, str], said: str) -> None:
    assert said in refusal(option)


def test_values_that_encoders_know_well_pass() -> None:
    check_options(
        outfile(
            ("x264-params", "keyint=50:min-keyint=25:no-scenecut=1:open_gop=0"),
            ("x265-params", "pass=2:aq-mode=3"),
            ("bsf:v", "h264_mp4toannexb"),
            ("map", "0:v:0?"),
            ("map", "-0:s"),
            ("map", "[out]"),
        )
    )


@pytest.mark.parametrize(
    ("dest", "muxer"),
    [
        ("out.mp4", "mp4"),
        ("/a.b/out.M4A", "ipod"),
        ("s3://bucket/x.y.mkv", "matroska"),
        ("a.aac", "adts"),
        ("a.ts", "mpegts"),
    ],
)
def test_the_muxer_follows_the_extension(dest: str, muxer: str) -> None:
    assert muxer_for(dest) == muxer


@pytest.mark.parametrize("dest", ["out", "out.", "folder.mp4/out", ".mp4", "out.m3u8", "out.mp4/"])
def test_an_unknown_extension_is_answered_with_the_known_ones(dest: str) -> None:
    with pytest.raises(UsageError, match=r"does not end in a known media extension: 3gp, aac, .*webm"):
        muxer_for(dest)
