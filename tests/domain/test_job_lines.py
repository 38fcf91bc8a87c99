import json
from typing import Any

import pytest

from nommerctl.domain.job import EncodePass
from nommerctl.domain.job_lines import Faults, FaultyLinesError, JobLine, content_client_id, parse_job_line
from nommerctl.errors import UsageError
from tests.builders import make_job


def line(**fields: Any) -> bytes:  # noqa: ANN401 - anything that JSON can say
    return json.dumps(fields).encode()


def refused(text: bytes) -> str:
    with pytest.raises(UsageError) as refusal:
        parse_job_line(text)
    return str(refusal.value)


def test_a_line_says_what_flags_can_say() -> None:
    asked = parse_job_line(
        b'{"source": "a.mov", "dest": "out/", "preset": "web-720p", "suffix": "-s.mp4",'
        b' "client_id": "film 7", "notify_url": "http://host/told"}\n'
    )
    assert asked == JobLine(
        source="a.mov",
        dest="out/",
        preset="web-720p",
        suffix="-s.mp4",
        client_id="film 7",
        notify_url="http://host/told",
    )


def test_what_is_null_is_left_out() -> None:
    assert parse_job_line(line(source="a.mov", preset=None, options=None)) == JobLine(source="a.mov")


def test_options_are_a_list_of_passes_or_the_name_of_a_file() -> None:
    passes = parse_job_line(line(source="a", options=[{"outfile_options": [["vcodec", "libx264"]]}])).options
    assert passes == (EncodePass(outfile_options=(("vcodec", "libx264"),)),)
    assert parse_job_line(line(source="a", options="small.json")).options == "small.json"


UNKNOWN_KEY = "options[0] has an unknown key 'nosuch'; known: infile_options, move_atom_to_front, outfile_options"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a.mov", "it is not JSON: JSON is malformed: invalid character (byte 0)"),
        (b'{"source": "a"} {"source": "b"}', "it is not JSON: JSON is malformed: trailing characters (byte 17)"),
        (b'{"source": "a.mov"', "it is not JSON: Input data was truncated"),
        (b'{"source": "\xff.mov"}', "it is not UTF-8"),
        (b"[" * 100_000, "it is nested too deep to be read"),
        (
            b'["a.mov"]',
            'it is not an object such as {"source": "in.mov", "dest": "out.mp4", "preset": "web-720p"}',
        ),
        (line(dest="a.mp4"), "it has no source"),
        (line(source=None), "it has no source"),
        (line(source=7), "its source is not a text"),
        (line(source="a", dest=["b"]), "its dest is not a text"),
        (line(source="a", client_id=""), "its client_id is empty: give your own name for the job, or leave it out"),
        (line(source="a", dst="b"), "it has an unknown key 'dst': did you mean 'dest'?"),
        (line(source="a", client="b"), "it has an unknown key 'client': did you mean 'client_id'?"),
        (
            line(source="a", **{"\x1b[2J": 1}),
            r"it has an unknown key '\x1b[2J'; known: source, dest, preset, suffix, client_id, notify_url, options",
        ),
        (line(source="a", options=[]), "options must be a list of one pass, or of 2 for a two-pass encode"),
        (line(source="a", options=[{"nosuch": []}]), UNKNOWN_KEY),
    ],
)
def test_what_is_wrong_with_a_line(text: bytes, said: str) -> None:
    assert refused(text) == said


def test_the_first_twenty_faults_are_told_and_the_others_counted() -> None:
    faults = Faults("'jobs.jsonl'")
    faults.check()
    for number in range(1, 24):
        faults.add(number, "it has no source")
    with pytest.raises(FaultyLinesError) as refusal:
        faults.check()
    assert refusal.value.head == "'jobs.jsonl' has 23 faults, so nothing was stored"
    assert refusal.value.sentences == (*(f"line {at}: it has no source" for at in range(1, 21)), "and 3 more")
    assert str(refusal.value).startswith(
        "'jobs.jsonl' has 23 faults, so nothing was stored: line 1: it has no source; "
    )


def test_the_client_id_of_a_content_never_changes() -> None:
    """Else a file that was submitted half by an earlier version would be encoded twice."""
    job = make_job(source="/in/ä.mov", dest="/out/ä.mp4", preset="web-720p")
    assert content_client_id(job) == "sha256:5f97b5f1424d7c0a5e65c0ac303c75fa641ec15eaa156695e57685b7be595ca6"
    job = make_job(source="/in/a.mov", dest="/out/a.mp4", preset=None, notify_url="http://host/")
    assert content_client_id(job) == "sha256:c2b2f3c53abd5dfb18fb42681a37c16e864d489a6c794ec689a916b720c6f540"


def test_another_content_has_another_client_id() -> None:
    jobs = [
        make_job(),
        make_job(source="/other.mov"),
        make_job(dest="/other.mp4"),
        make_job(preset="web-480p"),
        make_job(preset=None),
        make_job(preset=None, options=(EncodePass(outfile_options=(("crf", 30),)),)),
        make_job(notify_url="http://host/"),
    ]
    assert len({content_client_id(job) for job in jobs}) == len(jobs)


def test_the_client_id_of_a_content_is_none_of_the_presets_passes_and_of_no_time() -> None:
    assert content_client_id(make_job(7, source="a", dest="b")) == content_client_id(
        make_job(8, source="a", dest="b", options=(EncodePass(),))
    )
