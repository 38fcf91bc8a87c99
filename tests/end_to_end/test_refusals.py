"""What cannot be encoded is refused at submit: exit 2, one sentence, nothing stored."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import InProcessCli
from tests.clips import Clips


@pytest.fixture
def source(clips: Clips, tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(path, (1, 1))
    return path


def refused(here: InProcessCli, *arguments: str | Path) -> str:
    """Submit and return the sentence of the refusal, after checking that it is one and that nothing is stored."""
    result = here.run("submit", *arguments, code=2)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("nommerctl: ")
    assert here.run("list", "--json").json["jobs"] == []
    return line.removeprefix("nommerctl: ")


def test_a_missing_source(here: InProcessCli, tmp_path: Path) -> None:
    said = refused(here, "nothing.mp4", "--dest", "out.mp4", "--preset", "web-480p")
    assert said == f"'{tmp_path}/nothing.mp4' cannot be read: there is no such file"


def test_an_empty_source(here: InProcessCli, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    said = refused(here, "empty.mp4", "--dest", "out.mp4", "--preset", "web-480p")
    assert said == f"source '{tmp_path}/empty.mp4' is empty"


def test_a_folder_as_source(here: InProcessCli, tmp_path: Path) -> None:
    said = refused(here, tmp_path, "--dest", "out.mp4", "--preset", "web-480p")
    assert said == f"'{tmp_path}' cannot be read: it is a folder"


def test_a_source_that_is_still_being_written(here: InProcessCli, tmp_path: Path) -> None:
    growing = tmp_path / "growing.mp4"
    with growing.open("wb", buffering=0) as file:
        file.write(b"x")
        submitting = here.start("submit", growing, "--dest", "out.mp4", "--preset", "web-480p")
        while submitting.poll() is None:
            file.write(b"x")
    _, said = submitting.communicate()
    assert submitting.returncode == 2
    assert said == f"nommerctl: source '{growing}' is still being written: submit it when it is complete\n"
    assert here.refreshed_states() == []


def test_one_bad_source_among_good_ones(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    said = refused(here, source, "nothing.mp4", "--dest", f"{tmp_path}/", "--preset", "web-480p")
    assert said == f"'{tmp_path}/nothing.mp4' cannot be read: there is no such file"


def test_every_bad_source_is_named_each_by_its_sentence(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    said = refused(here, "nothing.mp4", source, "empty.mp4", "--dest", f"{tmp_path}/", "--preset", "web-480p")
    assert said == (
        f"'{tmp_path}/nothing.mp4' cannot be read: there is no such file; source '{tmp_path}/empty.mp4' is empty"
    )


def test_a_source_of_an_unknown_kind(here: InProcessCli) -> None:
    assert "'gopher:'" in refused(here, "gopher://host/film.mp4", "--dest", "out.mp4", "--preset", "web-480p")


def test_a_source_with_credentials_which_are_not_repeated(here: InProcessCli) -> None:
    said = refused(here, "http://me:hunter2@127.0.0.1/film.mp4", "--dest", "out.mp4", "--preset", "web-480p")
    assert "with a user name or password in it is refused" in said
    assert "hunter2" not in said


def test_a_source_on_a_server_that_is_not_there(here: InProcessCli) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/film.mp4"
        said = refused(here, url, "--dest", "out.mp4", "--preset", "web-480p")
    assert url in said


def test_a_destination_in_a_folder_that_is_not_there(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    said = refused(here, source, "--dest", "no/such/out.mp4", "--preset", "web-480p")
    assert f"'{tmp_path}/no/such'" in said


def test_a_destination_that_is_not_a_file(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.mp4")
    said = refused(here, source, "--dest", "out.mp4", "--preset", "web-480p")
    assert f"'{tmp_path}/out.mp4'" in said


def test_a_destination_whose_kind_is_unknown(here: InProcessCli, source: Path) -> None:
    said = refused(here, source, "--dest", "out.docx", "--preset", "web-480p")
    assert "docx" in said
    assert "mp4" in said


def test_a_folder_on_a_server_as_destination(here: InProcessCli, source: Path) -> None:
    said = refused(here, source, "--dest", "https://host/out/", "--preset", "web-480p")
    assert said == "a destination cannot be 'https:' with this backend: it takes file:"


def test_a_destination_over_its_own_source(here: InProcessCli, source: Path) -> None:
    said = refused(here, source, "--dest", source, "--preset", "web-480p")
    assert said == f"'{source}' would be written over its own source: give another destination"


def test_a_destination_that_is_its_own_source_by_another_name(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(source)
    said = refused(here, "link.mp4", "--dest", source, "--preset", "web-480p")
    assert said == f"'{source}' would be written over its own source: give another destination"


def test_one_file_for_two_sources(here: InProcessCli, source: Path) -> None:
    said = refused(here, source, source, "--dest", "out.mp4", "--preset", "web-480p")
    assert said.endswith("out.mp4' is one file for 2 sources: give a folder")


def test_two_sources_of_one_name(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "film.mov"
    other.write_bytes(source.read_bytes())
    os.utime(other, (1, 1))
    said = refused(here, source, other, "--dest", f"{tmp_path}/", "--preset", "web-480p")
    assert "would both be written to" in said


def test_an_unknown_preset(here: InProcessCli, source: Path) -> None:
    said = refused(here, source, "--dest", "out.mp4", "--preset", "web-481p")
    assert "web-481p" in said
    assert "web-480p" in said


def test_neither_preset_nor_options(here: InProcessCli, source: Path) -> None:
    said = refused(here, source, "--dest", "out.mp4")
    assert said == "give one of --preset (one of audio-m4a, web-1080p, web-480p, web-720p) and --options"


def test_both_preset_and_options(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "o.json").write_text("[]")
    assert "give one of" in refused(
        here, source, "--dest", "out.mp4", "--preset", "web-480p", "--options", tmp_path / "o.json"
    )


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ('{"no": "json"', "not JSON"),
        ("[]", "pass"),
        (json.dumps([{"outfile_options": [["frobnicate", 1]]}]), "frobnicate"),
    ],
)
def test_options_that_cannot_be_used(
    here: InProcessCli, source: Path, tmp_path: Path, document: str, named: str
) -> None:
    (tmp_path / "options.json").write_text(document)
    assert named in refused(here, source, "--dest", "out.mp4", "--options", "options.json")


def test_options_that_are_endless_or_nested_without_end(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)

    assert "is nested too deep" in refused(here, source, "--dest", "out.mp4", "--options", "deep.json")
    assert "is larger than any options" in refused(here, source, "--dest", "out.mp4", "--options", "/dev/zero")


def test_settings_that_are_endless(here: InProcessCli) -> None:
    assert "is larger than any settings" in here.run("--config", "/dev/zero", "list", code=78).stderr


def test_a_cold_cache_is_said_to_be_cold_where_nobody_sees_a_table(here: InProcessCli) -> None:
    assert here.run("list").stderr == "nommerctl: the cache is cold: run `nommerctl refresh`\n"


def test_options_without_a_suffix_into_a_folder(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text(json.dumps([{"outfile_options": [["vcodec", "libx264"]]}]))
    said = refused(here, source, "--dest", f"{tmp_path}/", "--options", "options.json")
    assert "--suffix" in said


def test_a_missing_options_file(here: InProcessCli, source: Path) -> None:
    assert "none.json' cannot be read" in refused(here, source, "--dest", "out.mp4", "--options", "none.json")


def test_a_client_id_for_two_sources(here: InProcessCli, source: Path) -> None:
    said = refused(here, source, source, "--dest", "out/", "--preset", "web-480p", "--client-id", "x")
    assert said == "--client-id names one job: give it with one source"


def test_an_empty_client_id(here: InProcessCli, source: Path) -> None:
    said = refused(here, source, "--dest", "out.mp4", "--preset", "web-480p", "--client-id", "")
    assert said == "--client-id is empty: give your own name for the job, or leave it out"


def test_a_listener_that_is_no_web_address(here: InProcessCli, source: Path) -> None:
    said = refused(here, source, "--dest", "out.mp4", "--preset", "web-480p", "--notify-url", "mailto:me")
    assert "mailto" in said


def submission(source: Path) -> tuple[str | Path, ...]:
    return ("submit", source, "--dest", "out.mp4", "--preset", "web-480p")


def test_a_state_folder_that_cannot_be_made(here: InProcessCli, source: Path) -> None:
    for verb in (submission(source), ("list",), ("refresh",), ("worker", "--once")):
        result = here.run("--state-dir", source, *verb, code=69)
        assert str(source) in result.stderr
        assert "a part of the path is not a folder" in result.stderr or "in the way" in result.stderr


def test_a_state_folder_that_others_may_write_in(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for verb in (submission(source), ("refresh",), ("worker", "--once")):
        assert "others may write" in here.run("--state-dir", "open", *verb, code=77).stderr
    assert list((tmp_path / "open").glob("*.db")) == []


def test_an_empty_state_folder_is_not_the_default_one(here: InProcessCli) -> None:
    assert "is empty" in here.run("--state-dir", "", "list", code=78).stderr


def test_an_encoder_that_no_ffmpeg_here_has(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text(json.dumps([{"outfile_options": [["vcodec", "nosuch"]]}]))
    assert "no encoder nosuch in" in refused(here, source, "--dest", "out.mp4", "--options", "options.json")


def test_an_ffmpeg_that_is_not_there(here: InProcessCli, source: Path) -> None:
    here.settings["FFMPEG_PATH"] = "/no/ffmpeg"
    said = refused(here, source, "--dest", "out.mp4", "--preset", "web-480p")
    assert said == "/no/ffmpeg does not answer as an ffmpeg: No such file or directory"


def test_output_to_a_full_disk_is_said_and_what_was_done_stands(here: InProcessCli, source: Path) -> None:
    for arguments in (submission(source), ("list", "--json"), ("--help",), ("show", "zz")):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*here.executable, *arguments],
                env=here.environment(),
                cwd=here.cwd,
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        (line,) = done.stderr.splitlines()
        assert (done.returncode, "no space left" in line.lower()) in {(69, True), (2, False)}
    assert len(here.listed()) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_streams_are_no_error(here: InProcessCli, closed: str) -> None:
    here.run("refresh")
    command = f"{sys.executable} -m nommerctl list {closed}"
    done = subprocess.run(["/bin/sh", "-c", command], env=here.environment(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_locale_that_knows_few_letters_is_no_error(here: InProcessCli, source: Path, tmp_path: Path) -> None:
    odd = tmp_path / "Übertragung-日本.mp4"
    odd.write_bytes(source.read_bytes())
    here.run("submit", odd, "--dest", "out.mp4", "--preset", "web-480p")
    done = subprocess.run(
        [*here.executable, "list"],
        env=here.environment({"PYTHONIOENCODING": "latin-1"}),
        capture_output=True,
        check=True,
    )
    assert "Übertragung-\\u65e5\\u672c.mp4".encode("latin-1") in done.stdout


def test_the_same_client_id_for_something_else_is_said(here: InProcessCli, source: Path) -> None:
    here.run(*submission(source), "--client-id", "7")
    said = here.run("submit", source, "--dest", "b.mp4", "--preset", "web-480p", "--client-id", "7").stderr
    assert "was submitted before, for something else: it stays as it is" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("submit",),
        ("scale", "--max", "3"),
        ("list", "--state", "LOST"),
        ("show", "zzz"),
        ("show", "abc123"),
        ("retry",),
        ("retry", "abc123"),
        ("cancel", "0"),
        ("worker", "--slots", "0"),
        ("schedule",),
        ("schedule", "--cron", "--systemd"),
        ("scale", "--time-limit", "soon"),
        ("scale", "--time-limit", "nan"),
        ("scale", "--time-limit", "inf"),
        ("refresh", "extra"),
    ],
)
def test_wrong_words_get_one_sentence_and_exit_2(here: InProcessCli, arguments: tuple[str, ...]) -> None:
    result = here.run(*arguments, code=2)
    (line,) = result.stderr.splitlines()
    assert line.startswith("nommerctl: ")
    assert len(line) < 300


def test_an_error_as_json(here: InProcessCli) -> None:
    result = here.run("show", "abc123", "--json", code=2)
    assert result.json == {
        "schema": 1,
        "error": {"code": 2, "kind": "usage", "message": "no job's id begins with 'abc123': see `nommerctl list`"},
    }


def test_a_settings_file_that_is_missing(here: InProcessCli) -> None:
    result = here.run("--config", "nothing.toml", "list", code=78)
    assert "nothing.toml" in result.stderr


def test_a_settings_file_with_a_mistake_names_its_path(here: InProcessCli, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[scale]\nmax_nodes = 'three'\n")
    assert "scale.max_nodes" in here.run("--config", "config.toml", "scale", code=78).stderr


def test_a_reader_that_leaves_early_is_no_error(here: InProcessCli, source: Path) -> None:
    here.run("submit", source, "--dest", "a.mp4", "--preset", "web-480p")
    process = here.start("list")
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=10)
    assert process.stderr is not None
    assert (process.returncode, process.stderr.read()) == (0, "")
    process.stderr.close()
