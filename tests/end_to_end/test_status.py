"""What a person asks first, and what it takes to answer."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli import Cli, InProcessCli, paused_worker
from tests.clips import Clips


@pytest.fixture
def films(clips: Clips, tmp_path: Path) -> list[Path]:
    """Three sources."""
    paths = [tmp_path / f"{number}.wav" for number in range(3)]
    for path in paths:
        shutil.copy2(clips["tone.wav"], path)
    return paths


def submit(cli: Cli, films: list[Path]) -> None:
    cli.run("submit", *films, "--dest", f"{cli.cwd}/", "--preset", "audio-m4a")


def test_the_farm_at_work(cli: Cli, films: list[Path]) -> None:
    submit(cli, films)
    with paused_worker(cli, "ENCODING"):
        cli.run("refresh")
        document = cli.run("status", "--json").json
    keys = ["schema", "command", "as_of", "jobs", "nodes", "queue", "cache", "decision", "breaker", "overdue"]
    assert list(document) == keys
    assert (document["jobs"]["PENDING"], document["jobs"]["ENCODING"], document["jobs"]["FINISHED"]) == (2, 1, 0)
    nodes = document["nodes"]
    assert (nodes["running"], nodes["silent"], nodes["dead"], nodes["slots"], nodes["ordered"]) == (1, 0, 0, 1, 0)
    assert (document["queue"]["visible"], document["queue"]["in_flight"]) == (2, 1)
    assert document["overdue"] == []


def test_what_held_scale_back(here: InProcessCli, films: list[Path]) -> None:
    here.settings = {"SCALE_MAX_NODES": "0"}
    submit(here, films)
    here.run("scale")
    decision = here.run("status", "--json").json["decision"]
    assert (decision["launch"], decision["held"]) == (0, ["max_nodes"])


def test_a_pipe_gets_names_and_values(here: InProcessCli, films: list[Path]) -> None:
    submit(here, films)
    lines = here.run("status").stdout.splitlines()
    assert lines[0] == "name\tvalue"
    assert {"jobs.PENDING\t3", "queue.visible\t3", "nodes.running\t0"} <= set(lines)


def test_a_farm_that_was_never_used_is_not_made(here: InProcessCli) -> None:
    assert "jobs.PENDING\t0\n" in here.run("status").stdout
    assert not here.state_dir.exists()


def test_an_overdue_pass_is_told_once(here: InProcessCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TERM", raising=False)
    here.run("refresh")
    record = here.state_dir / "locks" / "refresh.json"
    record.write_text(re.sub(r"\d{16}", lambda found: str(int(found[0]) - 3_600_000_000), record.read_text()))
    result = here.run("status", "--json")
    (sentence,) = result.json["overdue"]
    assert sentence.startswith("refresh has not succeeded for 60 min (it should every minute); ")
    assert result.stderr == ""


def test_no_job_is_read(here: InProcessCli, films: list[Path]) -> None:
    # given records that nobody can read, in the store and in the cache
    submit(here, films)
    for path, table, column in (("farm.db", "jobs", "body"), ("cache/cache.db", "Cache", "value")):
        with closing(sqlite3.connect(here.state_dir / path)) as connection, connection:
            condition = "" if table == "jobs" else " WHERE tag IS NOT NULL"
            changed = connection.execute(f"UPDATE {table} SET {column} = 'damaged'{condition}")  # noqa: S608 - from above
            assert changed.rowcount == 3
    # then they count all the same
    assert here.run("status", "--json").json["jobs"]["PENDING"] == 3


def test_it_leaves_no_trace(here: InProcessCli, films: list[Path]) -> None:
    submit(here, films)
    paths = [here.state_dir, *here.state_dir.rglob("*")]
    before = {path: path.stat().st_mtime_ns for path in paths}
    here.run("status")
    assert {path: path.stat().st_mtime_ns for path in [here.state_dir, *here.state_dir.rglob("*")]} == before
