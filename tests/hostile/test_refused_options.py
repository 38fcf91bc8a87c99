"""Options that read, write or fetch what is not the job's: refused at submit, by their names, and nothing is stored."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest

from nommerctl.domain import allowed
from nommerctl.domain.job import EncodePass
from nommerctl.domain.options import check_options
from nommerctl.errors import UsageError
from tests.clips import Clips, ffmpeg
from tests.hostile.farm import HostileFarm

PATH = "/etc/passwd"


def outfile(name: str, value: str | None = PATH) -> tuple[str, str, str | None]:
    return "outfile_options", name, value


def infile(name: str, value: str | None = PATH) -> tuple[str, str, str | None]:
    return "infile_options", name, value


REFUSED = {
    **{name: outfile("vf", f"{name}={PATH}") for name in ("movie", "subtitles", "ass", "lut3d", "removelogo")},
    **{name: outfile("af", f"{name}={PATH}") for name in ("amovie", "ladspa", "arnndn", "asendcmd")},
    "drawtext": outfile("vf", f"drawtext=textfile={PATH}:fontfile={PATH}"),
    "sendcmd": outfile("filter_complex", f"[0:v]sendcmd=f={PATH}"),
    "metadata": outfile("vf", f"metadata=print:file={PATH}"),
    "zmq": outfile("vf", "zmq=bind_address=tcp\\\\://*\\\\:5555"),
    "stats_file": outfile("af", f"loudnorm=I=-16:stats_file={PATH}"),
    "/w": outfile("vf", f"scale=/w={PATH}"),
    **{name: infile("f", name) for name in ("lavfi", "v4l2", "x11grab", "alsa", "concat", "hls")},
    **{name: outfile("f", name) for name in ("tee", "segment", "image2", "rtp", "stream_segment", "ffmetadata")},
    **{
        name: outfile(name)
        for name in (
            *("attach", "filter_complex_script", "filter_script:v", "fpre", "i", "passlogfile", "pre", "progress"),
            *("print_graphs_file", "sdp_file", "stats_enc_pre", "vpre", "vstats_file", "/filter_complex", "/vf"),
        )
    },
    **{name: outfile(name, None) for name in ("report", "vstats", "y", "stats")},
    **{
        name: infile(name)
        for name in (
            *("dump_attachment:t", "protocol_whitelist", "format_whitelist", "hwaccel_device", "safe", "headers"),
            *("use_absolute_path", "enable_drefs", "allowed_extensions", "max_pixels", "ifo_palette", "/i"),
        )
    },
    "stats=": outfile("x264-params", f"keyint=50:stats={PATH}"),
    "csv=": outfile("x265-params", f"csv={PATH}"),
    "fgs-table=": outfile("svtav1-params", f"fgs-table={PATH}"),
    "'1:v'": outfile("map", "1:v"),
}


@pytest.mark.parametrize("named", REFUSED)
def test_what_reaches_elsewhere_is_refused_at_submit_by_its_name(farm: HostileFarm, clips: Clips, named: str) -> None:
    side, name, value = REFUSED[named]
    (farm.folder / "options.json").write_text(json.dumps([{side: [[name, value]]}]))

    said = farm.here.run("submit", clips["plain.mp4"], "--dest", "out.mp4", "--options", "options.json", code=2).stderr

    assert said.startswith(f"nommerctl: options[0].{side}[0]: option {name.partition(':')[0]!r}")
    assert named.partition(":")[0] in said
    assert not farm.here.state_dir.exists()


# --- the lists of what may pass, held against what ffmpeg says of each ------------------------------------------------


class Described(NamedTuple):
    """An option as ffmpeg's help has it: whose it is, its name (a filter's has no dash), and what is said of it."""

    owner: str
    name: str
    text: str


SUSPICIOUS = re.compile(
    r"file|\burls?\b|\bpath|folder|director|\bdevice|address|socket|script|\bfont|server|report|\blog\b", re.IGNORECASE
)

HARMLESS = frozenset({
    "filter_complex", "fs", "level", "loop", "map", "map_chapters", "map_metadata", "profile", "streamid", "write_xing",
})  # fmt: skip
"""Options whose help has such a word, but that take a number, or a name that is checked: `fs` is a file's size."""


@cache
def described() -> tuple[Described, ...]:
    done = subprocess.run([ffmpeg(), "-hide_banner", "-h", "full"], capture_output=True, text=True, check=True)
    return tuple(_described(done.stdout))


def _described(text: str) -> Iterator[Described]:
    owner = ""
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            owner = line.removesuffix(":").removesuffix(" AVOptions")
        found = re.match(r"(?: {2} ?)?(-?[a-zA-Z0-9_/-]+)(?:\[:\S+)? +(\S.*)", line)
        if found:
            yield Described(owner, found[1], found[2])


def test_no_option_that_may_pass_is_said_by_ffmpeg_to_name_a_file_or_a_server() -> None:
    passing = allowed.INPUT_FLAGS | allowed.INPUT_VALUES | allowed.OUTPUT_FLAGS | allowed.OUTPUT_VALUES
    suspicious = {
        one.name.removeprefix("-") for one in described() if one.name[0] == "-" and SUSPICIOUS.search(one.text)
    }
    assert {"attach", "passlogfile", "vstats_file", "hls_key_info_file"} <= suspicious  # that the help is read aright

    assert suspicious & passing <= HARMLESS


def test_no_option_of_a_filter_that_may_pass_is_said_to_name_a_file() -> None:
    """But for those that are refused by their name."""
    options = [
        (name, one)
        for one in described()
        for name in re.split(r"[/()]", one.owner)
        if name in allowed.FILTERS and SUSPICIOUS.search(one.text) and "<string>" in one.text
    ]
    assert ("loudnorm", "stats_file") in {(name, one.name) for name, one in options}

    for name, one in options:
        with pytest.raises(UsageError, match="names a file"):
            check_options((EncodePass(outfile_options=(("vf", f"{name}={one.name}=x"),)),))
