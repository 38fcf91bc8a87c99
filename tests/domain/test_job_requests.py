"""The request of media-nommer's producers: what is read from it, and what is wrong with it, as a program is told."""

import json
from typing import Any

import pytest

from nommerctl.domain.job_requests import error_code, parse_job_request
from nommerctl.errors import (
    CredentialsError,
    PermissionDeniedError,
    SettingsError,
    TerminatedPassError,
    UnreachableError,
    UsageError,
)

DOTTED = "media_nommer.ec2nommerd.nommers.ffmpeg.FFmpegNommer"
PASS = {"outfile_options": [["vcodec", "libx264"], ["an", None]]}


def document(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    job_options = {"nommer": DOTTED, "options": [PASS]}
    return {"source_path": "s3://in/a.mov", "dest_path": "s3://out/a.mp4", "job_options": job_options, **fields}


def refusal(text: bytes | dict[str, Any]) -> tuple[str, str]:
    """The code and the sentence for a request that is refused."""
    with pytest.raises(UsageError) as refused:
        parse_job_request(text if isinstance(text, bytes) else json.dumps(text).encode())
    return error_code(refused.value).value, str(refused.value)


@pytest.mark.parametrize("nommer", [DOTTED, "ffmpeg"])
@pytest.mark.parametrize("url", [{}, {"notify_url": None}, {"notify_url": "http://host/"}])
def test_a_request_is_read_as_it_was_written(nommer: str, url: dict[str, str | None]) -> None:
    asked = parse_job_request(json.dumps(document(job_options={"nommer": nommer, "options": [PASS]}, **url)).encode())
    assert (asked.source_path, asked.dest_path) == ("s3://in/a.mov", "s3://out/a.mp4")
    assert asked.options[0].outfile_options == (("vcodec", "libx264"), ("an", None))
    assert asked.notify_url == url.get("notify_url")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "the request is not JSON: Input data was truncated"),
        (b"source_path=a&dest_path=b", "the request is not JSON: JSON is malformed"),
        (b'{"source_path": "\xff"}', "the request is not UTF-8"),
        (b"[" * 100_000, "the request is nested too deep to be read"),
        (b"[]", "the request is not an object: a request looks like {"),
        (document(source=1), "the request has an unknown field 'source'; known: source_path, dest_path, notify_url, "),
        (document(**{"a\x1b": 1}), "the request has an unknown field 'a\\x1b'; known: "),
        ({"dest_path": "b", "job_options": {"nommer": "ffmpeg", "options": []}}, "source_path is missing"),
        ({"source_path": "b", "job_options": {}}, "dest_path is missing"),
        ({"source_path": "a", "dest_path": "b"}, "job_options is missing"),
        (document(source_path=None), "source_path is not a text"),
        (document(dest_path=["b"]), "dest_path is not a text"),
        (document(notify_url=7), "notify_url is not a text"),
        (document(job_options=[]), "job_options is not an object: a request looks like {"),
        (document(job_options={"options": []}), "job_options.nommer is missing"),
        (document(job_options={"nommer": "ffmpeg"}), "job_options.options is missing"),
        (document(job_options={"nommer": None, "options": []}), "job_options.nommer is not a text"),
        (
            document(job_options={"nommer": "ffmpeg", "options": [], "preset": "x"}),
            "job_options has an unknown field 'preset'; known: nommer, options",
        ),
    ],
)
def test_what_is_no_such_request_is_bad_input(text: bytes | dict[str, Any], sentence: str) -> None:
    code, said = refusal(text)
    assert code == "BADINPUT"
    assert said.startswith(sentence)


def test_a_nommer_that_there_is_not_is_named() -> None:
    code, said = refusal(document(job_options={"nommer": "media_nommer.Other", "options": [PASS]}))
    assert code == "BADNOMMER"
    assert said == f"there is no nommer 'media_nommer.Other': give one of ffmpeg, {DOTTED}"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "options must be a list of one pass, or of 2 for a two-pass encode"),
        ([], "options must be a list of one pass, or of 2 for a two-pass encode"),
        ([{"outfile_options": [["vcodec"]]}], "options[0].outfile_options[0]: option 'vcodec' needs a value"),
        (
            [{"outfile_options": [["dump_attachment", "/etc/passwd"]]}],
            (
                "options[0].outfile_options[0]: option 'dump_attachment' is not among those that nommerctl passes to "
                "ffmpeg at this place"
            ),
        ),
    ],
)
def test_options_are_checked_as_those_of_submit_are(options: object, sentence: str) -> None:
    assert refusal(document(job_options={"nommer": "ffmpeg", "options": options})) == ("BADOPTIONS", sentence)


@pytest.mark.parametrize("error", [UnreachableError, PermissionDeniedError, SettingsError, TerminatedPassError])
def test_what_is_no_fault_of_the_request_is_told_from_it(error: type[UnreachableError]) -> None:
    assert error_code(error("not now")).value == "UNAVAILABLE"
    assert error_code(CredentialsError("a key")).value == "CREDENTIALS"
