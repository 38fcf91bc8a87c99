"""Workers that end before they come up, as processes, until the breaker opens; and how it is closed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import InProcessCli, eventually
from tests.clips import Clips

SAID = "no worker runs on this machine"

NO_WORKER_RUNS = f"""
import os, sys
if "worker" in sys.orig_argv:
    os.write(2, b"{SAID}\\n")
    os._exit(1)
"""
"""What Python runs first of all, here."""


@pytest.fixture
def broken(here: InProcessCli, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcessCli]:
    """A farm with a job whose breaker is open, for two nodes in a row ended at once; nobody is attending."""
    with monkeypatch.context() as patch:
        patch.delenv("TERM", raising=False)
        patch.syspath_prepend(tmp_path / "site")
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(NO_WORKER_RUNS)
        here.settings |= {"SCALE_MAX_NODES": "1", "SCALE_BREAKER_NODES": "2", "WORKER_IDLE_EXIT": "0.2s"}
        patch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{Path(__file__).parents[2]}")
        here.run("submit", clips["plain.mp4"], "--dest", tmp_path / "out.mp4", "--preset", "audio-m4a")
        here.run("refresh")
        for _ in range(2):
            here.run("scale")
            eventually(lambda: not here.worker_pids())
        yield here


def launched(here: InProcessCli) -> int:
    return len(list((here.state_dir / "logs").glob("*.log")))


def test_it_opens_when_workers_end_before_they_come_up_and_every_command_says_so(broken: InProcessCli) -> None:
    # when
    told = broken.run("scale", "--dry-run")
    done = broken.run("scale", "--quiet")
    # then it says so once, with the last words of the last node
    assert "[dry run] open breaker until " in told.stdout
    assert done.stdout.startswith("open breaker until ")
    assert done.stdout.endswith(f" said: {SAID})\n")
    assert done.stderr == ""
    # and nothing is launched any more
    quiet = broken.run("scale", "--quiet")
    assert (quiet.stdout, quiet.stderr, launched(broken)) == ("", "", 2)
    # and commands say so, but for passes that cron makes
    assert broken.run("refresh", "--quiet").stderr == ""
    for command in ("list", "nodes", "why"):
        said = broken.run(command).stderr
        assert said.startswith("nommerctl: the breaker is open until ")
        assert said.count("\n") == 1
    checkup = broken.run("doctor", "--json", code=None).json["checks"]
    (notice,) = (each for each in checkup if each["check"] == "notices")
    assert (notice["verdict"], notice["found"].partition(" until ")[0]) == ("warning", "the breaker is open")
    assert "the breaker is open until" in broken.run("scale", env={"TERM": "xterm"}).stderr
    # and status shows it, by the ledger
    stands = broken.run("status", "--json")
    assert stands.stderr == ""
    assert stands.json["breaker"]["state"] == "open"
    assert SAID in stands.json["breaker"]["reason"]
    assert "the breaker is open until" in broken.run("why", "--json").json["decisions"][0]["reasons"][-1]


def test_resume_closes_it_and_the_farm_goes_on(broken: InProcessCli, tmp_path: Path) -> None:
    broken.run("scale")
    (tmp_path / "site" / "sitecustomize.py").unlink()
    # when
    told = broken.run("resume", "--dry-run", "--json").json
    assert "the breaker is open" in broken.run("list").stderr, "a dry run leaves it open"
    resumed = broken.run("resume")
    # then
    assert [change["action"] for change in told["changed"]] == ["close breaker"]
    assert resumed.stdout.startswith("close breaker open since ")
    assert SAID in resumed.stdout
    assert (resumed.stderr, broken.run("list").stderr) == ("", "")
    assert broken.run("resume").stdout == "resume: nothing to do\n"
    broken.run("scale")
    eventually(lambda: broken.refreshed_states() == ["FINISHED"])


def test_after_its_time_a_node_is_tried_and_closes_it(broken: InProcessCli, tmp_path: Path) -> None:
    broken.run("scale")
    (tmp_path / "site" / "sitecustomize.py").unlink()
    broken.settings["SCALE_BREAKER_TIME"] = "0.01s"
    # when
    tried = broken.run("scale").stdout
    # then
    assert "launch 1 node" in tried
    assert "held by breaker: the breaker is half-open, one node is tried" in tried
    eventually(lambda: broken.refreshed_states() == ["FINISHED"])
    assert "close breaker for nodes come up" in broken.run("scale").stdout
    assert broken.run("status", "--json").json["breaker"]["state"] == "closed"
