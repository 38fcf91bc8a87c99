"""I9: texts that come as arguments, variables, settings and names of files: what they are answered is tame."""

import json
import os
from pathlib import Path

import pytest

from nommerctl.domain.text import shown
from tests import payloads
from tests.cli import InProcessCli, Result
from tests.clips import Clips

pytestmark = pytest.mark.slow  # each is a process


TYPED = {**payloads.PAYLOADS, "not unicode": payloads.NOT_UNICODE}


each_text = pytest.mark.parametrize("text", TYPED.values(), ids=TYPED.keys())
SOME = ("csi", "c1", "lines", "invisible", "not unicode", "percent")
some_texts = pytest.mark.parametrize("text", [TYPED[name] for name in SOME], ids=SOME)


@pytest.fixture
def film(clips: Clips, tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.symlink_to(clips["plain.mp4"])
    return path


def assert_answered(result: Result) -> None:
    """By a sentence of its own if it failed, and tame in any case."""
    payloads.assert_tame(result.stdout, but="\n\t")
    payloads.assert_tame(result.stderr)
    assert "a bug in nommerctl" not in result.stderr
    if result.code in {2, 69, 75, 77, 78}:
        payloads.assert_one_line(result.stderr)


@each_text
def test_what_is_typed_wrongly(here: InProcessCli, text: str, film: Path) -> None:
    preset = ("--preset", "web-480p")
    out = ("--dest", "out.mp4")
    for arguments in (
        (text,),
        (f"--{text}",),
        ("list", text),
        ("list", f"--{text}"),
        ("list", f"-{text}"),
        ("list", "--state", text),
        ("list", f"--state={text}"),
        ("list", f"--json={text}"),
        ("show", text),
        ("cancel", text),
        ("retry", text),
        ("scale", "--time-limit", text),
        ("worker", "--slots", text),
        ("why", "--last", text),
        ("config", text),
        ("queue", "dead", text),
        ("--config", text, "list"),
        ("--config", f"/{text}", "config", "validate"),
        ("--backend", text, "list"),
        ("--state-dir", f"{film}/{text}", "list"),
        ("config", "generate", "-o", f"{film}/{text}"),
        ("submit", text, *out, *preset),
        ("submit", f"http://{text}/", *out, *preset),
        ("submit", f"file:///{text}", *out, *preset),
        ("submit", f"{text}://host/", *out, *preset),
        ("submit", film, "--dest", text, *preset),
        ("submit", film, "--dest", f"/{text}/", *preset),
        ("submit", film, *out, "--preset", text),
        ("submit", film, *out, "--options", text),
        ("submit", film, film, "--dest", ".", *preset, "--suffix", text),
        ("submit", film, *out, *preset, "--notify-url", text),
        ("submit", film, *out, *preset, "--notify-url", f"http://host/{text}"),
    ):
        assert_answered(here.run(*arguments, code=None))
        answer = here.run(*arguments, "--json", code=None)
        assert_answered(answer)
        if answer.stdout.startswith("{"):
            payloads.assert_document(answer.stdout)


@some_texts
def test_options_of_an_encode(here: InProcessCli, text: str, film: Path, tmp_path: Path) -> None:
    options = tmp_path / "options.json"
    for document in (
        json.dumps(text),
        json.dumps([{text: 1}]),
        json.dumps([{"outfile_options": [[text, 1]]}]),
        json.dumps([{"outfile_options": [[f"b:{text}", 1]]}]),
        json.dumps([{"outfile_options": [["vcodec", text]]}]),
        json.dumps([{"outfile_options": [["vf", text]]}]),
        json.dumps([{"outfile_options": [["f", text], ["an", text]]}]),
        text,
    ):
        options.write_text(document, encoding="utf-8", errors="surrogateescape")
        result = here.run("submit", film, "--dest", "out.mp4", "--options", options, code=2)
        assert_answered(result)


@some_texts
def test_variables(here: InProcessCli, text: str, tmp_path: Path) -> None:
    for name in ("SCALE_MAX_NODES", "FARM_NAME", "CONFIG", "BACKEND", "UPKEEP_ARCHIVE", "FFMPEG_PATH", shown(text)):
        for value in (text, f"{tmp_path}/{text}"):
            for arguments in (("list",), ("config", "show"), ("config", "show", "--json")):
                result = here.run(*arguments, code=None, env={f"NOMMERCTL_{name.replace('=', '')}": value})
                assert_answered(result)


@some_texts
@pytest.mark.parametrize("name", ["HOME", "XDG_CONFIG_HOME", "PATH", "TERM", "COLUMNS", "LANG", "_NOMMERCTL_COMPLETE"])
def test_surroundings(here: InProcessCli, text: str, name: str, film: Path) -> None:
    for arguments in (("--help",), ("list",), ("submit", film, "--dest", f"{film}/out.mp4", "--preset", "web-480p")):
        assert_answered(here.run(*arguments, code=None, env={name: f"/{text}"}))


@each_text
def test_settings_files(here: InProcessCli, text: str, tmp_path: Path) -> None:
    quoted = json.dumps(text)  # a TOML string as well, but for what is no Unicode
    for number, content in enumerate(
        (
            f"[scale]\nmax_nodes = {quoted}",
            f"[farm]\n{quoted} = 1",
            f"[{quoted}]\nname = 1",
            f"{quoted} = 1",
            f"[farm]\nname = {quoted}",
            f"[farm]\nstate_dir = {quoted}",
            f"[schedule]\nrefresh = {quoted}",
            f"[ffmpeg]\npath = {quoted}",
            text,
        )
    ):
        file = tmp_path / f"{number}.toml"
        file.write_text(content, encoding="utf-8", errors="surrogateescape")
        for arguments in (("list",), ("config", "show"), ("list", "--json")):
            assert_answered(here.run("--config", file, *arguments, code=None))


@some_texts
def test_a_folder_of_that_name(here: InProcessCli, text: str, tmp_path: Path) -> None:
    """Settings file and state folder are in it: both are named in what is shown."""
    folder = tmp_path / text.replace("/", "_").encode(errors="surrogateescape")[:200].decode(errors="surrogateescape")
    folder.mkdir()
    (folder / "config.toml").write_text("[scale]\nmax_nodes = 1\n")
    named = ("--config", folder / "config.toml", "--state-dir", folder / "state")
    for arguments in (("config", "show"), ("config", "validate"), ("refresh",), ("scale",), ("nodes",), ("list",)):
        result = here.run(*named, *arguments, env={"PATH": str(folder)})
        assert_answered(result)
    shown_settings = payloads.assert_document(here.run(*named, "config", "show", "--json").stdout)
    assert shown_settings["file"] == str(folder / "config.toml")
    (folder / "state" / "farm.db").write_bytes(os.urandom(4096))
    assert_answered(here.run(*named, "refresh", code=69))
    for form in ("--cron", "--systemd"):
        printed = here.run(*named, "schedule", form, code=None)
        assert_answered(printed)
        assert printed.code == (0 if str(folder).isprintable() and "\\" not in str(folder) else 2)
