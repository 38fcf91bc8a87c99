"""I9: texts that stand in every record of the farm, in every form in which the command line shows them."""

import fcntl
import json
from pathlib import Path

import pytest

from nommerctl.domain.states import JobState
from nommerctl.domain.text import tsv_cell
from tests import payloads
from tests.cli import InProcessCli
from tests.hostile_farm import STATES, fill, id_in

pytestmark = pytest.mark.slow

TEXTS = tuple(payloads.PAYLOADS.values())
CELLS = [tsv_cell(text) for text in TEXTS]

LINES = (
    ("why", "--last", "1000"),
    ("refresh", "--dry-run"),
    ("scale", "--dry-run"),
    ("run", "--dry-run"),
    ("refresh", "--rebuild"),
    ("refresh", "--quiet"),
    ("retry", "--failed", "--dry-run"),
    ("cancel", id_in(JobState.ENCODING), "--dry-run"),
    ("retry", id_in(JobState.ENCODING)),
    ("abandon",),
    ("prune",),
)


@pytest.fixture
def farm(here: InProcessCli) -> InProcessCli:
    """The farm, with the texts everywhere, and in the cache."""
    fill(here, TEXTS)
    here.run("refresh", "--rebuild", code=3)  # the listeners' URLs are none
    return here


@pytest.mark.parametrize("color", ["0", "1"])
def test_what_is_written_in_lines_is_tame(farm: InProcessCli, color: str) -> None:
    shows = [
        ("show", id_in(state, place))
        for place in range(len(TEXTS))
        for state in (JobState.ERROR, JobState.ENCODING, JobState.ABANDONED)
    ]
    for form in (*LINES, *shows):
        result = farm.run(*form, code=None, env={"FORCE_COLOR": color})
        assert result.code in {0, 2, 3}, result
        payloads.assert_tame(result.stdout)
        payloads.assert_tame(result.stderr)
        if color == "0":
            assert "\x1b" not in result.stdout
    assert ("\x1b[1m" in farm.run("why", env={"FORCE_COLOR": color}).stdout) == (color == "1")


def test_a_text_with_lines_keeps_to_its_lines(farm: InProcessCli) -> None:
    """Everything but details, command and log is one line."""
    lines = farm.run("show", id_in(JobState.ERROR, list(payloads.PAYLOADS).index("lines"))).stdout.split("\n")
    (source,) = [line for line in lines if line.startswith("  source")]
    assert source.endswith(r"a\nb\r\nc\x0bd\x0ce\x85f\u2028g\u2029h\x1ci")
    assert lines[lines.index("Details") + 1 :][:10] == [*(f"  {letter}" for letter in "abcdefghi"), ""]


def test_rows_have_their_columns_and_no_formula(farm: InProcessCli) -> None:
    jobs, nodes, letters = (
        payloads.assert_rows(farm.run(*form).stdout) for form in (("list",), ("nodes",), ("queue", "dead", "list"))
    )
    assert [job[2:5] for job in jobs] == [[cell] * 3 for cell in CELLS for _ in STATES]
    assert {node[0]: node[9] for node in nodes} == {f"a1-{place}": cell for place, cell in enumerate(CELLS)}
    assert letters == [[cell, "51"] for cell in CELLS]


def test_what_sums_up_is_tame_too(farm: InProcessCli) -> None:
    for form in ("status", "doctor"):
        payloads.assert_rows(farm.run(form, code=None).stdout)
        payloads.assert_document(farm.run(form, "--json", code=None).stdout)


def test_documents_give_the_texts_back_whole(farm: InProcessCli) -> None:
    listed, nodes, why, letters = (
        payloads.assert_document(farm.run(*form, "--json").stdout)
        for form in (("list",), ("nodes",), ("why", "--last", "1000"), ("queue", "dead", "list"))
    )
    fields = ("source", "dest", "preset", "details")
    assert [[job[field] for field in fields] for job in listed["jobs"]] == [
        [text] * 4 for text in TEXTS for _ in STATES
    ]
    assert {node["id"]: [node["host"], *node["jobs"]] for node in nodes["nodes"]} == {
        f"a1-{place}": [text, text] for place, text in enumerate(TEXTS)
    }
    decided = {decision["at"]: decision for decision in why["decisions"] if decision["reasons"] != []}
    assert [decision["inputs"] for decision in decided.values() if decision["launch"]] == [
        {text: text, "nodes": 1} for text in reversed(TEXTS)
    ]
    assert [letter["body"] for letter in letters["messages"]] == list(TEXTS)


def test_a_job_as_a_document_gives_every_text_back_whole(farm: InProcessCli) -> None:
    for place, text in enumerate(TEXTS):
        job = payloads.assert_document(farm.run("show", id_in(JobState.ERROR, place), "--json").stdout)["job"]
        fields = ("source", "dest", "preset", "details", "client_id", "command", "log", "nommer")
        assert [job[field] for field in fields] == [text] * 8
        assert job["options"][0]["outfile_options"] == [[text, text]]
        assert [(entry["by"], entry["details"]) for entry in job["history"]] == [(text, text)]


def test_passes_as_documents_are_documents(farm: InProcessCli) -> None:
    for form in (("run", "--dry-run"), ("refresh", "--rebuild"), ("scale", "--dry-run"), ("retry", "--failed")):
        payloads.assert_document(farm.run(*form, "--json", code=None).stdout)


@pytest.mark.parametrize("text", TEXTS, ids=payloads.PAYLOADS.keys())
def test_a_lock_that_names_its_holder_in_such_a_text(here: InProcessCli, text: str) -> None:
    here.run("refresh")
    with (here.state_dir / "locks" / "refresh.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(json.dumps({"pid": 1, "since": text[:20]}))
        lock.flush()
        said = here.run("refresh", code=75, env={"TERM": "xterm"}).stderr
    payloads.assert_one_line(said)
    assert "(process 1, since" in said


@pytest.mark.parametrize("name", ["__class__", "__struct_fields__", "", "\x1b[2J"])
def test_a_record_of_no_pass_says_nothing(here: InProcessCli, name: str) -> None:
    here.run("refresh")
    record = {"name": name, "started": 1, "unattended_since": 1}
    (here.state_dir / "locks" / "refresh.json").write_text(json.dumps(record))
    assert here.run("list").stderr == ""


def test_the_archive_holds_one_line_for_each_job(farm: InProcessCli, tmp_path: Path) -> None:
    archive = tmp_path / "jobs.jsonl"
    farm.settings |= {"UPKEEP_ARCHIVE": str(archive), "UPKEEP_RETENTION": "0.000001"}
    farm.run("prune")
    records = [json.loads(line) for line in archive.read_bytes().removesuffix(b"\n").split(b"\n")]
    kept = [text for text in TEXTS for _ in ("FINISHED", "ERROR")]  # who was not told of ABANDONED has to be told
    assert sorted(record["source"] for record in records) == sorted(kept)
