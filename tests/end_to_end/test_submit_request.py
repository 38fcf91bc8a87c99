"""The request that media-nommer's /job/submit/ took, by the command line: one object in, one object out."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.aws_farm import AwsFarm
from tests.cli import Cli, InProcessCli
from tests.clips import Clips
from tests.cloud import refusal
from tests.end_to_end.job_files import stored

PASS = {"outfile_options": [["vcodec", "libx264"], ["an", None]]}


@pytest.fixture
def film(clips: Clips, tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(path, (1, 1))
    return path


def document(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    job_options = {"nommer": "media_nommer.ec2nommerd.nommers.ffmpeg.FFmpegNommer", "options": [PASS]}
    plain = {"source_path": "film.mp4", "dest_path": "out.mp4", "notify_url": None, "job_options": job_options}
    return {**plain, **fields}


def asked(cli: Cli, request: object, code: int = 0) -> dict[str, Any]:
    """Write a request to a file, submit it and return the answer, which is all that is printed."""
    (cli.cwd / "request.json").write_text(json.dumps(request))
    answer = cli.run("submit", "--request", "request.json", code=code)
    assert answer.stdout.endswith("}\n")
    assert answer.stdout.count("\n") == 1
    assert (answer.stderr == "") == (code == 0)
    found = answer.json
    assert isinstance(found, dict)
    return found


@pytest.mark.usefixtures("film")
def test_a_request_becomes_a_job_whose_id_is_the_answer(here: InProcessCli, tmp_path: Path) -> None:
    here.settings["NOTIFY_ALLOW_PRIVATE"] = "127.0.0.0/8"
    answer = asked(here, document(notify_url="http://127.0.0.1:9/told"))
    ((job_id, job),) = here.listed().items()
    assert answer == {"success": True, "job_id": job_id}
    assert (job["source"], job["dest"]) == (f"{tmp_path}/film.mp4", f"{tmp_path}/out.mp4")
    assert here.run("show", job_id, "--json").json["job"]["notify_url"] == "http://127.0.0.1:9/told"


@pytest.mark.usefixtures("film")
def test_asking_twice_is_two_jobs_as_it_was(here: InProcessCli) -> None:
    ids = {asked(here, document(dest_path=f"{at}.mp4"))["job_id"] for at in (1, 1, 2)}
    assert len(ids) == 3
    assert set(here.listed()) == ids


@pytest.mark.usefixtures("film")
@pytest.mark.slow
def test_a_request_comes_by_standard_input(cli: Cli) -> None:
    done = subprocess.run(
        [*cli.executable, "submit", "--request", "-"],
        cwd=cli.cwd,
        env=cli.environment(),
        input=json.dumps(document()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(cli.listed()) == [json.loads(done.stdout)["job_id"]]


@pytest.mark.parametrize(
    ("fields", "code", "sentence"),
    [
        ({"preset": "web"}, "BADINPUT", "the request has an unknown field 'preset'"),
        ({"job_options": {"nommer": "x", "options": [PASS]}}, "BADNOMMER", "there is no nommer 'x'"),
        ({"job_options": {"nommer": "ffmpeg", "options": [{"outfile": []}]}}, "BADOPTIONS", "options[0] has an unkn"),
        (
            {"job_options": {"nommer": "ffmpeg", "options": [{"outfile_options": [["vcodec", "nosuch"]]}]}},
            "BADOPTIONS",
            "no encoder nosuch in ",
        ),
        ({"source_path": ""}, "BADSOURCE", "a source, destination or URL is empty"),
        ({"source_path": "gopher://host/a"}, "BADSOURCE", "'gopher:' is not supported by this backend"),
        ({"source_path": "nothing.mp4"}, "BADSOURCE", "'FOLDER/nothing.mp4' cannot be read: there is no such file"),
        ({"source_path": "empty.mp4"}, "BADSOURCE", "source 'FOLDER/empty.mp4' is empty"),
        ({"dest_path": "out.docx"}, "BADDEST", "the name of the destination 'out.docx' does not end in"),
        ({"dest_path": "no/out.mp4"}, "BADDEST", "there is no folder 'FOLDER/no': make it first"),
        ({"dest_path": "out/"}, "BADDEST", "'out/' is a folder: name the file to write in it"),
        ({"dest_path": "."}, "BADDEST", "'.' is a folder: name the file to write in it"),
        ({"dest_path": "film.mp4"}, "BADDEST", "'FOLDER/film.mp4' would be written over its own source"),
        ({"notify_url": "ftp://host/"}, "BADNOTIFYURL", "'ftp://host/' is not an http: or https: URL"),
        ({"source_path": "http://me:hunter2@host/a"}, "CREDENTIALS", "a http: URI with a user name or password in it"),
        ({"dest_path": "s3://AKIA:hunter2@films/a.mp4"}, "CREDENTIALS", "a s3: URI with a user name or password in"),
        ({"notify_url": "http://me:hunter2@host/"}, "CREDENTIALS", "a notify URL with a user name or password in it"),
    ],
)
@pytest.mark.usefixtures("film")
def test_a_refusal_has_a_code_and_a_sentence_and_stores_nothing(
    here: InProcessCli, tmp_path: Path, fields: dict[str, Any], code: str, sentence: str
) -> None:
    (tmp_path / "empty.mp4").touch()
    answer = asked(here, document(**fields), code=2)
    assert {key: answer[key] for key in ("success", "error_code")} == {"success": False, "error_code": code}
    assert answer["message"].replace(str(tmp_path), "FOLDER").startswith(sentence)
    assert answer.keys() == {"success", "error_code", "message"}
    assert "hunter2" not in answer["message"]
    assert stored(here) == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "'request.json' cannot be read: there is no such file"),
        (b"\xff", "the request is not JSON: JSON is malformed: invalid character (byte 0)"),
        (b" " * 1024 * 1024 + b"{}", "'request.json' is larger than any request: more than 1024 KB"),
        (b"[" * 500_000, "the request is nested too deep to be read"),
    ],
)
def test_what_is_no_request_is_bad_input(here: InProcessCli, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (here.cwd / "request.json").write_bytes(content)
    answer = here.run("submit", "--request", "request.json", code=2)
    assert answer.json == {"success": False, "error_code": "BADINPUT", "message": sentence}
    assert answer.stderr == f"nommerctl: {sentence}\n"


@pytest.mark.usefixtures("film")
def test_a_farm_that_is_away_answers_too_with_the_code_of_that(here: InProcessCli) -> None:
    here.state_dir.mkdir(mode=0o755)
    here.state_dir.chmod(0o777)
    answer = asked(here, document(), code=77)
    assert (answer["success"], answer["error_code"]) == (False, "UNAVAILABLE")
    assert "others may write in the state folder" in answer["message"]


@pytest.mark.usefixtures("film")
def test_settings_that_cannot_be_used_are_no_fault_of_the_request(here: InProcessCli) -> None:
    here.settings["SCALE_MAX_NODES"] = "many"
    answer = asked(here, document(), code=78)
    assert answer["error_code"] == "UNAVAILABLE"
    assert answer["message"].startswith("NOMMERCTL_SCALE_MAX_NODES must be a whole number")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("film.mp4",), "SOURCE"),
        (("--dest", "", "--wait"), "--dest, --wait"),
        (("--from", "jobs.jsonl", "--json"), "--from, --json"),
        (("--preset", "web-480p", "--suffix", "x"), "--preset, --suffix"),
        (
            ("--options", "o.json", "--client-id", "7", "--notify-url", "http://h/"),
            "--options, --client-id, --notify-url",
        ),
    ],
)
def test_flags_that_do_not_go_with_a_request(here: InProcessCli, flags: tuple[str, ...], named: str) -> None:
    refused = here.run("submit", "--request", "request.json", *flags, code=2)
    assert refused.stderr == (f"nommerctl: --request says all of the job, and is answered in JSON: leave out {named}\n")


@pytest.mark.slow
def test_a_job_that_is_stored_is_granted_though_its_queue_is_away(aws: AwsFarm, clips: Clips) -> None:
    film = aws.put("film.mov", clips["plain.mp4"].read_bytes())
    aws.here.run("refresh")
    aws.cloud.fail("sqs", "SendMessageBatch", refusal("sqs", "AccessDenied", 403))
    (aws.here.cwd / "request.json").write_text(
        json.dumps(document(source_path=film, dest_path=f"s3://{aws.bucket}/out.mp4"))
    )
    answer = aws.here.run("submit", "--request", "request.json")
    assert answer.json["success"] is True
    assert "1 job stored: do not submit again, refresh will queue what waits" in answer.stderr
    assert list(aws.store.get([answer.json["job_id"]])) == [answer.json["job_id"]]


@pytest.mark.usefixtures("film")
def test_what_an_answer_holds_is_safe_for_a_terminal(here: InProcessCli) -> None:
    answer = asked(here, document(source_path="\x1b]0;gone\x07\u202e.mp4"), code=2)
    assert "\\x1b" in answer["message"]
    assert "\x1b" not in answer["message"]
