"""I9: a secret in what is refused, or in a record that others wrote, is neither said nor kept."""

import json
import os
from pathlib import Path

import pytest

from nommerctl.adapters.local.database import Database
from nommerctl.adapters.local.job_store import SqliteJobStore
from nommerctl.adapters.local.queue import SqliteQueue
from nommerctl.domain.job import EncodingJob, HistoryEntry
from nommerctl.domain.moves import submitted
from nommerctl.domain.states import JobState
from nommerctl.wiring.process import clock
from tests.builders import job_id, make_job
from tests.canary import CANARY, PIECES, assert_unsaid, holders
from tests.cli import InProcessCli
from tests.clips import Clips

pytestmark = pytest.mark.slow

LONG = CANARY + "x" * 100
HALF = CANARY.replace("C", "/C")

URIS = (
    f"http://ann:{CANARY}@127.0.0.1:9/a.mov",
    f"HTTP://{CANARY}@127.0.0.1:9/a.mov",
    f"https://me@example.org:{HALF}@127.0.0.1:9/a.mov",
    "http://ann:hunter2?CANARY@127.0.0.1:9/a.mov",
    "http://ann:hunter2#CANARY@127.0.0.1:9/a.mov",
    f"http://ann:{CANARY}%40127.0.0.1:9/a.mov",
    f"http:/ann:{CANARY}@127.0.0.1:9/a.mov",
    f"http:ann:{CANARY}@127.0.0.1:9/a.mov",
    f" http://ann:{CANARY}@127.0.0.1:9/a.mov",
    f"s3://AKIAIOSFODNN7EXAMPLE:{HALF}@bucket/a.mov",
    f"concat:http://ann:{CANARY}@127.0.0.1:9/a.mov|b",
    f"http://ann:{LONG}@127.0.0.1:9/a.mov",
    f"http://127.0.0.1:9/a.mov?token={CANARY}",
    f"http://127.0.0.1:9/a.mov?X-Amz-Signature={HALF}&X-Amz-Date=1",
    "http://127.0.0.1:9/a.mov?token=hunter2;CANARY",
    f"http://127.0.0.1:99999/a.mov?sig={CANARY}",
    f"https://127.0.0.1:9/a.mov?token={LONG}",
    f"ftp://127.0.0.1/a.mov?token={CANARY}",
)

NO_URIS = (
    f"file://ann:{CANARY}@localhost/a.mov",
    "http://ann:hunter2 CANARY@127.0.0.1:9/a.mov",
    "http://ann:hunter2\nCANARY@127.0.0.1:9/a.mov",
    f"http://127.0.0.1:9/a b.mov?token={CANARY}",
    "http://127.0.0.1:9/a.mov?token=hunter2 CANARY",
    f"http://ann:{CANARY}@h\u2100st/",
    f"http://ann:{CANARY}@[",
)
"""What people take for a source all the same."""

in_every_form = pytest.mark.parametrize("uri", URIS)
and_in_bad_form = pytest.mark.parametrize("uri", [*URIS, *NO_URIS])


@pytest.fixture
def film(clips: Clips, tmp_path: Path) -> Path:
    film = tmp_path / "film.mp4"
    film.write_bytes(clips["plain.mp4"].read_bytes())
    os.utime(film, (1, 1))
    return film


def assert_refused_unsaid(here: InProcessCli, *submissions: tuple[str | Path, ...]) -> None:
    for arguments in submissions:
        for form in ((), ("--json",)):
            result = here.run(*arguments, *form, code=None)
            assert result.code not in {0, 70}
            assert_unsaid(result)
    assert holders(here.state_dir) == set()


@and_in_bad_form
def test_a_submit_that_is_refused_neither_says_nor_keeps_it(here: InProcessCli, film: Path, uri: str) -> None:
    here.run("refresh")
    preset = ("--preset", "web-480p")
    assert_refused_unsaid(
        here,
        ("submit", uri, "--dest", "out.mp4", *preset),
        ("submit", uri, film, "--dest", ".", *preset),
        ("submit", film, "--dest", uri, *preset),
        ("submit", film, "--dest", f"{uri}.mp4", *preset),
        ("submit", film, film, "--dest", f"{uri}/", *preset),
        ("submit", film, "--dest", "out.mp4", *preset, "--notify-url", uri.replace("http", "ftp")),
    )


@in_every_form
def test_other_words_are_refused_without_it(here: InProcessCli, film: Path, tmp_path: Path, uri: str) -> None:
    here.run("refresh")
    assert_refused_unsaid(
        here,
        ("submit", film, "--dest", "out.mp4", "--preset", uri),
        ("submit", film, "--dest", "out.mp4", "--options", uri),
        ("show", uri),
        ("retry", uri),
        ("list", "--state", uri),
        ("list", uri),
        (uri,),
        (f"--{uri}",),
        ("--backend", uri, "list"),
        ("--config", uri, "list"),
        ("config", "generate", "-o", f"/none/{uri}"),
    )
    options = tmp_path / "options.json"
    for pair in (["vcodec", uri], ["f", uri], ["map", uri], ["vf", f"movie={uri}"], [uri, 1], ["b:v", [uri]]):
        options.write_text(json.dumps([{"outfile_options": [pair]}]))
        assert_unsaid(here.run("submit", film, "--dest", "out.mp4", "--options", options, code=2))


@in_every_form
def test_settings_that_are_wrong_are_told_without_it(here: InProcessCli, tmp_path: Path, uri: str) -> None:
    for name in ("SCALE_MAX_NODES", "FARM_NAME", "BACKEND", "FARM_TIME_LIMIT", "STATE_DIR", "UPKEEP_ARCHIVE"):
        for form in ((), ("--json",)):
            assert_unsaid(here.run("list", *form, code=78, env={f"NOMMERCTL_{name}": uri}))
    file = tmp_path / "config.toml"
    value = json.dumps(uri)
    for content in (
        f"[scale]\nmax_nodes = {value}\n",
        f"[farm]\nname = {value}\n",
        f"[farm]\n{value} = 1\n",
        f"[{value}]\nname = 1\n",
        f"{value} = 1\n",
        f"[upkeep]\narchive = {value}\n",
        f"[schedule]\nrefresh = {value}\n",
        uri,
    ):
        file.write_text(content)
        for form in ((), ("--json",)):
            assert_unsaid(here.run("--config", file, "list", *form, code=78))
    file.write_text(f"[ffmpeg]\npath = {value}\n")
    for arguments in (("config", "show"), ("config", "show", "--json")):
        assert_unsaid(here.run("--config", file, *arguments))
    here.run("--config", file, "refresh")
    assert holders(here.state_dir) == set()


def four(number: int, uri: str, film: Path, folder: Path) -> list[EncodingJob]:
    """Jobs that no submit would have let in, with a URI for a source, a listener, a destination, a cause of failure."""
    now = clock()
    ids = [job_id(4 * number + each) for each in range(4)]
    known = {"created": now, "changed": now}
    failed = (HistoryEntry(1, JobState.ERROR, now, "x", uri),)
    return [
        submitted(make_job(id=ids[0], source=uri, dest=f"{folder}/{number}.mp4", **known), by="x"),
        submitted(make_job(id=ids[1], source=str(film), dest=f"{folder}/t.mp4", notify_url=uri, **known), by="x"),
        submitted(make_job(id=ids[2], source=str(film), dest=uri, **known), by="x"),
        make_job(id=ids[3], state=JobState.ERROR, details=uri, log=uri, history=failed, **known),
    ]


@pytest.mark.slow
def test_what_others_stored_is_masked_and_not_used(
    here: InProcessCli, film: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # given
    here.run("refresh")
    uris = [*URIS, *NO_URIS]
    jobs = [job for number, uri in enumerate(uris) for job in four(number, uri, film, tmp_path)]
    database = Database(here.state_dir / "farm.db")
    SqliteJobStore(database).submit(jobs)
    SqliteQueue(database, "new-jobs", clock).send([*(job.id for job in jobs), *uris])
    SqliteQueue(database, "state-changes", clock).send(uris)
    database.close()
    # when everything is run that there is
    looks = [
        *(("show", job.id) for job in jobs),
        ("list",),
        ("nodes",),
        ("why",),
        ("queue", "dead", "list"),
        ("status",),
    ]
    told = [job.id for job in jobs if job.notify_url]
    passes = [("cancel", *told), ("run", "--dry-run"), ("refresh", "--rebuild"), ("worker", "--once"), ("run",)]
    for arguments in (*passes, ("scale",), *looks):
        assert_unsaid(here.run(*arguments, code=None))
        if arguments != ("worker", "--once"):
            assert_unsaid(here.run(*arguments, "--json", code=None))
    # then it was said by nobody, and stands where the others put it, and nowhere else
    assert {record["state"] for record in here.listed().values()} == {"ERROR", "ABANDONED"}
    assert len(here.listed()) == len(jobs)
    assert "".join(capfd.readouterr()) == ""
    assert {place.partition("/")[0] for place in holders(here.state_dir)} <= {"farm.db", "farm.db-wal", "cache"}
    # and what is archived does not hold it, nor the store what was pruned
    archive = tmp_path / "jobs.jsonl"
    here.settings |= {"UPKEEP_ARCHIVE": str(archive), "UPKEEP_RETENTION": "0.000001"}
    here.run("prune")
    for record in (json.loads(line) for line in archive.read_text().splitlines()):
        for name in ("source", "dest", "notify_url", "details"):
            assert not any(piece in record.get(name, "") for piece in PIECES)
